package ws

import "encoding/binary"

const (
	finBit  = 0x80
	rsv1Bit = 0x40
	rsvBits = 0x70
	maskBit = 0x80
)

// headerLen is the length of a frame header in bytes, 2..14, by its second
// byte (RFC 6455, 5.2).
func headerLen(second byte) int {
	n := 2
	switch second &^ maskBit {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if second&maskBit != 0 {
		n += 4
	}
	return n
}

// takeHeader takes header bytes from in; whole reports that the header is
// complete and the payload follows.
//
// A header that is whole in the input is read in place; one that is cut goes
// byte by byte through the same checks in the same order, so both ways fail
// alike.
func (p *Parser) takeHeader(in []byte) (n int, whole bool) {
	if p.have == 0 && len(in) >= 2 {
		if n := headerLen(in[1]); n <= len(in) {
			return n, p.readHeader(in[:n])
		}
	}
	for n < len(in) {
		p.header[p.have] = in[n]
		p.have++
		n++
		if p.checkCut(); p.err != nil {
			return n, false
		}
		if p.have >= 2 && int(p.have) == headerLen(p.header[1]) {
			p.begin(p.header[:p.have])
			p.have = 0
			return n, true
		}
	}
	return n, false
}

// readHeader checks a whole header and begins its frame.
func (p *Parser) readHeader(h []byte) bool {
	if p.err = p.checkFirst(h[0]); p.err != nil {
		return false
	}
	if p.err = p.checkSecond(h[0], h[1]); p.err != nil {
		return false
	}
	if p.err = p.checkLength(h); p.err != nil {
		return false
	}
	p.begin(h)
	return true
}

// checkCut checks what the newest byte of a cut header reveals.
func (p *Parser) checkCut() {
	h := p.header[:p.have]
	switch {
	case len(h) == 1:
		p.err = p.checkFirst(h[0])
		return
	case len(h) == 2:
		if p.err = p.checkSecond(h[0], h[1]); p.err != nil {
			return
		}
	case len(h) == 3 && h[1]&^maskBit == 127 && h[2]&0x80 != 0:
		p.err = ErrLengthOverflow
		return
	}
	if len(h) == headerLen(h[1]&^maskBit) {
		p.err = p.checkLength(h)
	}
}

// checkFirst checks FIN, RSV and opcode against each other and the message.
func (p *Parser) checkFirst(b byte) *ProtocolError {
	op := OpCode(b & 0x0F)
	if op.IsReserved() {
		return ErrReservedOpcode
	}
	if rsv := b & rsvBits; rsv != 0 {
		if rsv != rsv1Bit || !p.cfg.Deflate || op.IsControl() || op == OpContinuation {
			return ErrReservedBits
		}
	}
	switch {
	case op.IsControl():
		if b&finBit == 0 {
			return ErrFragmentedControl
		}
	case op == OpContinuation:
		if p.flags&inMessage == 0 {
			return ErrUnexpectedContinuation
		}
	case p.flags&inMessage != 0:
		return ErrExpectedContinuation
	}
	return nil
}

// checkSecond checks the mask bit and what the 7-bit length says.
func (p *Parser) checkSecond(first, second byte) *ProtocolError {
	if masked := second&maskBit != 0; masked != (p.cfg.Role == Server) {
		if masked {
			return ErrMasked
		}
		return ErrUnmasked
	}
	op, n := OpCode(first&0x0F), second&^maskBit
	if op.IsControl() && n > MaxControl {
		return ErrLongControl
	}
	if op == OpClose && n == 1 {
		return ErrShortClose
	}
	return nil
}

// payloadLen decodes the length of a header that has all its length bytes.
func payloadLen(h []byte) uint64 {
	switch n := h[1] &^ maskBit; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(h[2:4]))
	case 127:
		return binary.BigEndian.Uint64(h[2:10])
	default:
		return uint64(n)
	}
}

// checkLength checks the decoded length: its form, then our limits.
func (p *Parser) checkLength(h []byte) *ProtocolError {
	n := payloadLen(h)
	switch h[1] &^ maskBit {
	case 126:
		if n < 126 {
			return ErrNonMinimalLength
		}
	case 127:
		if n>>63 != 0 {
			return ErrLengthOverflow
		}
		if n <= 0xFFFF {
			return ErrNonMinimalLength
		}
	}
	if OpCode(h[0] & 0x0F).IsControl() {
		return nil
	}
	if n > uint64(p.cfg.frame()) {
		return ErrFrameTooBig
	}
	if uint64(len(p.msg))+n > uint64(p.cfg.message()) {
		return ErrMessageTooBig
	}
	return nil
}

// begin starts the frame of a header that passed all checks.
func (p *Parser) begin(h []byte) {
	p.first = h[0]
	p.remain = int(payloadLen(h))
	p.phase = 0
	if h[1]&maskBit != 0 {
		copy(p.mask[:], h[len(h)-4:])
	}
	p.flags |= inPayload
	op := OpCode(h[0] & 0x0F)
	if op.IsControl() {
		return
	}
	if op != OpContinuation {
		if op == OpText {
			p.flags |= isText
		}
		if h[0]&rsv1Bit != 0 {
			p.flags |= compressed
		}
	}
	if h[0]&finBit == 0 {
		p.flags |= inMessage
	}
}
