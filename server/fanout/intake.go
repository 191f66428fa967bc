package fanout

import (
	"sync"
	"sync/atomic"
	"time"
)

// intake is the receiving half of a bus: it tells messages apart and queues them.
type intake struct {
	// Static after newIntake.
	node     string
	origin   []byte // node, for envelopes
	instance uint64 // of this process, never 0
	queues   [queues]*queue
	heard    func(id uint64)       // an own probe came back
	twin     func(instance uint64) // must not block

	invalid atomic.Uint64
	unknown atomic.Uint64

	mu       sync.Mutex // covers the following
	lastTwin uint64
	twinTold time.Time
}

// twinEvery is how often a twin that stays is told.
const twinEvery = 10 * time.Second

func newIntake(o *Options, instance uint64, heard, twin func(uint64)) *intake {
	in := &intake{node: o.Node, origin: []byte(o.Node), instance: instance, heard: heard, twin: twin}
	handlers := [queues]func([]Envelope){o.Handlers.Inbox, o.Handlers.Replies, o.Handlers.All, o.Handlers.Topics}
	for kind := range queues {
		in.queues[kind] = newQueue(kind, handlers[kind], o, &in.invalid, &in.unknown)
	}
	return in
}

// arrive takes a message from a channel of a kind. It does not block.
func (in *intake) arrive(from channelKind, m string) {
	if len(m) > MaxEnvelope {
		in.invalid.Add(1)
		return
	}
	kind, origin := peek(m)
	switch {
	case kind == 0:
		in.invalid.Add(1)
	case kind == kindHello:
		in.hello(m)
	case kind == kindStored:
		if from != toNode || !cutStored(m, in.stored) {
			in.invalid.Add(1)
		}
	case from == toNode && kind == KindResult:
		in.queues[QueueReplies].put(m)
	case from == toNode:
		in.queues[QueueInbox].put(m)
	case origin == in.node: // our own
	case from == toAll:
		in.queues[QueueAll].put(m)
	default:
		in.queues[QueueTopics].put(m)
	}
}

// stored takes the parts of a notice that a store has sent.
func (in *intake) stored(before string, stream []byte, behind string, end []byte) {
	kind, _ := peek(before)
	if kind != KindNotice && kind != KindForward || len(before)+len(stream)+len(behind)+len(end) > MaxEnvelope {
		in.invalid.Add(1)
		return
	}
	in.queues[QueueInbox].join(before, stream, behind, end)
}

// hello takes a probe: our own, or that of another process with our id.
func (in *intake) hello(m string) {
	var e Envelope
	if err := e.Decode([]byte(m)); err != nil {
		in.invalid.Add(1)
		return
	}
	if e.Fence == in.instance {
		in.heard(e.ID)
		return
	}
	now := time.Now()
	in.mu.Lock()
	tell := e.Fence != in.lastTwin || now.Sub(in.twinTold) >= twinEvery
	if tell {
		in.lastTwin, in.twinTold = e.Fence, now
	}
	in.mu.Unlock()
	if tell {
		in.twin(e.Fence)
	}
}

// state fills in what the intake counts.
func (in *intake) state(s *State) {
	for kind, q := range in.queues {
		s.Received[kind], s.Dropped[kind] = q.received.Load(), q.lost.Load()
	}
	s.Invalid, s.Unknown = in.invalid.Load(), in.unknown.Load()
}

// close waits for the handlers.
func (in *intake) close() {
	for _, q := range in.queues {
		q.close()
	}
}

// topics counts joins.
type topics struct {
	// Static.
	max int

	// Guarded by its bus's lock.
	count map[string]int
}

// join counts one more; first says that the topic must be listened to from now on.
func (t *topics) join(name string) (first bool, err error) {
	if name == "" || len(name) > MaxName || t.count[name] == 0 && len(t.count) >= t.max {
		return false, ErrTopics
	}
	t.count[name]++
	return t.count[name] == 1, nil
}

// leave counts one less; last says that nobody wants the topic any more.
func (t *topics) leave(name string) (last bool) {
	n := t.count[name]
	if n == 0 {
		return false
	}
	if n > 1 {
		t.count[name] = n - 1
		return false
	}
	delete(t.count, name)
	return true
}
