package fanout

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"roost/server/testredis"
)

// world is an implementation of Bus with what it needs to run, and what tests do to it.
type world struct {
	// bus makes one whose state may still be down.
	bus func(o Options) (Bus, error)
	// raw delivers bytes to a node's own channel.
	raw func(node, b string)
	// outages are ways to take it all away.
	outages map[string]outage
}

// outage takes a world away, and gives it back.
type outage struct{ begin, end func() }

func memoryWorld(*testing.T) *world {
	var h Hub
	return &world{
		bus:     func(o Options) (Bus, error) { return h.Bus(o) },
		raw:     h.inject,
		outages: map[string]outage{"down": {func() { h.SetDown(true) }, func() { h.SetDown(false) }}},
	}
}

// worlds counts, so that rows on one Redis do not hear each other.
var worlds struct {
	sync.Mutex
	n int
}

func prefix() string {
	worlds.Lock()
	defer worlds.Unlock()
	worlds.n++
	return fmt.Sprintf("roost%d", worlds.n)
}

// redisOptions are those of tests.
func redisOptions(addrs []string, prefix string, o Options) RedisOptions {
	return RedisOptions{Options: o, Addrs: addrs, Prefix: prefix}
}

func redisWorld(s *testredis.Server) *world {
	p := prefix()
	return &world{
		bus: func(o Options) (Bus, error) { return NewRedis(redisOptions([]string{s.Addr()}, p, o)) },
		raw: func(node, b string) { s.Text("PUBLISH", p+":node:"+node, b) },
		outages: map[string]outage{
			"killed": {s.Kill, s.Restart},
			"paused": {s.Pause, s.Resume},
		},
	}
}

func clusterWorld(t *testing.T, c *testredis.Cluster) *world {
	p := prefix()
	return &world{
		bus: func(o Options) (Bus, error) { return NewRedis(redisOptions(c.Addrs(), p, o)) },
		raw: func(node, b string) {
			for i := range testredis.Masters {
				if _, err := c.Master(i).Do("SPUBLISH", p+":node:{"+node+"}", b); err == nil {
					return // the others say MOVED
				}
			}
			t.Errorf("nobody takes a message for %s", node)
		},
	}
}

// node is a bus that keeps what it is given.
type node struct {
	Bus
	t  *testing.T
	id string

	mu      sync.Mutex
	got     map[Queue][]Envelope // copies
	ups     []string
	downs   []string
	dropped map[Queue]int
	twins   []uint64
	block   chan struct{} // Inbox waits for it, if not nil
	entered int           // times that Inbox was called
	on      func(n *node, batch []Envelope)
}

// start makes a node and waits until it is up.
func (w *world) start(t *testing.T, id string, change func(*node, *Options)) *node {
	t.Helper()
	n := w.begin(t, id, change)
	n.await("it is up", func() bool { return n.State().Up && n.told(&n.ups) > 0 })
	return n
}

// begin makes a node that may be down.
func (w *world) begin(t *testing.T, id string, change func(*node, *Options)) *node {
	t.Helper()
	n := &node{t: t, id: id, got: map[Queue][]Envelope{}, dropped: map[Queue]int{}}
	keep := func(q Queue) func([]Envelope) {
		return func(batch []Envelope) {
			n.mu.Lock()
			block := n.block
			if q == QueueInbox {
				n.entered++
			}
			n.mu.Unlock()
			if q == QueueInbox && block != nil {
				<-block
			}
			n.mu.Lock()
			for i := range batch {
				n.got[q] = append(n.got[q], clone(&batch[i]))
			}
			n.mu.Unlock()
			if n.on != nil {
				n.on(n, batch)
			}
		}
	}
	o := Options{Node: id}
	o.Handlers = Handlers{Inbox: keep(QueueInbox), Replies: keep(QueueReplies), All: keep(QueueAll), Topics: keep(QueueTopics)}
	o.Hooks = Hooks{
		Up:      func(s Scope, again uint64) { n.note(&n.ups, fmt.Sprintf("%+v %d", s, again)) },
		Down:    func(s Scope, err error) { n.note(&n.downs, fmt.Sprintf("%+v %v", s, err)) },
		Dropped: func(q Queue, k int) { n.mu.Lock(); defer n.mu.Unlock(); n.dropped[q] += k },
		Twin:    func(i uint64) { n.mu.Lock(); defer n.mu.Unlock(); n.twins = append(n.twins, i) },
	}
	if change != nil {
		change(n, &o)
	}
	var err error
	if n.Bus, err = w.bus(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func clone(e *Envelope) Envelope {
	c := *e
	for _, f := range []*[]byte{&c.Origin, &c.Device, &c.Epoch, &c.Trace, &c.Channel, &c.MessageID, &c.Payload} {
		*f = slices.Clone(*f)
	}
	return c
}

func (n *node) note(list *[]string, s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*list = append(*list, s)
}

func (n *node) told(list *[]string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(*list)
}

// await waits for a state of a node.
func (n *node) await(what string, ok func() bool) {
	n.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			n.t.Fatalf("node %s: %s: not within 30 s; %+v; ups %v, downs %v", n.id, what, n.State(), n.ups, n.downs)
		}
	}
}

// payloads returns what came into a queue.
func (n *node) payloads(q Queue) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var ps []string
	for i := range n.got[q] {
		ps = append(ps, string(n.got[q][i].Payload))
	}
	return ps
}

// awaitPayloads waits until a queue has had just these.
func (n *node) awaitPayloads(q Queue, want ...string) {
	n.t.Helper()
	n.await(fmt.Sprintf("%v in %v", shorten(want), q), func() bool { return len(n.payloads(q)) >= len(want) })
	if got := n.payloads(q); !slices.Equal(got, want) {
		n.t.Fatalf("node %s: %v: %v, want %v", n.id, q, shorten(got), shorten(want))
	}
}

func shorten(ps []string) string {
	s := fmt.Sprintf("%q", ps)
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// must sends, and checks how many nodes took it.
func (n *node) must(to Channel, e *Envelope, receivers int) {
	n.t.Helper()
	if got, err := sendAndWait(n.t.Context(), n, to, e); err != nil || got != receivers {
		n.t.Fatalf("node %s to %v: taken by %d, %v; want %d", n.id, to, got, err, receivers)
	}
}

// live is a message with a text.
func live(text string) *Envelope { return &Envelope{Kind: KindLive, Payload: []byte(text)} }

// openFiles counts the descriptors of this process.
func openFiles() int {
	files, _ := os.ReadDir("/proc/self/fd")
	return len(files)
}

// sendAndWait is Post that waits until the message is sent or ctx is done. After an error of ctx it
// may be sent all the same.
func sendAndWait(ctx context.Context, b Bus, to Channel, e *Envelope) (receivers int, err error) {
	type outcome struct {
		n   int
		err error
	}
	done := make(chan outcome, 1)
	b.Post(to, e, func(n int, err error) { done <- outcome{n, err} })
	select {
	case o := <-done:
		return o.n, o.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// joinAndWait is Join that waits until messages arrive, ErrDown or ctx. After an error of ctx
// and ErrDown the topic is joined all the same: it is listened to as soon as that is possible.
func joinAndWait(ctx context.Context, b Bus, topic string) error {
	done := make(chan error, 1)
	b.Join(topic, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
