package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"roost/loadgen/plan"
	"roost/poller"
	"roost/server/wire"
	"roost/server/ws"
)

// Payload of a broadcast on the wire, size bytes in all:
//
//	prefix | round, 8 hex digits | filler | suffix
//
// prefix and suffix are what the server wraps around what was published. They
// are learned from a probe: a marker that is published first and looked for in
// what arrives.
const roundSize = 8

// warmRounds are the due times before anything is measured.
const warmRounds = 2

// dueRing is how many broadcasts may be on their way at once.
const dueRing = 1 << 14

// dues are the due times of rounds, for the loops to read: written before the
// round is published.
type dues [dueRing]atomic.Int64

func (d *dues) at(round uint32) *atomic.Int64 { return &d[round%dueRing] }

// receiver is the broadcast role of one loop.
type receiver struct {
	c       *client
	dues    *dues
	readers int

	// Probing.
	marker         []byte // nil when it is over
	probed         int
	prefix, suffix []byte

	// Receiving.
	tail    []byte // filler and suffix
	first   uint32 // round from which on latency is recorded
	rounds  []plan.Round
	fromDue *recorder

	duplicate, wrong uint64
}

func newReceiver(c *client, d *dues) *receiver {
	return &receiver{c: c, dues: d, first: math.MaxUint32, fromDue: newRecorder()}
}

func (r *receiver) ready(_ poller.Conn, st *connState) {
	if !st.slow {
		r.readers++
	}
}

func (r *receiver) turn() {}

func (r *receiver) deliver(*connState, *wire.Message) bool { return false }

// message takes a broadcast.
func (r *receiver) message(_ poller.Conn, st *connState, ev *ws.Event) bool {
	b := ev.Payload
	if r.tail == nil {
		return r.marker != nil && r.probe(b)
	}
	n := len(r.prefix)
	if len(b) < n || !bytes.Equal(b[:n], r.prefix) {
		return false
	}
	round, ok := parseHex(b[n:])
	if !ok || !bytes.Equal(b[n+roundSize:], r.tail) {
		r.wrong++
		return true
	}
	if st.window.Mark(round) != plan.Fresh {
		r.duplicate++
		return true
	}
	now := r.c.now()
	for int(round) >= len(r.rounds) {
		if round > dueRing<<8 { // no round of ours
			r.wrong++
			return true
		}
		r.rounds = append(r.rounds, plan.Round{})
	}
	r.rounds[round].Deliver(now)
	if round >= r.first {
		r.fromDue.record(now - r.dues.at(round).Load())
	}
	r.c.n.delivered.Add(1)
	if r.rounds[round].Count == r.readers {
		r.c.n.completed.Add(1)
		r.c.s.poke()
	}
	return true
}

// parseHex reads 8 hex digits, lower case.
func parseHex(b []byte) (v uint32, ok bool) {
	if len(b) < roundSize {
		return 0, false
	}
	for _, c := range b[:roundSize] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// probe looks for the marker and learns what is around it.
func (r *receiver) probe(b []byte) bool {
	prefix, suffix, ok := bytes.Cut(b, r.marker)
	if !ok {
		return false
	}
	if r.probed == 0 {
		r.prefix, r.suffix = bytes.Clone(prefix), bytes.Clone(suffix)
	} else if !bytes.Equal(prefix, r.prefix) || !bytes.Equal(suffix, r.suffix) {
		r.wrong++
	}
	r.probed++
	r.c.n.delivered.Add(1)
	if r.probed == r.readers {
		r.c.n.completed.Add(1)
		r.c.s.poke()
	}
	return true
}

// completed reports how many rounds all readers of all loops have got.
func (s *swarm) completed() uint64 {
	least := ^uint64(0)
	for _, c := range s.clients {
		if c.n.readers.Load() > 0 {
			least = min(least, c.n.completed.Load())
		}
	}
	return least
}

func deliveredOf(n *counters) uint64 { return n.delivered.Load() }

// awaitRounds waits until n rounds, the probe included, have reached everybody,
// or nothing more comes.
func (s *swarm) awaitRounds(ctx context.Context, n uint64) error {
	return s.await(ctx, s.opt.Patience, func() uint64 { return s.sum(deliveredOf) },
		func() bool { return s.completed() >= n })
}

// learnWrapper publishes the probe, and returns a frame's content to publish:
// the round and filler that make the frame's payload Size bytes.
func (s *swarm) learnWrapper(ctx context.Context, b backend) (content []byte, wrapper int, err error) {
	marker := fmt.Appendf(nil, "roostprobe%016x", rand.Uint64())
	s.each(func(c *client) { c.role.(*receiver).marker = marker })
	if err := b.publish(ctx, marker); err != nil {
		return nil, 0, err
	}
	err = s.awaitRounds(ctx, 1)
	if errors.Is(err, errPatience) {
		return nil, 0, fmt.Errorf("probe broadcast: %d of %d connections got it", s.sum(deliveredOf), s.sum(readersOf))
	} else if err != nil {
		return nil, 0, err
	}
	receivers := make([]*receiver, len(s.clients))
	s.each(func(c *client) { receivers[c.l.Index()] = c.role.(*receiver) })
	model := receivers[max(slices.IndexFunc(receivers, func(r *receiver) bool { return r.probed > 0 }), 0)]
	prefix, suffix := model.prefix, model.suffix
	wrapper = len(prefix) + len(suffix)
	if s.opt.Size < wrapper+roundSize {
		return nil, wrapper, fmt.Errorf("size is %d: the server wraps %d bytes around a message of at least %d", s.opt.Size, wrapper, roundSize)
	}
	content = append(make([]byte, roundSize), filler(s.opt.Size-wrapper-roundSize)...)
	tail := append(bytes.Clone(content[roundSize:]), suffix...)
	s.each(func(c *client) {
		r := c.role.(*receiver)
		if r.probed > 0 && (!bytes.Equal(r.prefix, prefix) || !bytes.Equal(r.suffix, suffix)) {
			r.wrong++
		}
		r.marker, r.tail, r.prefix = nil, tail, prefix
	})
	return content, wrapper, nil
}

func readersOf(n *counters) uint64 { return n.readers.Load() }

// broadcast publishes and measures.
func (s *swarm) broadcast(ctx context.Context, b backend) (*Broadcast, []string, error) {
	opt := s.opt
	content, wrapper, err := s.learnWrapper(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	p := newPublisher(s, b, content)
	defer p.close()
	if err := p.warmUp(ctx); err != nil {
		return nil, nil, err
	}
	first := p.next
	s.each(func(c *client) {
		r := c.role.(*receiver)
		r.first = first
		r.rounds = append(make([]plan.Round, 0, p.planned()+int(first)+1024), r.rounds...)
	})
	r := &Broadcast{Open: opt.Rate > 0, Rate: opt.Rate, Burst: opt.Burst, Size: opt.Size, Wrapper: wrapper,
		Readers: int(s.sum(readersOf))}
	before := s.read()
	if r.Open {
		err = p.open(ctx)
		r.Planned = p.planned()
		if err != nil {
			r.Planned = int(p.next - first) // interrupted
		}
	} else {
		err = p.closed(ctx)
	}
	interrupted := ctx.Err()
	if !errors.Is(err, errPatience) {
		// What is under way is waited for even when interrupted.
		err = s.awaitRounds(context.WithoutCancel(ctx), uint64(p.published())+1)
	}
	if err != nil && !errors.Is(err, errPatience) {
		return nil, nil, err
	}
	r.Work = s.read().since(before)
	bound := s.finishBroadcast(r, p, first)
	return r, bound, interrupted
}
