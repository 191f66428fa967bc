package ws

import (
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

// Parser turns the bytes of one direction of a connection into events. It
// keeps partial headers, control frames and messages itself, so the caller
// never has to. Call Reset before use.
//
// A connection that is Idle needs no parser of its own: a loop may Reset one
// scratch parser for whichever connection is readable, leave it to a connection
// while something is cut, and take another as its scratch parser.
//
// States, by what the next byte is:
//
//	header --last header byte--> payload --last payload byte--> header
//	  |                             |                             (event if the message ends)
//	  +--------broken rule----------+--> dead: the same error for ever
//	after a Close event: closed; all further bytes are swallowed (RFC 6455, 5.5.1)
type Parser struct {
	cfg *Config
	err *ProtocolError

	msg    []byte // data of the current message, from cfg.Buffers
	ctl    []byte // data of the current control frame if it is cut, from cfg.Buffers
	remain int    // payload bytes of the current frame still to come

	header [14]byte // as much as has come of a cut header
	have   uint8    // how much that is

	first byte // first header byte of the current frame: FIN, RSV, opcode
	mask  [4]byte
	phase uint8 // payload bytes of the current frame taken so far, modulo 4
	flags flags
	text  textState
}

type flags uint8

const (
	inPayload  flags = 1 << iota // a header is whole, its payload is not
	inMessage                    // the next data frame must be a continuation
	isText                       // the current message is text
	compressed                   // the current message is compressed
	lentMsg                      // msg was handed out with the last event
	lentCtl                      // ctl was handed out with the last event
	closed                       // a Close event was handed out
)

// Reset returns what the parser holds and makes it ready for the first byte
// of a connection that works by cfg. cfg must outlive its use here.
func (p *Parser) Reset(cfg *Config) {
	if cfg.Deflate && cfg.Inflater == nil {
		panic("BUG: ws: Config.Deflate needs an Inflater")
	}
	p.putBuffers()
	*p = Parser{cfg: cfg}
}

// Idle reports that no part of a header, frame or message is kept: after
// Release the parser may be dropped or Reset for another connection without
// loss. A parser that failed or saw a Close frame is not idle: that is state.
func (p *Parser) Idle() bool {
	return p.have == 0 && p.flags&(inPayload|inMessage|closed) == 0 && p.err == nil
}

// Release returns every buffer; payloads handed out before are void. An Idle
// parser can go on; otherwise the partial message is lost and every later Next
// returns ErrReleased (or the error that was there before).
func (p *Parser) Release() {
	if p.err == nil && (p.have != 0 || p.flags&(inPayload|inMessage) != 0) {
		p.err = ErrReleased
	}
	p.putBuffers()
}

// Next takes input from the connection. It consumes n bytes of in (unmasking
// them in place) and returns the first event that they complete, or a Short
// event with n == len(in). After an event call again with in[n:]; after Short
// give back in to its owner and come again with the next bytes.
//
// The error is a *ProtocolError, and the same from then on. It comes with the
// first byte that breaks a rule, whole frame or not, with one exception: the
// code and reason of a close frame are judged when the frame is whole.
func (p *Parser) Next(in []byte) (ev Event, n int, err error) {
	if p.flags&(lentMsg|lentCtl) != 0 {
		p.reclaim()
	}
	if p.err != nil {
		return Event{}, 0, p.err
	}
	if p.flags&closed != 0 {
		return Event{}, len(in), nil
	}
	for {
		if p.flags&inPayload == 0 {
			k, whole := p.takeHeader(in[n:])
			n += k
			if p.err != nil {
				return Event{}, n, p.fail()
			}
			if !whole {
				return Event{}, n, nil
			}
		}
		k := min(p.remain, len(in)-n)
		p.takePayload(in[n:n+k], &ev)
		n += k
		if p.err != nil {
			return Event{}, n, p.fail()
		}
		if ev.Kind != Short || p.flags&inPayload != 0 {
			return ev, n, nil
		}
	}
}

// takePayload takes the next piece of the current frame's payload.
func (p *Parser) takePayload(piece []byte, ev *Event) {
	if p.cfg.Role == Server {
		gobwas.Cipher(piece, p.mask, int(p.phase)) // RFC 6455, 5.3
		p.phase = uint8(int(p.phase)+len(piece)) & 3
	}
	p.remain -= len(piece)
	if p.remain == 0 {
		p.flags &^= inPayload
	}
	if OpCode(p.first & 0x0F).IsControl() {
		p.takeControl(piece, ev)
	} else {
		p.takeData(piece, ev)
	}
}

func (p *Parser) takeControl(piece []byte, ev *Event) {
	if p.remain > 0 || len(p.ctl) > 0 {
		if len(piece) > 0 {
			p.ctl = append(grow(p.buffers(), p.ctl, len(piece), MaxControl), piece...)
		}
		if p.remain > 0 {
			return
		}
		piece = p.ctl
		p.flags |= lentCtl
	}
	switch OpCode(p.first & 0x0F) {
	case OpPing:
		*ev = Event{Kind: Ping, Payload: piece}
	case OpPong:
		*ev = Event{Kind: Pong, Payload: piece}
	default:
		p.err = parseClose(piece, ev)
		p.flags |= closed
	}
}

func (p *Parser) takeData(piece []byte, ev *Event) {
	last := p.remain == 0 && p.first&finBit != 0
	if last && len(p.msg) == 0 && p.first&0x0F != byte(OpContinuation) {
		if p.flags&(isText|compressed) == isText && !utf8.Valid(piece) {
			p.err = ErrInvalidUTF8
			return
		}
		p.deliver(piece, ev)
		return
	}
	if p.flags&(isText|compressed) == isText {
		ok := false
		p.text, ok = p.text.feed(piece)
		if !ok || last && p.text != textDone {
			p.err = ErrInvalidUTF8
			return
		}
	}
	if len(piece) > 0 {
		want := len(p.msg) + len(piece) + p.remain
		p.msg = append(grow(p.buffers(), p.msg, len(piece), want), piece...)
	}
	if last {
		p.flags |= lentMsg
		p.deliver(p.msg, ev)
	}
}

// deliver hands out a message whose wire payload is whole.
func (p *Parser) deliver(payload []byte, ev *Event) {
	kind := Binary
	if p.flags&isText != 0 {
		kind = Text
	}
	if p.flags&compressed != 0 {
		out, err := p.cfg.Inflater.inflate(p.buffers(), nil, payload, p.cfg.inflated())
		if cap(p.msg) > 0 {
			p.buffers().Put(p.msg)
		}
		p.msg = out
		p.flags |= lentMsg
		if err != nil {
			p.err = err
			return
		}
		if kind == Text && !utf8.Valid(out) {
			p.err = ErrInvalidUTF8
			return
		}
		payload = out
	}
	p.flags &^= inMessage | isText | compressed
	*ev = Event{Kind: kind, Payload: payload}
}

// fail drops what is held: a dead parser needs no buffers.
func (p *Parser) fail() error {
	p.putBuffers()
	return p.err
}

// reclaim takes back what the last event carried.
func (p *Parser) reclaim() {
	if p.flags&lentMsg != 0 {
		if cap(p.msg) > 0 {
			p.buffers().Put(p.msg)
		}
		p.msg = nil
	}
	if p.flags&lentCtl != 0 {
		p.buffers().Put(p.ctl)
		p.ctl = nil
	}
	p.flags &^= lentMsg | lentCtl
}

func (p *Parser) putBuffers() {
	if cap(p.msg) > 0 {
		p.buffers().Put(p.msg)
	}
	if cap(p.ctl) > 0 {
		p.buffers().Put(p.ctl)
	}
	p.msg, p.ctl = nil, nil
	p.flags &^= lentMsg | lentCtl
}

func (p *Parser) buffers() Buffers {
	if p.cfg.Buffers == nil {
		return Heap{}
	}
	return p.cfg.Buffers
}
