// Package frames turns bytes into answers by gobwas/ws for the two peers that
// own their read buffers: upgrade, parse, unmask, echo, all in place.
//
// ws.ReadFrame and ws.WriteFrame on the socket are what makes the well known
// gobwas loop slow: three reads and two writes an echo. Over a buffer the same
// library needs one of each.
package frames

import (
	"bytes"
	"errors"
	"io"

	"github.com/gobwas/ws"
)

const (
	// MaxMessage bounds a message, all its fragments together.
	MaxMessage = 64 << 10
	// MaxHead bounds the upgrade request.
	MaxHead = 4 << 10
)

// ErrDone ends a connection after a close frame; the close frame's answer is
// still to be written.
var ErrDone = errors.New("closed by the client")

// errTooBig is answered with status 1009.
var errTooBig = errors.New("message too big")

// Upgrade answers the upgrade request at the start of in. It returns the
// response and how much of in the request took, 0 if it is not whole yet.
// With an error the response says why and the connection is to be closed.
func Upgrade(in []byte) (response []byte, n int, err error) {
	end := bytes.Index(in, []byte("\r\n\r\n"))
	if end < 0 {
		if len(in) < MaxHead {
			return nil, 0, nil
		}
		end = len(in) - 4 // let the library find the words for it
	}
	n = end + 4
	var out bytes.Buffer
	_, err = ws.Upgrade(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(in[:n]), &out})
	return out.Bytes(), n, err
}

// State is what a connection keeps between frames: nothing, unless a message
// is fragmented.
type State struct{ *fragments }

type fragments struct {
	op      ws.OpCode
	payload []byte
}

// Codec is the scratch space of a goroutine; it may serve many connections,
// one after another.
type Codec struct {
	src bytes.Reader
	dst fill
	hdr [ws.MaxHeaderSize]byte
}

// fill is a Writer into a slice that is large enough.
type fill []byte

func (f fill) Write(p []byte) (int, error) { return copy(f, p), nil }

// Step handles the frame at the start of in, which it overwrites. n is the
// size of the frame; if it exceeds len(in), n bytes are needed to go on and
// nothing was done. out is what to write, often a part of in. With an error
// the connection is to be closed after that.
func (c *Codec) Step(s *State, in []byte) (out []byte, n int, err error) {
	c.src.Reset(in)
	h, err := ws.ReadHeaderBuffer(&c.src, c.hdr[:])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, len(in) + 1, nil
	}
	if err != nil {
		return closeFrame(err), len(in), err
	}
	state := ws.StateServerSide
	if s.fragments != nil {
		state |= ws.StateFragmented
	}
	if err = ws.CheckHeader(h, state); err == nil {
		err = s.checkSize(h)
	}
	if err != nil {
		return closeFrame(err), len(in), err
	}
	head := len(in) - c.src.Len()
	n = head + int(h.Length)
	if n > len(in) {
		return nil, n, nil
	}
	payload := in[head:n]
	ws.Cipher(payload, h.Mask, 0)
	switch {
	case h.OpCode == ws.OpPing:
		return c.inPlace(in[:n], ws.OpPong, head), n, nil
	case h.OpCode == ws.OpClose:
		return c.inPlace(in[:n], ws.OpClose, head), n, ErrDone
	case h.OpCode == ws.OpPong:
		return nil, n, nil
	case h.OpCode == ws.OpContinuation || !h.Fin:
		return s.gather(h, payload), n, nil
	}
	return c.inPlace(in[:n], h.OpCode, head), n, nil
}

// inPlace turns a masked client frame into a server frame. The server's header
// lacks the mask and so always fits in front of the payload.
func (c *Codec) inPlace(frame []byte, op ws.OpCode, head int) []byte {
	h := ws.Header{Fin: true, OpCode: op, Length: int64(len(frame) - head)}
	from := head - ws.HeaderSize(h)
	c.dst = frame[from:head]
	_ = ws.WriteHeaderBuffer(&c.dst, h, c.hdr[:]) // neither the buffer nor fill can fail
	return frame[from:]
}

// gather collects a fragmented message and returns it as one frame once it is
// whole, since a broadcast may fall between its fragments.
func (s *State) gather(h ws.Header, payload []byte) []byte {
	if s.fragments == nil {
		s.fragments = &fragments{op: h.OpCode}
	}
	s.payload = append(s.payload, payload...)
	if !h.Fin {
		return nil
	}
	out := ws.MustCompileFrame(ws.NewFrame(s.op, true, s.payload))
	s.fragments = nil
	return out
}

func (s *State) checkSize(h ws.Header) error {
	have := 0
	if s.fragments != nil && !h.OpCode.IsControl() {
		have = len(s.payload)
	}
	if h.Length > int64(MaxMessage-have) {
		return errTooBig
	}
	return nil
}

func closeFrame(why error) []byte {
	code := ws.StatusProtocolError
	if why == errTooBig {
		code = ws.StatusMessageTooBig
	}
	return ws.MustCompileFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, why.Error())))
}
