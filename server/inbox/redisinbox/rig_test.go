package redisinbox

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/testredis"
)

// patience bounds every wait.
const patience = 30 * time.Second

// testClock is a clock that stands still until it is told.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *testClock { return &testClock{t: time.Unix(1_800_000_000, 0)} }

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// node is a store of one node, in which everything has happened when a call returns.
type node struct {
	*Store
	tb testing.TB

	mu    sync.Mutex
	ended []string // "ref fence why"
	moved []inbox.Ref
	sent  []string // latest values: "topic payload"
}

// latestTold returns the latest values that the node was to send.
func (n *node) latestTold() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.sent)
}

// start returns the store of a node.
func start(tb testing.TB, server *testredis.Server, clock *testClock, change ...func(*Options)) *node {
	tb.Helper()
	n := &node{tb: tb}
	o := Options{
		Addrs: []string{server.Addr()},
		End: func(ref inbox.Ref, fence uint32, why error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.ended = append(n.ended, fmt.Sprint(ref, fence, why))
		},
		Latest: func(topic string, m *inbox.Message) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.sent = append(n.sent, topic+" "+string(m.Payload))
		},
		Moved: func(ref inbox.Ref, _ uint32) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.moved = append(n.moved, ref)
		},
	}
	if clock != nil {
		o.Now = clock.now
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	n.Store = s
	tb.Cleanup(func() { s.Close() })
	testredis.Await(tb, "the store reaches Redis", func() bool { return s.Reached() == nil })
	return n
}

// do commits operations and waits.
func (n *node) do(ops ...inbox.Op) error {
	n.tb.Helper()
	done := make(chan error, 1)
	n.Commit(&inbox.Commit{Ops: ops, Done: func(c *inbox.Commit) {
		n.Remember(c)
		done <- c.Err
	}})
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		n.tb.Fatal("a commit did not end")
		return nil
	}
}

// put publishes one message.
func (n *node) put(device, id, payload string, ttl uint32) *inbox.Put {
	n.tb.Helper()
	p := message(device, id, payload, ttl)
	if err := n.do(p); err != nil {
		n.tb.Fatal(err)
	}
	return p
}

func message(device, id, payload string, ttl uint32) *inbox.Put {
	return &inbox.Put{Device: device, Message: &inbox.Message{TTL: ttl, ID: []byte(id), Payload: []byte(payload)}}
}

// open begins a session; resume is nothing, or an epoch and a number.
func (n *node) open(id string, resume ...any) inbox.Opened {
	n.tb.Helper()
	var r inbox.Resume
	if len(resume) == 2 {
		r = inbox.Resume{Given: true, Epoch: []byte(fmt.Sprint(resume[0])), Seq: uint64(resume[1].(int))}
	}
	o, err := n.Open([]byte(id), r)
	if err != nil {
		n.tb.Fatal(err)
	}
	return o
}

// fetch returns what a session gets from a number on: "3 payload", and a skip first.
func (n *node) fetch(o inbox.Opened, from uint64) (got []string) {
	n.tb.Helper()
	f := inbox.Fetch{Ref: o.Ref, Fence: o.Fence, From: from, Max: 1000, Bytes: 1 << 20}
	n.Fetch(&f)
	if f.Err != nil {
		n.tb.Fatal(f.Err)
	}
	if f.Gone {
		return []string{"gone"}
	}
	if f.Skip > 0 {
		got = append(got, fmt.Sprintf("skip %d %s", f.Skip, f.Why))
	}
	for _, it := range f.Items {
		got = append(got, fmt.Sprintf("%d %s", it.Seq, it.Message.Payload))
	}
	return got
}

// flush writes acknowledgements.
func (n *node) flush() {
	n.tb.Helper()
	if err := n.Flush(); err != nil {
		n.tb.Fatal(err)
	}
}

// check looks at everything.
func (n *node) check() {
	n.tb.Helper()
	if p := n.Check(); len(p) > 0 {
		n.tb.Errorf("the books: %v", p)
	}
}

// endings returns why sessions have ended.
func (n *node) endings() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.ended)
}

// looks returns how many sessions have been told to look.
func (n *node) looks() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.moved)
}

func same(tb testing.TB, what string, got []string, want ...string) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("%s: %q, want %q", what, got, want)
	}
}
