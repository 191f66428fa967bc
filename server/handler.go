package server

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/presence"
	"roost/server/wire"
	"roost/server/ws"
)

const (
	// clockTick is the unit of connState.since and last.
	clockTick = 100 * time.Millisecond

	// deviceFlush and echoFlush are how many bytes of replies to one read are
	// joined into one send. A device's must fit poller.DefaultLimits'
	// ControlBytes, so that they can wait beside a full queue.
	deviceFlush = 2 << 10
	echoFlush   = 32 << 10

	// keepOut is the largest reply buffer that a loop keeps.
	keepOut = 256 << 10
)

// Queue bounds by connection kind, indexes of poller.Options.Limits.
const (
	limitDevice = iota
	limitEcho
)

var queueLimits = []poller.Limits{
	// A device that does not read still gets the results of what it has asked:
	// up to maxAnswers of them, at most 150 bytes each, after its input is paused.
	limitDevice: {Messages: poller.DefaultLimits.Messages, Bytes: poller.DefaultLimits.Bytes,
		Control: poller.DefaultLimits.Control + maxAnswers, ControlBytes: poller.DefaultLimits.ControlBytes + maxAnswers*150},
	// An echo connection stops reading while a reply waits, so what waits is
	// the replies to one read, or one reply of the largest size.
	limitEcho: {Messages: 1 << 20, Bytes: maxEcho + 2*echoFlush + ws.MaxHeader, Control: 64, ControlBytes: 16 << 10},
}

// handler serves the connections of one loop. Everything in it belongs to that
// loop, n excepted.
type handler struct {
	s *Server
	l *poller.Loop
	n loopCounters // written here, read anywhere

	conns poller.Slab[connState]
	far   poller.Slab[farAddr] // clients' addresses, where there are proxies

	// Parsing: one parser serves every connection that is between messages;
	// one that is in the middle of a message keeps the parser it has.
	configs     [2][2]ws.Config // by kind (device, echo) and compression
	spare       *ws.Parser
	parsers     []*ws.Parser
	cutAt       []uint32 // when the message in each began, ticks of clockTick
	freeParsers []uint32

	// Scratch, valid within one call.
	req     ws.Request
	up      wire.Up
	out     []byte // replies to what is being read
	frames  int    // messages in out
	frame   []byte // a message on its way to the socket
	query   []byte // decoded parameters of a request
	asked   connectQuery
	session delivery.Session
	text    []byte
	sid     []byte
	id      []byte // of a device
	whole   bool   // nothing came behind the request that is being answered
	bye     uint16 // close code of the device that is being answered, 0 for none

	openings map[poller.Handle]*opening // whose door has not answered

	deflater ws.Deflater
	topics   topics
	lane     *delivery.Lane
	missed   atomic.Bool // set by anyone: a task could not be posted

	leaving int           // connections when a drain began, at least 1; 0: there is none
	last    int           // devices that have come since
	until   time.Duration // when its last slot is, in the loop's time
	sids    *rand.ChaCha8
}

// loopCounters count what one loop has seen.
type loopCounters struct {
	messagesIn, bytesIn atomic.Uint64 // whole messages and their payload bytes
	keptSent, skips     atomic.Uint64 // kept messages and skips given to sockets, repeats included
	flows               atomic.Int64  // of the lane, as of its last tick
	heartbeats, pings   atomic.Uint64
	ups                 atomic.Uint64 // messages to the backend
	upgraded, refused   atomic.Uint64
	upgradeTimeouts     atomic.Uint64
	kinds               [kindOver + 1]atomic.Int64
	_                   [64]byte
}

// newHandler makes the handler of one loop.
func newHandler(s *Server, l *poller.Loop, seed [32]byte) *handler {
	h := &handler{s: s, l: l, spare: new(ws.Parser), openings: map[poller.Handle]*opening{}, topics: newTopics(), sids: rand.NewChaCha8(seed),
		query: make([]byte, 0, 1024)}
	h.lane = s.hub.NewLane(h)
	inflater := new(ws.Inflater)
	limits := [2]ws.Limits{
		{Frame: maxInbound, Message: maxInbound, Inflated: maxInbound},
		{Frame: maxEcho, Message: maxEcho, Inflated: maxEcho},
	}
	for kind, lim := range limits {
		for deflate := range 2 {
			h.configs[kind][deflate] = ws.Config{Role: ws.Server, Limits: lim, Deflate: deflate == 1,
				Buffers: l.Buffers(), Inflater: inflater}
		}
	}
	return h
}

// now returns the loop's time in ticks of clockTick, at least 1.
func (h *handler) now() uint32 { return uint32(h.l.Now()/clockTick) + 1 }

// Open starts the time that a connection has for its upgrade.
func (h *handler) Open(c poller.Conn) {
	*h.conns.At(c.Slot()) = connState{kind: kindHandshake, since: h.now(), last: h.now()}
	h.n.kinds[kindHandshake].Add(1)
	c.SetDeadline(h.s.opt.timing.upgrade)
}

// become changes what a connection is used for.
func (h *handler) become(st *connState, kind connKind) {
	h.n.kinds[st.kind].Add(-1)
	h.n.kinds[kind].Add(1)
	st.kind = kind
}

// Data takes what a connection has sent.
func (h *handler) Data(c poller.Conn, b []byte) int {
	st := h.conns.At(c.Slot())
	st.last = h.now()
	n := 0
	if st.kind == kindHandshake {
		if n = h.begin(c, st, b); n == 0 || n == len(b) || st.kind == kindOpening {
			return n
		}
	}
	if st.kind == kindDevice || st.kind == kindEcho {
		return n + h.messages(c, st, b[n:])
	}
	return len(b)
}

// messages takes WebSocket frames and answers them, with one send for the
// answers to one read.
func (h *handler) messages(c poller.Conn, st *connState, b []byte) (n int) {
	p := h.parserOf(st)
	h.out, h.frames = h.out[:0], 0
	flush := deviceFlush
	if st.kind == kindEcho {
		flush = echoFlush
	}
	for n < len(b) && !st.is(flagPaused) && st.kind != kindOver {
		ev, k, err := p.Next(b[n:])
		n += k
		if err != nil {
			h.protocolError(c, st, err)
			break
		}
		switch {
		case ev.Kind == ws.Short:
		case ev.Kind == ws.Text || ev.Kind == ws.Binary:
			h.n.messagesIn.Add(1)
			h.n.bytesIn.Add(uint64(len(ev.Payload)))
			if st.kind == kindEcho {
				h.echo(st, &ev)
			} else {
				h.deviceMessage(c, st, &ev)
			}
		default:
			h.control(c, st, &ev)
		}
		if len(h.out) >= flush {
			h.flush(c, st)
		}
	}
	h.flush(c, st)
	h.keepParser(c, st, p)
	return n
}

// control answers a ping or close frame.
func (h *handler) control(c poller.Conn, st *connState, ev *ws.Event) {
	switch ev.Kind {
	case ws.Ping:
		h.n.pings.Add(1)
		h.out = ws.AppendFrame(h.out, ws.OpPong, ev.Payload)
		h.frames++
	case ws.Close:
		h.out = ws.AppendClose(h.out, ws.CloseEcho(*ev), "")
		h.bye = uint16(ev.Code)
		h.over(c, st, io.EOF)
		h.bye = 0
	}
}

// flush sends the replies. When the socket does not take them all, reading
// stops until it has: a peer that does not read gets to send no more.
func (h *handler) flush(c poller.Conn, st *connState) {
	if len(h.out) == 0 {
		return
	}
	class := poller.Control
	if st.kind == kindEcho {
		class = poller.Reliable
	}
	var r poller.Result
	if len(h.out) > keepOut {
		r = c.WriteShared(h.out, class) // the queue may keep it: it is given away
		h.out = nil
	} else {
		r = c.WriteJoined(h.out, class, h.frames)
	}
	h.out, h.frames = h.out[:0], 0
	switch r {
	case poller.Queued:
		if st.kind != kindOver && !st.is(flagPaused) {
			st.set(flagPaused, true)
			c.Pause()
		}
	case poller.Full:
		c.Close(poller.ErrSlow) // its output is at the bound, and it asks for more
	}
}

// Drained goes on reading.
func (h *handler) Drained(c poller.Conn) {
	st := h.conns.At(c.Slot())
	if st.is(flagPaused) {
		st.set(flagPaused, false)
		c.Resume()
	}
	if st.kind == kindDevice {
		h.settleLatest(c, st)
		h.lane.Drained(&st.peer)
	}
}

// Timeout ends what took too long, or looks again later.
func (h *handler) Timeout(c poller.Conn) {
	st := h.conns.At(c.Slot())
	switch st.kind {
	case kindHandshake:
		h.n.upgradeTimeouts.Add(1)
		h.answer(c, st, errUpgradeTimeout)
	case kindOpening:
		h.abandon(c.Handle())
		h.answer(c, st, errDoors) // what its door has found is given back
	case kindDevice, kindEcho:
		h.lookAgain(c, st)
	}
}

// lookAgain closes a connection that has been silent for too long or has left a
// message unfinished for too long, and otherwise comes back when that may be.
func (h *handler) lookAgain(c poller.Conn, st *connState) {
	left := h.patience(st) - time.Duration(h.now()-st.last)*clockTick
	if left <= 0 {
		h.close(c, st, CloseHeartbeat, "no heartbeat")
		return
	}
	if st.parser != 0 {
		cut := h.s.opt.timing.message - time.Duration(h.now()-h.cutAt[st.parser-1])*clockTick
		if cut <= 0 {
			h.close(c, st, CloseHeartbeat, "message not finished in time")
			return
		}
		left = min(left, cut)
	}
	c.SetDeadline(left)
}

// patience is how long a connection may be silent: one and a half heartbeats,
// so that one may be lost.
func (h *handler) patience(st *connState) time.Duration {
	if st.kind == kindEcho {
		return h.s.opt.timing.echo
	}
	return time.Duration(st.hb) * h.s.opt.timing.heartbeat * 3 / 2
}

// Closed forgets the connection.
func (h *handler) Closed(c poller.Conn, why error) {
	st := h.conns.At(c.Slot())
	h.abandon(c.Handle())
	h.n.kinds[st.kind].Add(-1)
	if st.kind != kindHandshake && st.kind != kindOpening && st.parser != 0 {
		h.dropParser(st)
	}
	code := st.code
	if errors.Is(why, poller.ErrSlow) {
		code = uint16(CloseSlow)
	}
	reason := code
	if errors.Is(why, poller.ErrStopped) {
		reason = uint16(presence.Shutdown)
	}
	h.leave(c, st, reason)
	h.s.closes.count(code)
	*st = connState{}
}

// leave takes the device of a connection out of registry and topics. code is that with
// which the connection ends or another reason of presence, 0 for none.
func (h *handler) leave(c poller.Conn, st *connState, code uint16) {
	if st.peer.Ref != 0 {
		h.s.gone(st.peer.Ref, c.Handle(), int(st.code))
		h.s.left.Add(1)
		if st.is(flagLast) {
			h.last--
		}
		if h.s.cluster != nil {
			h.s.cluster.left(st, max(code, h.bye))
		}
	}
	h.lane.End(&st.peer)
	if st.variant != 0 {
		h.s.receivers[st.variant].Add(-1)
		h.s.open.Add(-1)
		st.variant = 0
	}
	h.topics.unsubscribeAll(h, st)
}

// parserOf returns the parser for the connection's next bytes.
func (h *handler) parserOf(st *connState) *ws.Parser {
	if st.parser != 0 {
		return h.parsers[st.parser-1]
	}
	_, bits := 0, 0
	if st.variant != 0 {
		_, bits = splitVariant(st.variant)
	}
	h.spare.Reset(&h.configs[st.kind-kindDevice][min(bits, 1)])
	return h.spare
}

// keepParser leaves the parser with the connection if a message is cut, and
// takes it back otherwise.
func (h *handler) keepParser(c poller.Conn, st *connState, p *ws.Parser) {
	if p.Idle() {
		p.Release()
		if st.parser != 0 {
			h.dropParser(st)
		}
		return
	}
	if st.parser != 0 {
		return
	}
	if st.kind == kindOver {
		p.Release()
		return
	}
	if n := len(h.freeParsers); n > 0 {
		i := h.freeParsers[n-1]
		h.freeParsers = h.freeParsers[:n-1]
		h.parsers[i], h.spare = p, h.parsers[i]
		st.parser = i + 1
	} else {
		h.spare = new(ws.Parser)
		h.parsers = append(h.parsers, p)
		h.cutAt = append(h.cutAt, 0)
		st.parser = uint32(len(h.parsers))
	}
	h.cutAt[st.parser-1] = h.now()
	c.SetDeadline(min(h.s.opt.timing.message, h.patience(st)))
}

// dropParser takes the connection's parser back.
func (h *handler) dropParser(st *connState) {
	i := st.parser - 1
	st.parser = 0
	h.parsers[i].Release()
	h.freeParsers = append(h.freeParsers, i)
	if len(h.freeParsers) == len(h.parsers) && len(h.parsers) > 64 {
		h.parsers, h.cutAt, h.freeParsers = nil, nil, nil // after a burst
	}
}
