package server

import (
	"roost/poller"
	"roost/server/delivery"
	"roost/server/wire"
	"roost/server/ws"
)

// opcodes are the frame types of the two formats.
var opcodes = [wire.Formats]ws.OpCode{wire.JSON: ws.OpText, wire.Binary: ws.OpBinary}

// deviceMessage deals with one message of a device; what it answers goes into
// h.out.
func (h *handler) deviceMessage(c poller.Conn, st *connState, ev *ws.Event) {
	f, _ := splitVariant(st.variant)
	if (ev.Kind == ws.Text) != (f == wire.JSON) {
		h.close(c, st, CloseMalformed, "message type does not fit the subprotocol "+f.String())
		return
	}
	if err := wire.Parse(f, ev.Payload, &h.up); err != nil {
		if err.Code == wire.CodeChannel && h.up.Op != wire.OpUp {
			h.result(st, f, err) // the request is known, and has an answer of its own
		} else {
			h.appendMessage(st, wire.AppendError(h.text[:0], f, err))
		}
		return
	}
	if h.up.HasSeq && !h.lane.Ack(delivery.Conn(c.Handle()), &st.peer, h.up.Seq) {
		h.close(c, st, CloseMalformed, "acknowledgement of what was never sent")
		return
	}
	switch h.up.Op {
	case wire.OpHeartbeat:
		h.n.heartbeats.Add(1)
		var ring wire.Ring
		if h.s.cluster != nil {
			ring = h.s.cluster.heartbeat(h, st)
		}
		h.appendMessage(st, wire.AppendHeartbeat(h.text[:0], f, h.s.spread(), h.s.wide(), ring))
	case wire.OpSubscribe:
		h.subscription(c, st, f, true)
	case wire.OpUnsubscribe:
		h.subscription(c, st, f, false)
	case wire.OpUp:
		h.uplink(st, f)
	case wire.OpAuth:
		h.appendMessage(st, wire.AppendError(h.text[:0], f, errNoAuth))
	}
}

// errNoAuth answers a token where nobody looks at tokens.
var errNoAuth = &wire.Error{Code: wire.CodeAuth, Text: "this node takes no tokens (auth none)"}

// result answers a request of the device.
func (h *handler) result(st *connState, f wire.Format, err *wire.Error) {
	h.appendMessage(st, wire.AppendResult(h.text[:0], f, h.up.Request, err))
}

// appendMessage puts a message, made in h.text, as a frame into h.out. Replies
// are short and are not compressed.
func (h *handler) appendMessage(st *connState, msg []byte) {
	h.text = msg
	f, _ := splitVariant(st.variant)
	h.out = ws.AppendFrame(h.out, opcodes[f], msg)
	h.frames++
}
