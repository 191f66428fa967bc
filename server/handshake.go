package server

import (
	"errors"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/session"
	"roost/server/wire"
	"roost/server/ws"
)

// Refusals of this server, beside those of package ws.
var (
	errUpgradeTimeout = &ws.HandshakeError{Status: 408, Text: "the request did not arrive within 8 s"}
	errNoRoom         = &ws.HandshakeError{Status: 503, Text: "this node holds as many connections as it may", RetryAfter: 10}
	errDraining       = &ws.HandshakeError{Status: 503, Text: "this node is going down", RetryAfter: 5}
	errNotFound       = &ws.HandshakeError{Status: 404, Text: "nothing here: devices connect at /v1/connect"}
	errNoDevice       = &ws.HandshakeError{Status: 400, Text: "query parameter device is missing: with auth none connect to /v1/connect?device=ID"}
	errBadDevice      = &ws.HandshakeError{Status: 400, Text: "query parameter device: want 1 to 128 printable ASCII characters without spaces"}
	errBadSID         = &ws.HandshakeError{Status: 400, Text: "query parameter sid: want the sid of a welcome"}
	errBadHeartbeat   = &ws.HandshakeError{Status: 400, Text: "query parameter hb: want whole seconds, 30 to 300"}
	errNoProtocol     = &ws.HandshakeError{Status: 400, Text: "none of the offered subprotocols is served: offer roost.v1.json or roost.v1.bin"}
	errBadResume      = &ws.HandshakeError{Status: 400, Text: "query parameters epoch and seq: want those of the last welcome and message, both or neither"}
	errBadTopic       = &ws.HandshakeError{Status: 400, Text: "query parameter topic: want at most 64 names of 1 to 128 printable ASCII characters without spaces"}
	errRegistryFull   = &ws.HandshakeError{Status: 503, Text: "this node knows as many devices as it may", RetryAfter: 60}
	errStore          = &ws.HandshakeError{Status: 503, Text: "the store of this node does not work", RetryAfter: 10}
	errOvertaken      = &ws.HandshakeError{Status: 503, Text: "a later connection of yours is there already", RetryAfter: 1}
	errBadHop         = &ws.HandshakeError{Status: 400, Text: "query parameter hop: want one digit"}
	errCutOff         = &ws.HandshakeError{Status: 503, Text: "this node is cut off from its store: connect to another one", RetryAfter: 5}
	errLate           = &ws.HandshakeError{Status: 409, Text: "a later connection of the device is there already"}
)

// handshake takes the request of a new connection and returns how many bytes it
// was, 0 while it is not whole.
func (h *handler) handshake(c poller.Conn, st *connState, b []byte) (n int) {
	n, next, err := ws.ParseRequestFrom(b, int(st.parser), &h.req)
	if err == ws.ErrShort {
		st.parser = uint32(next)
		return 0
	}
	st.parser = 0
	if err != nil {
		h.answer(c, st, err.(*ws.HandshakeError)) // as ParseRequest promises
		return len(b)
	}
	var refusal *ws.HandshakeError
	switch {
	case h.s.draining.Load():
		refusal = errDraining
	default:
		h.whole = n == len(b)
		refusal = h.route(c, st)
	}
	if refusal != nil {
		h.refuse(c, st, refusal, n == len(b))
		return len(b)
	}
	return n
}

// route serves one request by its path.
func (h *handler) route(c poller.Conn, st *connState) *ws.HandshakeError {
	switch path := string(h.req.Path); {
	case path == "/v1/connect":
		if e := h.admit(c); e != nil {
			return e
		}
		return h.connect(c, st)
	case path == "/v1/echo" && h.s.opt.Echo:
		if e := h.admit(c); e != nil {
			return e
		}
		h.upgrade(st, kindEcho, "", wire.JSON)
		c.SetLimit(limitEcho)
		c.SetDeadline(h.patience(st))
		h.flush(c, st)
		return nil
	case path == "/v1/route":
		return h.whither(c, st)
	case path == "/healthz":
		if e := ws.CheckPlain(&h.req); e != nil {
			return e
		}
		if err := h.s.Ready(); err != nil {
			return &ws.HandshakeError{Status: 503, Text: err.Error(), RetryAfter: 1}
		}
		h.out = ws.AppendResponse(h.out[:0], 200, "text/plain; charset=utf-8", []byte("ok\n"), true)
		h.over(c, st, nil)
		return nil
	}
	return errNotFound
}

// admit judges an upgrade: whether it is one, whether its address may, and whether there is room. The
// loops look without asking each other, so the cap may be passed by one for
// each loop.
func (h *handler) admit(c poller.Conn) *ws.HandshakeError {
	if e := ws.CheckUpgrade(&h.req); e != nil {
		return e
	}
	if e := h.fromAddress(c); e != nil {
		return e
	}
	if h.s.open.Load()+h.s.opening.Load() >= int64(h.s.capacity.Connections) {
		return errNoRoom
	}
	if k := h.s.cluster; k != nil && k.cut.Load() {
		return errCutOff
	}
	return nil
}

// upgrade puts the 101 response into h.out and makes the connection a WebSocket.
func (h *handler) upgrade(st *connState, kind connKind, protocol string, f wire.Format) {
	var agreed ws.Deflate
	h.out, agreed = h.appendAccept(h.out[:0], protocol)
	h.upgraded(st, kind, variantOf(f, agreed))
}

// appendAccept appends the 101 response, and says what it agrees to.
func (h *handler) appendAccept(dst []byte, protocol string) (_ []byte, agreed ws.Deflate) {
	var answer *ws.Deflate
	if h.s.opt.Deflate {
		if d, ok := ws.Negotiate(h.req.Extensions); ok {
			agreed = d
			answer = &agreed
		}
	}
	return ws.AppendUpgrade(dst, &h.req, protocol, answer), agreed
}

// upgraded makes the connection a WebSocket: the 101 response is in h.out.
func (h *handler) upgraded(st *connState, kind connKind, variant uint8) {
	h.frames = 1
	h.become(st, kind)
	st.variant = variant
	h.s.receivers[st.variant].Add(1)
	h.s.open.Add(1)
	h.n.upgraded.Add(1)
}

// connect makes the connection a device's.
func (h *handler) connect(c poller.Conn, st *connState) *ws.HandshakeError {
	f, protocol, ok := h.chooseFormat()
	if !ok {
		return errNoProtocol
	}
	q := &h.asked
	if refusal := h.connectQuery(q); refusal != nil {
		return refusal
	}
	k := h.s.cluster
	if refusal := h.enters(c, q.hello.ID, k != nil && q.hop > 0); refusal != nil {
		return refusal
	}
	if k != nil {
		return h.knock(c, st, f, protocol, q)
	}
	q.hello.Conn, q.hello.Fresh = delivery.Conn(c.Handle()), h.sids.Uint64()|1
	got := &h.session
	var err error
	h.s.entered.Add(1)
	if *got, err = h.s.enter(&q.hello, nil); err != nil {
		h.s.left.Add(1)
		if got.Late && got.SameSession {
			return errOvertaken
		}
		return connectRefusal(err)
	}
	h.upgrade(st, kindDevice, protocol, f)
	h.serve(c, st, q, got, wire.Ring{})
	return nil
}

// serve welcomes a device that has entered; the 101 response is in h.out. It reports
// false if the connection is over already.
func (h *handler) serve(c poller.Conn, st *connState, q *connectQuery, got *delivery.Session, ring wire.Ring) bool {
	f, _ := splitVariant(st.variant)
	st.hb = uint16(q.hb)
	st.peer = delivery.Peer{Ref: got.Ref, Fence: got.Fence}
	if got.Old != 0 {
		h.s.replace(poller.Handle(got.Old), got.SameSession)
		if !got.SameSession {
			h.s.entrance.overtook(q.hello.ID)
		}
	}
	h.appendMessage(st, h.appendWelcome(h.text[:0], f, got, q.hb, ring))
	c.SetVariant(st.variant)
	c.SetDeadline(h.patience(st))
	h.flush(c, st)
	if h.removedMeanwhile(q.hello.ID, got.Ref) {
		h.close(c, st, CloseRemoved, removedText)
		return false
	}
	h.restore(c, st, q.topics)
	if st.kind != kindDevice {
		return false
	}
	h.lane.Begin(q.hello.Conn, &st.peer)
	return true
}

// removedMeanwhile reports whether the device that was opened under that number
// is not known any more: a removal that came before it was registered did not
// find a connection to close.
func (h *handler) removedMeanwhile(id []byte, ref inbox.Ref) bool {
	return h.s.store.Find(id) != ref
}

// connectRefusal words why a device cannot connect.
func connectRefusal(err error) *ws.HandshakeError {
	switch {
	case errors.Is(err, session.ErrID):
		return errBadDevice
	case errors.Is(err, delivery.ErrLate):
		return errLate
	case errors.Is(err, inbox.ErrDevices):
		return errRegistryFull
	}
	return errStore
}

// chooseFormat takes the first offered subprotocol that is served. A client
// that offers none speaks JSON.
func (h *handler) chooseFormat() (f wire.Format, protocol string, ok bool) {
	offered := false
	for t := h.req.OfferedProtocols(); t.Next(); offered = true {
		if f, ok := wire.ParseFormat(t.Token()); ok {
			return f, f.String(), true
		}
	}
	return wire.JSON, "", !offered
}

// refuse answers no to a whole request. A browser cannot read a refused
// upgrade, so one that was in order but for us is made, told its slot, and closed with the
// code.
//
// whole says that nothing came behind the request: then the answer can be
// followed by close at once, without a reset that could overtake it, and in a
// storm the refused do not linger in the place of others.
func (h *handler) refuse(c poller.Conn, st *connState, e *ws.HandshakeError, whole bool) {
	if len(h.req.Origin) == 0 || ws.CheckUpgrade(&h.req) != nil {
		if !whole || h.req.HasBody() {
			h.answer(c, st, e)
			return
		}
		h.n.refused.Add(1)
		h.out = e.AppendResponse(h.out[:0])
		h.frames = 1
		h.endAtOnce(c, st, e)
		return
	}
	h.n.refused.Add(1)
	code := refusalCode(e.Status)
	// A browser takes no answer that leaves its offer out.
	protocol, f, speaks := "", wire.JSON, string(h.req.Path) == "/v1/connect"
	if t := h.req.OfferedProtocols(); t.Next() {
		protocol = string(t.Token())
		known, ok := wire.ParseFormat(t.Token())
		f, speaks = known, speaks && ok
	}
	h.out = ws.AppendUpgrade(h.out[:0], &h.req, protocol, nil)
	if speaks {
		h.out = h.appendSlot(h.out, f, code, e.RetryAfter)
	}
	h.out = ws.AppendClose(h.out, code, e.Text)
	h.frames = 1
	st.code = uint16(code)
	h.over(c, st, e)
}

// appendSlot appends the Retry-After of a refusal, in seconds, for a browser, which sees no header: an away before any
// welcome. 0 is none.
func (h *handler) appendSlot(dst []byte, f wire.Format, code ws.StatusCode, after int) []byte {
	if after <= 0 {
		return dst
	}
	h.text = wire.AppendAway(h.text[:0], f, uint16(code), 1000*after, "")
	return ws.AppendFrame(dst, opcodes[f], h.text)
}

// endAtOnce sends what is in h.out as the last word to a peer that has said nothing more.
func (h *handler) endAtOnce(c poller.Conn, st *connState, why error) {
	h.end(c, st)
	if c.Waiting() == 0 {
		c.Close(why)
	} else {
		c.Finish(why)
	}
}

// answer says no in HTTP and ends the connection.
func (h *handler) answer(c poller.Conn, st *connState, e *ws.HandshakeError) {
	h.n.refused.Add(1)
	h.out = e.AppendResponse(h.out[:0])
	h.frames = 1
	h.over(c, st, e)
}

// appendWelcome appends the first message to a device.
func (h *handler) appendWelcome(dst []byte, f wire.Format, got *delivery.Session, hb int, ring wire.Ring) []byte {
	h.sid = appendSID(h.sid[:0], got.SID)
	return wire.AppendWelcome(dst, f, &wire.Welcome{
		SID: h.sid, Epoch: got.Epoch.String(), Seq: got.Last, Acked: got.Acked, From: got.From, Resumed: got.Resumed, Win: delivery.Window,
		Heartbeat: hb * 1000, Spread: h.s.spread(), Wide: h.s.wide(),
		Node: h.s.opt.Node, Max: maxInbound, Ring: ring, Back: wire.Back{Base: 1000, Max: 120_000},
	})
}
