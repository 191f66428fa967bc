package wire

import (
	"encoding/base64"
	"fmt"
	"math"
)

// Down is what a server says. Only the fields of its Op are set.
type Down struct {
	Op      Op
	OK      bool    // OpResult: it was done
	Close   uint16  // OpAway: code with which this connection will end
	Spread  int     // OpHeartbeat: ms over which to come back after a cut
	Wide    int     // OpHeartbeat: that of Welcome
	In      int     // OpAway: ms from now until this device's slot
	To      uint64  // OpSkip: kept messages up to here are done with
	Request uint64  // OpResult: number of the request
	Why     []byte  // OpSkip
	Code    []byte  // OpResult without OK, OpError: one of the codes of errors
	Text    []byte  // OpResult without OK, OpError: for people
	URL     []byte  // OpAway: where to connect; empty: where it would be anyway
	Message Message // OpMessage; if Raw, Payload is base64 still: see AppendPayload
	Welcome Welcome // OpWelcome
	Ring    Ring    // OpHeartbeat: zero if it does not say
}

// AppendPayload appends the payload of a message, decoded if its form was
// base64: ParseDown has checked that it can be.
func (d *Down) AppendPayload(dst []byte) []byte {
	if !d.Message.Raw {
		return append(dst, d.Message.Payload...)
	}
	dst, _ = base64.StdEncoding.AppendDecode(dst, d.Message.Payload)
	return dst
}

// ParseDown reads a server's message, for clients. Slices in d are parts of
// data or, for strings with escapes, copies; only a welcome allocates. Unknown
// keys and flags are ignored. A message with code "unknown" is one that a
// client must ignore; one with "malformed" is a server's fault.
func ParseDown(f Format, data []byte, d *Down) *Error {
	*d = Down{}
	if f == Binary {
		return parseDownBinary(data, d)
	}
	var o fields
	if err := o.scan(data); err != nil {
		return err
	}
	op, err := o.op()
	if err != nil {
		return err
	}
	d.Op = op
	switch op {
	case OpWelcome:
		o.welcome(&d.Welcome)
	case OpMessage:
		o.message(&d.Message)
	case OpHeartbeat:
		o.need(keySpread)
		d.Spread, d.Wide, d.Ring = o.int(keySpread), o.int(keyWide), o.ring()
	case OpSkip:
		o.need(keyTo)
		d.To, d.Why = o.uint(keyTo), o.text(keyWhy)
	case OpResult:
		o.need(keyOK)
		d.Request, d.OK = o.uint(keyR), o.bool(keyOK)
		if !d.OK {
			d.Code, d.Text = o.text(keyCode), o.text(keyText)
		}
	case OpError:
		d.Code, d.Text = o.text(keyCode), o.text(keyText)
	case OpAway:
		o.need(keyCode)
		o.need(keyIn)
		d.Close, d.In, d.URL = o.code(keyCode), o.int(keyIn), o.text(keyURL)
	default:
		return notDown(op)
	}
	return o.err
}

func notDown(op Op) *Error {
	return &Error{Code: CodeUnknown, Text: fmt.Sprintf("type %q (%d) is not for servers to send", op, op)}
}

// message reads the fields of a message.
func (f *fields) message(m *Message) {
	if f.has(keySeq) {
		m.Seq, m.TTL = f.uint(keySeq), f.uint(keyTTL)
		if m.Seq == 0 && f.err == nil {
			f.err = errSeq
		}
	}
	m.ID, m.Channel = f.text(keyID), f.text(keyCh)
	switch {
	case f.has(keyP64):
		m.Payload, m.Raw = f.text(keyP64), true
		if f.err == nil && !isBase64(m.Payload) {
			f.err = &Error{Code: CodeMalformed, Text: `key "p64": not base64`}
		}
	case f.has(keyP):
		m.Payload = f.raw(keyP)
	}
}

// errSeq: kept messages count from 1. It is shared: nobody changes an Error
// that it was given.
var errSeq = &Error{Code: CodeMalformed, Text: "seq of a kept message is 0"}

// isBase64 reports whether b is base64 with padding (RFC 4648, 4).
func isBase64(b []byte) bool {
	if len(b)%4 != 0 {
		return false
	}
	for i, c := range b {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
		case c == '=' && (i == len(b)-1 || i == len(b)-2 && b[i+1] == '='):
		default:
			return false
		}
	}
	return true
}

// welcome reads the fields of a welcome.
func (f *fields) welcome(w *Welcome) {
	w.SID, w.Epoch, w.Node = f.text(keySID), string(f.text(keyEpoch)), string(f.text(keyNode))
	w.Seq, w.Acked, w.From = f.uint(keySeq), f.uint(keyAcked), f.uint(keyFrom)
	w.Resumed = f.bool(keyResumed)
	w.Heartbeat, w.Spread, w.Wide = f.int(keyHB), f.int(keySpread), f.int(keyWide)
	w.Max, w.Win, w.Ring = f.int(keyMax), f.int(keyWin), f.ring()
	if !f.has(keyBack) || f.err != nil {
		return
	}
	var back fields
	if err := back.scan(f.raw(keyBack)); err != nil {
		f.note(keyBack, err)
		return
	}
	w.Back = Back{Base: back.int(keyBase), Max: back.int(keyMax)}
	if back.err != nil {
		f.note(keyBack, back.err)
	}
}

// ring reads which ring answers for the device.
func (f *fields) ring() (r Ring) {
	r.Version = f.uint(keyRing)
	if !f.has(keyRH) {
		return r
	}
	ok := false
	if r.Hash, ok = parseHash(f.text(keyRH)); !ok && f.err == nil {
		f.err = errHash
	}
	return r
}

var errHash = &Error{Code: CodeMalformed, Text: `key "rh": want 16 hexadecimal digits`}

// parseHash reads 16 hexadecimal digits, in lower case as they are written.
func parseHash(b []byte) (h uint64, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			h = h<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			h = h<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return h, len(b) == 16
}

// code reads a close code.
func (f *fields) code(k key) uint16 {
	v := f.uint(k)
	if v > math.MaxUint16 && f.err == nil {
		f.err = errCloseCode
	}
	return uint16(v)
}

var errCloseCode = &Error{Code: CodeMalformed, Text: "close code does not fit 16 bits"}

func parseDownBinary(data []byte, d *Down) *Error {
	if len(data) == 0 {
		return &Error{Code: CodeMalformed, Text: "empty message"}
	}
	r := reader{b: data[1:], ok: true}
	d.Op = Op(data[0] & opMask)
	switch d.Op {
	case OpWelcome:
		var o fields
		if err := o.scan(r.b); err != nil {
			return err
		}
		o.welcome(&d.Welcome)
		return o.err
	case OpMessage:
		if err := r.message(data[0], &d.Message); err != nil {
			return err
		}
	case OpHeartbeat:
		d.Spread = r.int()
		if data[0]&flagWide != 0 {
			d.Wide = r.int()
		}
		if data[0]&flagRing == 0 {
			break
		}
		ok := false
		d.Ring.Version = r.uvarint()
		if d.Ring.Hash, ok = parseHash(r.b); !ok && r.ok {
			return errHash
		}
	case OpSkip:
		d.To, d.Why = r.uvarint(), r.b
	case OpResult:
		d.Request, d.OK = r.uvarint(), data[0]&flagOK != 0
		if !d.OK {
			d.Code, d.Text = r.bytes(), r.b
		}
	case OpError:
		d.Code, d.Text = r.bytes(), r.b
	case OpAway:
		code := r.int()
		if code > math.MaxUint16 {
			return errCloseCode
		}
		d.Close, d.In, d.URL = uint16(code), r.int(), r.b
	default:
		return notDown(d.Op)
	}
	return r.check(d.Op, len(data))
}

// message reads the fields of a binary message with the given first byte.
func (r *reader) message(first byte, m *Message) *Error {
	if first&flagKept != 0 {
		m.Seq, m.TTL = r.uvarint(), r.uvarint()
		if r.ok && m.Seq == 0 {
			return errSeq
		}
	}
	if first&flagID != 0 {
		m.ID = r.bytes()
	}
	if first&flagChannel != 0 {
		m.Channel = r.bytes()
	}
	m.Payload = r.b
	return nil
}
