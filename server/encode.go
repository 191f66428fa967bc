package server

import (
	"sync"

	"roost/poller"
	"roost/server/wire"
	"roost/server/ws"
)

// deflaters lends compressors to API requests.
var deflaters = sync.Pool{New: func() any { return new(ws.Deflater) }}

// encode makes the frames of a message, one for each variant that somebody has
// now: each is made once, however many get it. A device that connects with
// another variant while the message is on its way was not there when it was
// published.
func (s *Server) encode(m *wire.Message) (frames [poller.MaxVariants][]byte) {
	var d *ws.Deflater
	for f := range wire.Formats {
		msg := wire.AppendMessage(nil, f, m)
		plain := ws.AppendFrame(make([]byte, 0, len(msg)+ws.MaxHeader), opcodes[f], msg)
		for bits := 7; bits < 7+deflateKinds; bits++ {
			v := 1 + deflateKinds*int(f) + bits - 7
			switch {
			case s.receivers[v].Load() == 0:
			case bits == 7 || len(msg) < compressFrom:
				frames[v] = plain
			default:
				if d == nil {
					d = deflaters.Get().(*ws.Deflater)
					defer deflaters.Put(d)
				}
				frames[v] = ws.AppendFrameRSV1(nil, opcodes[f], d.Deflate(nil, msg, bits))
			}
		}
	}
	return frames
}

// frameFor puts the frame of a message for one connection into h.frame.
func (h *handler) frameFor(st *connState, m *wire.Message) {
	f, bits := splitVariant(st.variant)
	h.text = wire.AppendMessage(h.text[:0], f, m)
	if bits != 0 && len(h.text) >= compressFrom {
		h.frame = ws.AppendFrameRSV1(h.frame[:0], opcodes[f], h.deflater.Deflate(nil, h.text, bits))
		return
	}
	h.frame = ws.AppendFrame(h.frame[:0], opcodes[f], h.text)
}
