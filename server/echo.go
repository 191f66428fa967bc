package server

import "roost/server/ws"

// compressFrom is the smallest payload that is worth compressing: below it the
// frame hardly shrinks, and 4 us of CPU are as much as the send itself.
const compressFrom = 128

// echo puts the message back into h.out.
func (h *handler) echo(st *connState, ev *ws.Event) {
	op := ws.OpText
	if ev.Kind == ws.Binary {
		op = ws.OpBinary
	}
	if need := len(h.out) + len(ev.Payload) + ws.MaxHeader; need > cap(h.out) && need > keepOut {
		// Grown by append this would be copied several times over.
		h.out = append(make([]byte, 0, need), h.out...)
	}
	h.frames++
	if _, bits := splitVariant(st.variant); bits != 0 && len(ev.Payload) >= compressFrom {
		h.text = h.deflater.Deflate(h.text[:0], ev.Payload, bits)
		h.out = ws.AppendFrameRSV1(h.out, op, h.text)
		if cap(h.text) > keepOut {
			h.text = nil
		}
		return
	}
	h.out = ws.AppendFrame(h.out, op, ev.Payload)
}
