package loadgen

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"roost/loadgen/plan"
	"roost/poller"
	"roost/server/wire"
	"roost/server/ws"
)

// stampSize is the number at the begin of an echo message: that of the
// connection and that of the message, 8 hex digits each.
const stampSize = 16

// lateGrace is how long after the end of an open loop, in ns, messages are sent
// that are late. Whoever is further behind is client-bound anyway.
const lateGrace = int64(500 * time.Millisecond)

// stamp is when a message under way was due and when it was sent.
type stamp struct{ due, sent int64 }

// echoer is the echo role of one loop. Message i of an open loop goes to loop
// i mod loops and there to one connection after the other.
type echoer struct {
	c       *client
	payload []byte          // template of what is sent and of what has to come back
	conns   []poller.Handle // by order of becoming ready
	index   []int32         // by number of the connection on this loop: where in stamps
	stamps  []stamp         // inflight per connection, by number of the message

	// The plan: static while load is on.
	running    bool
	schedule   plan.Schedule // of this loop; rate 0 is a closed loop
	start      int64
	from, till int64 // due times that are measured
	next       int   // open loop: number of the next message of this loop
	full       int   // next + 1 when that found its connection's window full

	due, sent, late *recorder
	inTime          int // measured messages that were sent before till
	tooLate         int // measured messages sent later than plan.MaxLateness
	outstanding     int
}

func newEchoer(c *client) *echoer {
	return &echoer{c: c, payload: filler(c.s.opt.Size), due: newRecorder(), sent: newRecorder(), late: newRecorder()}
}

// filler returns n bytes of text that tell when they got shifted.
func filler(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte('a' + (i*7+i/26)%26)
	}
	return p
}

// putHex writes v as 8 hex digits.
func putHex(b []byte, v uint32) {
	const digits = "0123456789abcdef"
	for i := range 8 {
		b[i] = digits[v>>(28-4*i)&15]
	}
}

func (e *echoer) ready(pc poller.Conn, st *connState) {
	if st.slow {
		return
	}
	local := int(st.id) / len(e.c.s.clients)
	for len(e.index) <= local {
		e.index = append(e.index, -1)
	}
	e.index[local] = int32(len(e.conns))
	e.conns = append(e.conns, pc.Handle())
}

// begin starts the load on this loop.
func (e *echoer) begin(start, from, till int64, rate float64) {
	e.stamps = make([]stamp, len(e.conns)*e.c.s.opt.Inflight)
	e.start, e.from, e.till = start, from, till
	e.schedule.Rate = rate
	e.running = true
	if rate > 0 {
		return // turn sends
	}
	e.c.n.finished.Store(1) // no more than is answered
	for _, h := range e.conns {
		for range e.c.s.opt.Inflight {
			now := e.c.now()
			e.send(e.c.l.Conn(h), e.c.conns.At(h.Slot()), now, now)
		}
	}
}

func (e *echoer) deliver(*connState, *wire.Message) bool { return false }

// turn sends what an open loop has due.
func (e *echoer) turn() {
	if !e.running || e.schedule.Rate == 0 {
		return
	}
	for {
		due, now := e.start+int64(e.schedule.Due(e.next)), e.c.now()
		if len(e.conns) == 0 {
			due = e.till // nobody to send for
		}
		if due >= e.till || now >= e.till+lateGrace {
			if e.c.n.finished.CompareAndSwap(0, 1) {
				e.c.s.poke()
			}
			return
		}
		if due > now {
			return
		}
		h := e.conns[e.next%len(e.conns)]
		pc, st := e.c.l.Conn(h), e.c.conns.At(h.Slot())
		if pc.Alive() && int(st.sent-st.got) >= e.c.s.opt.Inflight {
			if e.full != e.next+1 { // counted once
				e.full = e.next + 1
				e.c.n.windowFull.Add(1)
			}
			return // it stays due; its latency goes on counting
		}
		e.next++
		if !pc.Alive() {
			continue
		}
		e.send(pc, st, due, now)
		if due >= e.from {
			e.late.record(now - due)
			if now <= e.till {
				e.inTime++
			}
			if now-due > int64(plan.MaxLateness) {
				e.tooLate++
			}
		}
	}
}

// send sends the next message of a connection.
func (e *echoer) send(pc poller.Conn, st *connState, due, now int64) {
	putHex(e.payload, st.id)
	putHex(e.payload[8:], st.sent)
	c := e.c
	c.out = ws.AppendMasked(c.out[:0], ws.OpText, c.mask(), e.payload)
	if pc.Write(c.out, poller.Reliable) >= poller.Full {
		return // closed; counted there
	}
	e.at(st, st.sent).due, e.at(st, st.sent).sent = due, now
	st.sent++
	e.outstanding++
	c.n.sent.Add(1)
}

// at returns the stamp of message number seq of a connection.
func (e *echoer) at(st *connState, seq uint32) *stamp {
	window := e.c.s.opt.Inflight
	base := int(e.index[int(st.id)/len(e.c.s.clients)]) * window
	return &e.stamps[base+int(seq)%window]
}

// message takes an answer, which has to be the oldest message under way.
func (e *echoer) message(pc poller.Conn, st *connState, ev *ws.Event) bool {
	if !e.running || st.got == st.sent {
		return false
	}
	now := e.c.now()
	putHex(e.payload, st.id)
	putHex(e.payload[8:], st.got)
	if ev.Kind != ws.Text || !bytes.Equal(ev.Payload, e.payload) {
		e.c.n.wrong.Add(1)
	}
	at := e.at(st, st.got)
	if at.due >= e.from && at.due < e.till {
		e.due.record(now - at.due)
		e.sent.record(now - at.sent)
	}
	st.got++
	e.outstanding--
	if e.schedule.Rate == 0 && now < e.till {
		e.send(pc, st, now, now)
	}
	e.c.n.received.Add(1) // behind the send, or for a moment all would seem answered
	if e.outstanding == 0 && now >= e.till {
		e.c.s.poke()
	}
	return true
}

// echo puts echo load on all connections and measures it.
func (s *swarm) echo(ctx context.Context) (*Echo, []string, error) {
	opt := s.opt
	start := s.clock.now() + int64(pacePeriod)
	from := start + int64(opt.Warmup)
	till := from + int64(opt.Hold)
	s.each(func(c *client) { c.role.(*echoer).begin(start, from, till, opt.Rate/float64(len(s.clients))) })
	stop := s.pace(opt.Rate > 0 && !opt.Spin, pacePeriod, func(c *client) { c.role.turn() })
	defer stop()

	var meters [2]meter
	var sent, received [2]uint64
	var interrupted error
	for i, at := range []int64{from, till} {
		if interrupted = s.clock.sleepUntil(ctx, at); interrupted != nil {
			till = max(s.clock.now(), from)
			s.each(func(c *client) { c.role.(*echoer).till = till })
		}
		meters[i], sent[i], received[i] = s.read(), s.sum(sentOf), s.sum(receivedOf)
	}
	// What is under way is waited for even then.
	if err := s.await(context.WithoutCancel(ctx), opt.Patience, func() uint64 { return s.sum(receivedOf) },
		s.answered); err != nil && !errors.Is(err, errPatience) {
		return nil, nil, err
	}
	r := &Echo{Open: opt.Rate > 0, Rate: opt.Rate, Size: opt.Size, Inflight: opt.Inflight,
		Sent: sent[1] - sent[0], Received: received[1] - received[0], TotalSent: s.sum(sentOf),
		Wrong:      s.sum(func(n *counters) uint64 { return n.wrong.Load() }),
		WindowFull: s.sum(func(n *counters) uint64 { return n.windowFull.Load() }),
		Work:       meters[1].since(meters[0])}
	r.Lost = r.TotalSent - s.sum(receivedOf)
	bound := s.finishEcho(r, time.Duration(till-from))
	return r, bound, interrupted
}

// answered reports whether everything was sent and has come back. What has come
// back is read first: what is sent in between must not look answered.
func (s *swarm) answered() bool {
	return s.sum(func(n *counters) uint64 { return n.finished.Load() }) == uint64(len(s.clients)) &&
		s.sum(receivedOf) == s.sum(sentOf)
}

func sentOf(n *counters) uint64     { return n.sent.Load() }
func receivedOf(n *counters) uint64 { return n.received.Load() }

// finishEcho joins what the loops have recorded over the time held and derives
// the rest.
func (s *swarm) finishEcho(r *Echo, held time.Duration) (bound []string) {
	due, sent, late := newRecorder(), newRecorder(), newRecorder()
	effort := plan.Effort{Loops: len(s.clients), Spin: s.opt.Spin,
		Cores: float64(r.Work.ClientCPU) / float64(r.Work.Wall)}
	var collecting sync.Mutex
	s.each(func(c *client) {
		e := c.role.(*echoer)
		e.running = false
		collecting.Lock()
		defer collecting.Unlock()
		due.merge(e.due)
		sent.merge(e.sent)
		late.merge(e.late)
		effort.Sent += e.inTime
		effort.TooLate += e.tooLate
	})
	r.FromDue, r.FromSent, r.Late = due.latency(), sent.latency(), late.latency()
	if r.Open {
		total := plan.Schedule{Rate: r.Rate}
		effort.Planned = total.Count(s.opt.Warmup+held) - total.Count(s.opt.Warmup)
		r.Planned = effort.Planned
	}
	n := float64(r.Received)
	r.PerSecond = n / (float64(r.Work.Wall) / 1e9)
	r.ServerMicros, r.ServerSumMicros = per(r.Work.ServerCPU, n), per(r.Work.serverSum(), n)
	r.ClientMicros = per(r.Work.ClientCPU, n)
	return effort.ClientBound()
}
