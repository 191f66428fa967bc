package wire

import (
	"encoding/binary"
	"fmt"
)

// Parse reads a device's message. Slices in up are parts of data or, for
// strings with escapes, copies. Unknown keys are ignored; an operation that is
// unknown, or not a device's to say, is an error with code "unknown".
func Parse(f Format, data []byte, up *Up) *Error {
	*up = Up{}
	if f == Binary {
		return parseBinary(data, up)
	}
	return parseJSON(data, up)
}

func parseJSON(data []byte, up *Up) *Error {
	s := scanner{b: data}
	if !s.accept('{') {
		return s.fail("'{'")
	}
	var op []byte
	for first := true; !s.accept('}'); first = false {
		if !first && !s.accept(',') {
			return s.fail("',' or '}'")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return s.fail("':'")
		}
		if err := s.field(key, &op, up); err != nil {
			return err
		}
	}
	if s.space() != 0 || s.i != len(data) {
		return s.fail("the end")
	}
	if op == nil {
		return &Error{Code: CodeMalformed, Text: `key "t" is missing`}
	}
	for o, name := range opNames {
		if string(op) == name {
			up.Op = Op(o)
			if err := s.noted(up.Op, up); err != nil {
				return err
			}
			return up.check()
		}
	}
	return &Error{Code: CodeUnknown, Text: fmt.Sprintf("unknown type %.32q", op)}
}

// field scans the value of one key. A key that the operation does not know
// must be ignored, and which that is may come last: so a value of the wrong type
// is only noted.
func (s *scanner) field(key []byte, op *[]byte, up *Up) (err *Error) {
	start := s.i
	switch string(key) {
	case "t":
		*op, err = s.text()
	case "seq":
		up.Seq, err = s.number()
		up.HasSeq = true
	case "r":
		up.Request, err = s.number()
	case "ch":
		up.Channel, err = s.text()
	case "p":
		up.Payload, err = s.value(1)
	default:
		_, err = s.value(1)
	}
	if err == nil {
		return nil
	}
	err.Text = fmt.Sprintf("key %.32q: %s", key, err.Text)
	end := s.i
	s.i = start
	if _, bad := s.value(1); bad != nil {
		s.i = end
		return err
	}
	switch string(key) {
	case "seq":
		s.badSeq = err
	case "r":
		s.badRequest = err
	case "ch":
		s.badChannel = err
	default:
		return err
	}
	return nil
}

// noted returns what was noted about the keys that op knows, and forgets the
// others.
func (s *scanner) noted(op Op, up *Up) (err *Error) {
	switch op {
	case OpHeartbeat, OpAck:
		err = s.badSeq
	case OpSubscribe, OpUnsubscribe:
		if err = s.badRequest; err == nil {
			err = s.badChannel
		}
	case OpUp:
		err = s.badChannel
	}
	if op != OpHeartbeat && op != OpAck {
		up.Seq, up.HasSeq = 0, false
	}
	return err
}

func parseBinary(data []byte, up *Up) *Error {
	if len(data) == 0 {
		return &Error{Code: CodeMalformed, Text: "empty message"}
	}
	r := reader{b: data[1:], ok: true}
	up.Op = Op(data[0] & opMask)
	switch up.Op {
	case OpHeartbeat:
		if data[0]&flagSeq != 0 {
			up.Seq, up.HasSeq = r.uvarint(), true
		}
	case OpAck:
		up.Seq, up.HasSeq = r.uvarint(), true
	case OpSubscribe, OpUnsubscribe:
		up.Request = r.uvarint()
		up.Channel, r.b = r.b, nil
	case OpUp:
		up.Channel = r.bytes()
		up.Payload = r.b
	}
	if !r.ok {
		return &Error{Code: CodeMalformed, Text: fmt.Sprintf("%v message of %d bytes is cut short", up.Op, len(data))}
	}
	return up.check()
}

// check refuses what no device says, and channels without a valid name.
func (up *Up) check() *Error {
	switch up.Op {
	case OpHeartbeat:
		return nil
	case OpAck:
		if !up.HasSeq {
			return &Error{Code: CodeMalformed, Text: `ack without "seq"`}
		}
		return nil
	case OpSubscribe, OpUnsubscribe, OpUp:
		if !ValidChannel(up.Channel) {
			return &Error{Code: CodeChannel, Text: fmt.Sprintf("channel must be 1 to %d printable ASCII characters without spaces", MaxChannel)}
		}
		return nil
	}
	return &Error{Code: CodeUnknown, Text: fmt.Sprintf("type %q is not for devices to send", up.Op)}
}

// reader takes fields off a binary message; after a field that is not there ok
// is false.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.ok = false
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if !r.ok || n > uint64(len(r.b)) {
		r.ok = false
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
