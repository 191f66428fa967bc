package server

import (
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/wire"
	"roost/server/ws"
)

// walkSlice is how many connections a walk serves before the loop looks at other
// events: about 2 ms.
const walkSlice = 256

// maxSpreads bounds the kept broadcasts that walk at the same time: each holds 8
// bytes for every connection that it has yet to visit.
const maxSpreads = 256

// walk visits the connections of a topic, or all, on one loop, a slice at a
// time, at most so many a second if it is paced.
type walk struct {
	h     *handler
	todo  []poller.Handle
	pace  int // connections a second, 0: no limit
	visit func(c poller.Conn)
	done  func()
}

// startWalk begins a walk on its loop. Who connects later is not on it.
func (h *handler) startWalk(topic string, pace int, visit func(c poller.Conn), done func()) {
	w := &walk{h: h, pace: pace, visit: visit, done: done}
	add := func(c poller.Conn) bool {
		if h.conns.At(c.Slot()).kind == kindDevice {
			w.todo = append(w.todo, c.Handle())
		}
		return true
	}
	if topic == "" {
		w.todo = make([]poller.Handle, 0, h.l.Conns())
		h.l.Each(add)
	} else if t := h.topics.byName[topic]; t != nil {
		t.group.Each(h.l, add)
	}
	w.Run(h.l)
}

// Run serves one slice.
func (w *walk) Run(l *poller.Loop) {
	n := min(walkSlice, len(w.todo))
	wait := time.Duration(0)
	if w.pace > 0 {
		// In steps of 10 ms, or as long as one connection takes.
		n = min(n, max(1, w.pace/100))
		wait = time.Duration(n) * time.Second / time.Duration(w.pace)
	}
	for _, c := range w.todo[:n] {
		w.visit(l.Conn(c))
	}
	w.todo = w.todo[n:]
	switch {
	case len(w.todo) == 0:
		w.done()
	case w.h.s.closing.Load():
		w.done()
	case wait > 0:
		time.AfterFunc(wait, func() { w.again(l) })
	default:
		w.again(l)
	}
}

// again posts the rest of the walk.
func (w *walk) again(l *poller.Loop) {
	if !l.Post(w) {
		// The loop is full of tasks, or over. What is kept it finds by itself.
		w.h.missed.Store(true)
		w.done()
	}
}

// spread is a stored message on its way to many.
type spread struct {
	s     *Server
	op    *inbox.Spread
	shape wire.Shape
	tails [wire.Formats][]byte

	left            atomic.Int32 // loops under way
	written, queued atomic.Int64
	done            chan struct{}
}

// startSpread takes a committed message to the connected ones of its receivers.
func (s *Server) startSpread(op *inbox.Spread, pace int) *spread {
	m := &wire.Message{Seq: 1, TTL: uint64(op.Message.TTL), ID: op.Message.ID, Channel: op.Message.Channel,
		Payload: op.Message.Payload, Raw: op.Message.Raw}
	p := &spread{s: s, op: op, shape: m.Shape(), done: make(chan struct{})}
	for f := range wire.Formats {
		p.tails[f] = wire.AppendMessageTail(nil, f, m)
	}
	p.left.Store(int32(len(s.handlers)))
	if s.spreads.Add(1) > maxSpreads {
		// Stored it is: the loops find it by themselves, within a second.
		for _, h := range s.handlers {
			h.missed.Store(true)
			p.finish()
		}
		return p
	}
	for _, h := range s.handlers {
		start := poller.TaskFunc(func(*poller.Loop) {
			send := p.send(h) // once a loop, not once a receiver
			h.startWalk(op.Topic, s.paceOfLoop(pace), func(c poller.Conn) { p.visit(h, c, send) }, p.finish)
		})
		if !h.l.Post(start) {
			h.missed.Store(true)
			p.finish()
		}
	}
	return p
}

// paceOfLoop is a loop's share of a pace.
func (s *Server) paceOfLoop(pace int) int { return (pace + len(s.handlers) - 1) / len(s.handlers) }

// visit offers the message to one connection.
func (p *spread) visit(h *handler, c poller.Conn, send func(delivery.Conn, uint64) delivery.Result) {
	switch h.lane.OfferBody(delivery.Conn(c.Handle()), p.op.Body, send) {
	case delivery.Written:
		p.written.Add(1)
	case delivery.Queued:
		p.queued.Add(1)
	}
}

// send returns what sends the message as number seq: a head of its own and the
// tail that all share, in one writev. It is not compressed: every head differs.
func (p *spread) send(h *handler) func(c delivery.Conn, seq uint64) delivery.Result {
	return func(c delivery.Conn, seq uint64) delivery.Result {
		pc := h.l.Conn(poller.Handle(c))
		f, _ := splitVariant(h.conns.At(pc.Slot()).variant)
		h.text = wire.AppendMessageHead(h.text[:0], f, p.shape, seq)
		h.frame = ws.AppendHeader(h.frame[:0], ws.Header{Fin: true, OpCode: opcodes[f], Length: int64(len(h.text) + len(p.tails[f]))})
		h.frame = append(h.frame, h.text...)
		return sent(&h.n.keptSent, pc.WriteParts(h.frame, p.tails[f]))
	}
}

func (p *spread) finish() {
	if p.left.Add(-1) == 0 {
		p.s.spreads.Add(-1)
		close(p.done)
	}
}
