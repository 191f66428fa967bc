package ws

import (
	"io"

	"github.com/klauspost/compress/flate"
)

// flushTail ends every message of permessage-deflate and is left out on the
// wire (RFC 7692, 7.2.1 and 7.2.2).
const flushTail = "\x00\x00\xff\xff"

// endTail is flushTail and an empty last block, which lets the reader end: a
// message that was cut leaves it in the middle of something.
const endTail = flushTail + "\x01\x00\x00\xff\xff"

// Inflater inflates whole messages without context takeover (RFC 7692, 7.2.2).
// One serves a whole loop: 40 KiB, taken at first need, whatever the number of
// connections. Not safe for concurrent use. The zero value is ready.
type Inflater struct {
	r   io.Reader // also a flate.Resetter
	src tailed
	one [1]byte
}

// tailed is the reader's input: a payload and endTail behind it, byte by byte,
// so that pos is exact where a stream ends.
type tailed struct {
	payload []byte
	pos     int
	body    bool // the last call was Read: another one is for a stored block's body
}

// ReadByte takes the next byte: everything but stored blocks.
func (t *tailed) ReadByte() (byte, error) {
	t.body = false
	i := t.pos
	if i < len(t.payload) {
		t.pos++
		return t.payload[i], nil
	}
	if i -= len(t.payload); i < len(endTail) {
		t.pos++
		return endTail[i], nil
	}
	return 0, io.EOF
}

// Read is called for the length of a stored block, which may be the one that
// begins in endTail, and then for its body, which may not: a block that was cut
// would take the tail for data.
func (t *tailed) Read(p []byte) (n int, err error) {
	if t.pos < len(t.payload) {
		n = copy(p, t.payload[t.pos:])
		t.pos += n
	}
	if t.body {
		if n == 0 {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	for n < len(p) && err == nil {
		if p[n], err = t.ReadByte(); err == nil {
			n++
		}
	}
	t.body = true
	return n, err
}

// NewInflater returns an Inflater.
func NewInflater() *Inflater { return new(Inflater) }

// Inflate appends the inflated form of a compressed message payload to dst, at
// most limit bytes (0: DefaultLimit). The error is ErrBadDeflate, or
// ErrInflatedTooBig as soon as there would be one byte too many; dst then ends
// with what came before.
//
// An empty payload is an empty message. Blocks with BFINAL set end a DEFLATE
// stream; what follows from the next byte on is taken as another stream
// (RFC 7692, 7.2.3.5).
func (z *Inflater) Inflate(dst, payload []byte, limit int) ([]byte, error) {
	out, err := z.inflate(nil, dst, payload, orDefault(limit))
	if err != nil {
		return out, err
	}
	return out, nil
}

// inflate is Inflate with growth from bufs (nil: the heap, leaving dst alone).
func (z *Inflater) inflate(bufs Buffers, dst, payload []byte, limit int) ([]byte, *ProtocolError) {
	if len(payload) == 0 {
		return dst, nil
	}
	if bufs == nil {
		bufs = Heap{}
	}
	z.src = tailed{payload: payload}
	defer func() { z.src.payload = nil }()
	out, limit := dst, len(dst)+limit
	for {
		var err *ProtocolError
		if out, err = z.stream(bufs, out, limit); err != nil {
			return out, err
		}
		switch z.src.pos - len(payload) {
		case 0, len(flushTail), len(endTail):
			// The end: of a last block of the sender's, with or without the
			// empty block behind it, or of ours.
			return out, nil
		default:
			if z.src.pos > len(payload) {
				return out, ErrBadDeflate // the last block ate bytes that were never sent
			}
		}
	}
}

// stream inflates one DEFLATE stream.
func (z *Inflater) stream(bufs Buffers, out []byte, limit int) ([]byte, *ProtocolError) {
	if z.r == nil {
		z.r = flate.NewReader(&z.src)
	} else {
		z.r.(flate.Resetter).Reset(&z.src, nil) // never fails
	}
	for {
		space := z.one[:] // at the limit: is there one byte more?
		if len(out) < limit {
			out = grow(bufs, out, 1, min(limit, len(out)+4*len(z.src.payload)))
			space = out[len(out):min(cap(out), limit)]
		}
		n, err := z.r.Read(space)
		switch {
		case len(out) < limit:
			out = out[:len(out)+n]
		case n > 0:
			return out, ErrInflatedTooBig
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, ErrBadDeflate
		}
	}
}
