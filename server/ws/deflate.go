package ws

import "github.com/klauspost/compress/flate"

// maxBits is the window that permessage-deflate has unless less is agreed:
// 2^15 bytes (RFC 7692, 7.1.2).
const maxBits = 15

// Deflater compresses whole messages without context takeover (RFC 7692,
// 7.2.1). Not safe for concurrent use: one per loop. The zero value is ready.
//
// A message that fits the agreed window cannot refer further back than that,
// whatever compresses it, so nearly all go through one writer of the fastest
// level, 0.8 MB, made at first need. (The stateless compressor of the same
// library needs none of that, but takes 2 to 23 % longer and compresses less:
// BenchmarkDeflate.) Only longer messages for a peer with a small window need
// a writer with that window, 1.1 MB, one per size in use.
type Deflater struct {
	sink    sink
	writers [maxBits + 1]*flate.Writer // by window; the last for all that fits
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
	if len(payload) <= 1<<bits {
		bits = maxBits
	}
	d.sink.buf = dst
	if err := d.write(payload, bits); err != nil {
		panic("BUG: ws: deflate into memory: " + err.Error())
	}
	out := d.sink.buf
	d.sink.buf = nil
	return out[:len(out)-len(flushTail)]
}

func (d *Deflater) write(payload []byte, bits int) (err error) {
	w := d.writers[bits]
	switch {
	case w != nil:
		w.Reset(&d.sink)
	case bits == maxBits:
		w, err = flate.NewWriter(&d.sink, flate.BestSpeed)
	default:
		w, err = flate.NewWriterWindow(&d.sink, 1<<bits)
	}
	if err != nil {
		return err
	}
	d.writers[bits] = w
	if _, err := w.Write(payload); err != nil {
		return err
	}
	return w.Flush()
}
