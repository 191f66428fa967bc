package ws

import "github.com/klauspost/compress/flate"

// maxBits is the window that permessage-deflate has unless less is agreed:
// 2^15 bytes (RFC 7692, 7.1.2).
const maxBits = 15

// Deflater compresses whole messages without context takeover (RFC 7692,
// 7.2.1). Not safe for concurrent use: one per loop, or pooled. The zero value
// is ready.
//
// A message that fits the window agreed cannot refer further back than that,
// whatever compresses it, so it goes through the stateless compressor, which
// keeps no memory here and is as fast as a pooled writer (BenchmarkDeflate).
// Only longer messages for a peer with a small window
// need a writer with that window, about 1 MB, made at first need, one per size.
type Deflater struct {
	sink    sink
	windows [maxBits]*flate.Writer // by bits; none for 15
}

// sink is the io.Writer that the compressors append to.
type sink struct{ buf []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// NewDeflater returns a Deflater.
func NewDeflater() *Deflater { return new(Deflater) }

// Deflate appends payload compressed as the payload of one message, without
// the tail 00 00 ff ff (RFC 7692, 7.2.1), to dst. bits is the agreed window,
// 8..15 (see Deflate.Bits; others are taken as the nearest). An empty payload
// becomes the single byte 00 (7.2.3.6). Data that does not compress grows by a
// few bytes; below some hundred bytes plain frames are the better choice.
func (d *Deflater) Deflate(dst, payload []byte, bits int) []byte {
	if len(payload) == 0 {
		return append(dst, 0)
	}
	bits = min(max(bits, 8), maxBits)
	d.sink.buf = dst
	var err error
	if bits == maxBits || len(payload) <= 1<<bits {
		err = flate.StatelessDeflate(&d.sink, payload, false, nil)
	} else {
		err = d.windowed(payload, bits)
	}
	out := d.sink.buf
	d.sink.buf = nil
	if err != nil {
		panic("BUG: ws: deflate into memory: " + err.Error())
	}
	return out[:len(out)-len(flushTail)]
}

func (d *Deflater) windowed(payload []byte, bits int) error {
	w := d.windows[bits]
	if w == nil {
		var err error
		if w, err = flate.NewWriterWindow(&d.sink, 1<<bits); err != nil {
			return err
		}
		d.windows[bits] = w
	} else {
		w.Reset(&d.sink)
	}
	if _, err := w.Write(payload); err != nil {
		return err
	}
	return w.Flush()
}
