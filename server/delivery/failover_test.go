package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/inbox/redisinbox"
	"roost/server/session"
	"roost/server/testredis"
)

// TestFailovers: what an asynchronous failover loses shows as a new stream, never as silence. One device at one node, and
// another node that stores for it too; notices that come late, in another order, or not at all; a failover that loses what was
// stored since a moment before, and then a little more. Beside it a ledger: each message that was accepted the device has
// handled, or it was told since that it misses something. What nobody had heard of before it was lost nobody can tell.
func TestFailovers(t *testing.T) {
	first, seeds := uint64(1), uint64(400)
	if testing.Short() {
		seeds = 100
	}
	if n, _ := strconv.ParseUint(os.Getenv("ROOST_SIM_SEED"), 10, 64); n > 0 {
		first, seeds = n, 1
	}
	nodes := newFailoverNodes(t)
	told, lost := 0, 0
	for seed := first; seed < first+seeds && !t.Failed(); seed++ {
		w := newFailovers(nodes, seed)
		w.play()
		w.verify()
		told, lost = told+w.told, lost+w.lost
	}
	t.Logf("%d messages lost by failovers, %d times the device was told of a new stream", lost, told)
	if seeds > 1 && (told == 0 || lost == 0) {
		t.Error("nothing was lost: it is not tested")
	}
}

// failoverNodes are two nodes and their Redis.
type failoverNodes struct {
	*rig
	store *redisinbox.Store // of the devices' node
	other *redisinbox.Store
	hooks chan hook
}

// hook is a call of one of the store's goroutines, for the test's.
type hook struct {
	ref   inbox.Ref
	fence uint32
	ended bool
}

func newFailoverNodes(t *testing.T) *failoverNodes {
	r := &rig{t: t, redis: testredis.Start(t), now: time.Unix(1_800_000_000, 0)}
	n := &failoverNodes{rig: r, hooks: make(chan hook, 1024)}
	start := func(o redisinbox.Options) *redisinbox.Store {
		o.Addrs, o.Now = []string{r.redis.Addr()}, func() time.Time { return r.now }
		s, err := redisinbox.New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		testredis.Await(t, "the store reaches Redis", func() bool { return s.Reached() == nil })
		return s
	}
	n.other = start(redisinbox.Options{})
	n.store = start(redisinbox.Options{
		Moved: func(ref inbox.Ref, fence uint32) { n.hooks <- hook{ref, fence, false} },
		End:   func(ref inbox.Ref, fence uint32, _ error) { n.hooks <- hook{ref, fence, true} },
	})
	r.store = atOnce{n.store}
	r.hub = delivery.NewHub(r.store, session.NewRegistry(), r)
	r.lane = r.hub.NewLane(r)
	return n
}

// failovers is one scenario.
type failovers struct {
	*failoverNodes
	seed uint64
	rng  *rand.Rand
	id   string

	sock    *sock
	session delivery.Session
	seen    int    // frames of sock that the device has looked at
	seq     uint64 // last number that it has in this stream
	ended   bool

	handled map[string]bool
	ledger  []*promise
	notices []*promise // on their way
	told    int
	lost    int
	trace   []string
}

// promise is a message whose publisher was told that it is stored.
type promise struct {
	inbox.Put
	payload string
	heard   bool // the device's node has taken it in, before it was lost
	lost    bool
	told    bool // the device was told since that it misses something
}

func newFailovers(n *failoverNodes, seed uint64) *failovers {
	w := &failovers{failoverNodes: n, seed: seed, rng: rand.New(rand.NewPCG(seed, 3)), id: fmt.Sprint("d", seed), handled: map[string]bool{}}
	w.connect()
	return w
}

// play is a scenario.
func (w *failovers) play() {
	for range w.rng.IntN(4) {
		w.act()
	}
	w.note("a moment that a replica has")
	past := fmt.Sprintf("past:{%s}", w.id)
	w.copy(w.key(), past)
	snapshot := len(w.ledger)
	for range 1 + w.rng.IntN(4) {
		w.act()
	}
	w.note("failover")
	w.copy(past, w.key())
	for _, m := range w.ledger[snapshot:] {
		m.lost = true
		w.lost++
	}
	for range 1 + w.rng.IntN(5) {
		w.act()
	}
}

func (w *failovers) key() string { return fmt.Sprintf("inbox:{%s}", w.id) }

func (w *failovers) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

// connect has the device come, with what it has.
func (w *failovers) connect() {
	if w.sock == nil {
		w.sock, w.session = w.rig.connect(w.id)
	} else {
		w.leave(w.sock)
		epoch := w.session.Epoch
		w.sock, w.session = w.rig.connect(w.id, epoch, int(w.seq))
		if !w.session.Resumed {
			w.told++
			for _, m := range w.ledger {
				m.told = true
			}
		}
		if w.session.Epoch != epoch {
			w.seq = w.session.Acked
		}
		w.note("it comes back: resumed %v, last %d, acked %d", w.session.Resumed, w.session.Last, w.session.Acked)
	}
	w.ended, w.seen = false, 0
}

func (w *failovers) conn() delivery.Conn { return delivery.Conn(len(w.socks)) }

func (w *failovers) look(ref inbox.Ref, fence uint32) {
	if p := &w.sock.peer; p.Ref == ref && p.Fence == fence {
		w.lane.Look(w.conn(), p)
	}
}

func (w *failovers) act() {
	switch n := w.rng.IntN(12); {
	case n < 3:
		w.publish(true)
	case n < 7:
		w.publish(false)
	case n < 10 && len(w.notices) > 0:
		i := w.rng.IntN(min(len(w.notices), 3))
		w.hear(w.notices[i])
		w.notices = append(w.notices[:i:i], w.notices[i+1:]...)
	case n < 11:
		w.note("it acknowledges %d", w.seq)
		w.lane.Ack(w.conn(), &w.sock.peer, w.seq)
		if w.rng.IntN(2) == 0 {
			_ = w.store.Flush()
		}
	}
	if w.rng.IntN(2) == 0 { // else it takes its time
		w.settle()
	}
}

// copy copies what Redis has of the device.
func (w *failovers) copy(from, to string) {
	w.redis.Text("EVAL", `
		local l, h = redis.call('DUMP', KEYS[1]), redis.call('DUMP', KEYS[2])
		redis.call('DEL', KEYS[3], KEYS[4])
		if l then redis.call('RESTORE', KEYS[3], 0, l) end
		if h then redis.call('RESTORE', KEYS[4], 0, h) end`, "4", from, from+":h", to, to+":h")
}

// publish stores up to three messages, here or at the other node.
func (w *failovers) publish(here bool) {
	var ops []inbox.Op
	var ms []*promise
	for range 1 + w.rng.IntN(3) {
		m := &promise{payload: fmt.Sprint("m", len(w.ledger)+len(ms))}
		m.Put = inbox.Put{Device: w.id, Message: &inbox.Message{TTL: 600, Payload: []byte(m.payload)}}
		ms, ops = append(ms, m), append(ops, &m.Put)
	}
	current := w.store.Current(w.sock.peer.Ref, w.sock.peer.Fence)
	if here {
		if err := w.commit(ops...); err != nil {
			w.t.Fatal(err)
		}
	} else {
		c := &inbox.Commit{Ops: ops, Done: func(*inbox.Commit) {}}
		if (atOnce{w.other}).Commit(c); c.Err != nil {
			w.t.Fatal(c.Err)
		}
	}
	for _, m := range ms {
		if m.Verdict != inbox.Stored {
			w.t.Fatalf("%+v", m.Put)
		}
		w.note("%s is number %d, here %v, look %v", m.payload, m.Seq, here, m.Look)
		w.ledger = append(w.ledger, m)
		switch {
		case here:
			m.heard = current && !m.Look && w.store.Current(w.sock.peer.Ref, w.sock.peer.Fence)
		case w.rng.IntN(4) > 0:
			w.notices = append(w.notices, m)
		}
	}
}

// hear has a notice arrive, with the message or without.
func (w *failovers) hear(m *promise) {
	n := inbox.Notice{Device: []byte(w.id), Epoch: []byte(m.Epoch.String()), Fence: m.Fence, Seq: m.Seq, Tag: m.Tag, Before: m.Before}
	if w.rng.IntN(2) == 0 {
		n.Message = m.Message
	}
	ref, look := w.store.Noticed(&n)
	w.note("it is heard of %s: look %v, with it %v", m.payload, look, n.Message != nil)
	if m.heard = look && !m.lost; !look || ref != w.sock.peer.Ref {
		return
	}
	if n.Message == nil {
		w.look(ref, w.sock.peer.Fence)
		return
	}
	w.lane.Offer(w.conn(), &inbox.Put{Ref: ref, Fence: n.Fence, Seq: n.Seq, Message: n.Message})
}

// take does what a goroutine of the store has asked for.
func (w *failovers) take(k hook) {
	if k.ended {
		w.ended = w.ended || k.ref == w.sock.peer.Ref && k.fence == w.sock.peer.Fence
	} else {
		w.look(k.ref, k.fence)
	}
}

// settle does what the store's goroutines have asked for so far, and has the device take what came.
func (w *failovers) settle() {
	for len(w.hooks) > 0 {
		w.take(<-w.hooks)
	}
	for ; w.seen < len(w.sock.got); w.seen++ {
		number, payload, _ := strings.Cut(w.sock.got[w.seen], " ")
		seq, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			w.t.Fatalf("seed %d: it gets %q", w.seed, w.sock.got[w.seen])
		}
		w.note("it gets %d %s", seq, payload)
		w.seq, w.handled[payload] = seq, true
	}
	if w.ended {
		w.connect()
		w.settle()
	}
}

// verify waits until all is told, and holds the ledger against the device.
func (w *failovers) verify() {
	for _, m := range w.notices {
		w.hear(m)
	}
	w.settle()
	missing := w.missing()
	for range 3 { // sweeps
		_ = w.store.Resync("", 0)
		for !w.ended && !w.store.Current(w.sock.peer.Ref, w.sock.peer.Fence) {
			w.take(<-w.hooks) // the store is about to say so
		}
		w.lane.Ack(w.conn(), &w.sock.peer, w.seq) // the window is open
		w.settle()
		missing = w.missing()
	}
	w.leave(w.sock)
	if missing != nil {
		w.t.Errorf("seed %d: %s, number %d, was accepted, the device never got it, and its stream is the same; heard of %v, lost %v\n%s\n"+
			"again: ROOST_SIM_SEED=%d go test -run TestFailovers ./server/delivery", w.seed, missing.payload, missing.Seq, missing.heard,
			missing.lost, strings.Join(w.trace, "\n"), w.seed)
	}
}

func (w *failovers) missing() *promise {
	for _, m := range w.ledger {
		if !w.handled[m.payload] && !m.told && (m.heard || !m.lost) {
			return m
		}
	}
	return nil
}
