package wire

import "fmt"

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

func parseJSON(data []byte, up *Up) (err *Error) {
	var f fields
	if err = f.scan(data); err != nil {
		return err
	}
	if up.Op, err = f.op(); err != nil {
		return err
	}
	switch up.Op {
	case OpHeartbeat, OpAck:
		up.Seq, up.HasSeq = f.uint(keySeq), f.has(keySeq)
	case OpSubscribe, OpUnsubscribe:
		up.Request, up.Channel = f.uint(keyR), f.text(keyCh)
	case OpUp:
		up.Channel = f.text(keyCh)
		if f.has(keyP) {
			up.Payload = f.raw(keyP)
		}
	case OpAuth:
		up.Token = f.text(keyToken)
	}
	if f.err != nil {
		return f.err
	}
	return up.check()
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
	case OpAuth:
		up.Token = r.b
	}
	if err := r.check(up.Op, len(data)); err != nil {
		return err
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
	case OpAuth:
		if len(up.Token) == 0 {
			return &Error{Code: CodeMalformed, Text: `auth without "token"`}
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
