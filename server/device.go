package server

import (
	"roost/poller"
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
	if h.up.HasSeq && h.up.Seq > 0 {
		// Live messages carry no seq, so there is nothing to acknowledge.
		h.close(c, st, CloseMalformed, "ack above the last sent message")
		return
	}
	switch h.up.Op {
	case wire.OpHeartbeat:
		h.n.heartbeats.Add(1)
		h.appendMessage(st, wire.AppendHeartbeat(h.text[:0], f, h.s.spread()))
	case wire.OpSubscribe:
		h.result(st, f, h.topics.subscribe(h, c, st, h.up.Channel))
	case wire.OpUnsubscribe:
		h.result(st, f, h.topics.unsubscribe(h, st, h.up.Channel))
	case wire.OpUp:
		h.appendMessage(st, wire.AppendError(h.text[:0], f, errNoUplink))
	}
}

// errNoUplink answers messages of a device to the backend, for which nobody is
// there yet.
var errNoUplink = &wire.Error{Code: wire.CodeUnknown, Text: `type "up" is not served here`}

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
