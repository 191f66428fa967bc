package faultserver

import (
	"errors"
	"time"

	"roost/loadgen/tally"
	"roost/poller"
	"roost/server/ws"
)

// connState is where a connection is.
//
//	head --upgrade--> waiting --answer--> open
//	  |                                    |
//	  +-- request, answer (kept alive)     +--> closed, by whoever
type connState uint8

const (
	stateHead    connState = iota // HTTP
	stateWaiting                  // for the answer to its upgrade, which may never come
	stateOpen                     // WebSocket
)

// conn is what is known of a connection.
type conn struct {
	state    connState
	all      bool       // what it sends goes to all
	messages int        // that it has sent
	parser   *ws.Parser // of a message that is cut; nil: none is
	held     []byte     // frame that goes out behind the next one; nil: none
	heldAs   uint64     // number of the delivery
}

// handler does everything. It belongs to the loop.
type handler struct {
	b      Faults
	plain  bool // nothing happens to deliveries
	began  time.Time
	l      *poller.Loop
	agenda agenda
	conns  poller.Slab[conn]
	open   int // connections

	cfg     ws.Config
	scratch *ws.Parser
	req     ws.Request
	out     []byte // frames that are put together

	truth  Truth
	delay  *tally.Hist // that there was in fact
	accept *tally.Hist
}

func newHandler(l *poller.Loop, b Faults) *handler {
	h := &handler{b: b, plain: b.none(), began: time.Now(), l: l, scratch: &ws.Parser{}, delay: tally.NewHist(), accept: tally.NewHist()}
	h.cfg = ws.Config{Role: ws.Server, Limits: ws.Limits{Frame: maxPartial, Message: maxPartial}, Buffers: l.Buffers()}
	h.truth.Faults = b.String()
	todo := poller.TaskFunc(func(*poller.Loop) { h.doDue() })
	h.agenda.alarm = newAlarm(h.began, func() { l.Post(todo) })
	return h
}

func (h *handler) now() time.Duration { return time.Since(h.began) }

// Open is for poller.Handler.
func (h *handler) Open(c poller.Conn) { *h.conns.At(c.Slot()) = conn{} }

// Data is for poller.Handler.
func (h *handler) Data(c poller.Conn, b []byte) int {
	st := h.conns.At(c.Slot())
	switch st.state {
	case stateHead:
		return h.head(c, st, b)
	case stateOpen:
		return h.frames(c, st, b)
	default: // it talks before it was answered
		return 0
	}
}

// Drained is for poller.Handler.
func (h *handler) Drained(poller.Conn) {}

// Timeout is for poller.Handler.
func (h *handler) Timeout(poller.Conn) {}

// Closed is for poller.Handler.
func (h *handler) Closed(c poller.Conn, _ error) {
	st := h.conns.At(c.Slot())
	if st.state == stateOpen {
		h.open--
	}
	if st.parser != nil {
		st.parser.Release()
	}
	*st = conn{}
}

// Why connections end.
var (
	errPeer   = errors.New("faultserver: the peer closes, or breaks a rule")
	errMeant  = errors.New("faultserver: it is the behaviour")
	errAnswer = errors.New("faultserver: answered")
)

// frames takes what an open connection sends.
func (h *handler) frames(c poller.Conn, st *conn, b []byte) (consumed int) {
	p := st.parser
	if p == nil {
		p = h.scratch
		p.Reset(&h.cfg)
	}
	h.out = h.out[:0]
	echoed := 0
	for consumed < len(b) {
		ev, n, err := p.Next(b[consumed:])
		consumed += n
		if err != nil {
			h.farewell(c, ws.AppendClose(nil, ws.CloseFor(err), err.Error()))
			break
		}
		if ev.Kind == ws.Close {
			h.farewell(c, ws.AppendClose(nil, ws.CloseEcho(ev), ""))
			break
		}
		if ev.Kind == ws.Ping {
			c.Write(ws.AppendFrame(nil, ws.OpPong, ev.Payload), poller.Control)
		}
		if ev.Kind != ws.Text && ev.Kind != ws.Binary {
			continue
		}
		op := ws.OpText
		if ev.Kind == ws.Binary {
			op = ws.OpBinary
		}
		st.messages++
		if h.plain && !st.all {
			h.received()
			h.out = ws.AppendFrame(h.out, op, ev.Payload)
			echoed++
		} else {
			h.message(c, st, op, ev.Payload)
		}
		if st.messages == h.b.StopReading {
			c.Pause()
			break
		}
	}
	h.keep(st, p)
	if echoed > 0 {
		h.count(c.WriteJoined(h.out, poller.Reliable, echoed), uint64(echoed))
	}
	return consumed
}

// keep leaves a parser that is in the middle of something to its connection.
func (h *handler) keep(st *conn, p *ws.Parser) {
	idle := p.Idle()
	switch {
	case idle && st.parser != nil:
		p.Release()
		st.parser = nil
	case !idle && st.parser == nil:
		st.parser, h.scratch = p, &ws.Parser{}
	}
}

// farewell ends a connection in order.
func (h *handler) farewell(c poller.Conn, frame []byte) {
	c.Write(frame, poller.Control)
	c.Finish(errPeer)
}

// received counts a message, and begins what the first one begins.
func (h *handler) received() {
	if h.truth.Received == 0 && h.b.FreezeLength > 0 {
		h.agenda.add(item{at: h.now() + h.b.FreezeAt, task: taskFreeze})
	}
	h.truth.Received++
}

// message takes a message that a client has sent.
func (h *handler) message(c poller.Conn, st *conn, op ws.OpCode, payload []byte) {
	h.received()
	if st.all {
		h.toAll(op, payload)
		return
	}
	h.deliver(c, st, op, payload)
}

// variant is the one form of a message.
const variant = 1

// toAll delivers a message to every open connection.
func (h *handler) toAll(op ws.OpCode, payload []byte) {
	if !h.plain {
		h.l.Each(func(c poller.Conn) bool {
			if st := h.conns.At(c.Slot()); st.state == stateOpen {
				h.deliver(c, st, op, payload)
			}
			return true
		})
		return
	}
	cast := poller.Cast{Class: poller.Reliable, Done: func(r poller.CastResult) {
		h.truth.Delivered += uint64(r.Written + r.Queued)
		h.truth.Overflowed += uint64(r.Dropped)
	}}
	cast.Frames[variant] = ws.AppendFrame(nil, op, payload)
	h.truth.Due += uint64(h.open)
	if !h.l.Cast(cast) {
		h.truth.Overflowed += uint64(h.open)
	}
}

// count counts n deliveries of one write on a connection that has no faults.
func (h *handler) count(r poller.Result, n uint64) {
	h.truth.Due += n
	if r == poller.Written || r == poller.Queued {
		h.truth.Delivered += n
	} else {
		h.truth.Overflowed += n
	}
}

// report is what was done so far.
func (h *handler) report() Truth {
	t := h.truth
	t.Connected = h.open
	t.DelayP50, t.DelayP99, t.AcceptP50 = h.delay.Quantile(.5), h.delay.Quantile(.99), h.accept.Quantile(.5)
	return t
}
