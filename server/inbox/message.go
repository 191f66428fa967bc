package inbox

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Message is the content of a kept message or a latest value.
type Message struct {
	TTL     uint32 // seconds
	Raw     bool   // Payload is bytes, not JSON
	ID      []byte // idempotency key, empty for none
	Channel []byte // topic, empty for none
	Payload []byte
}

// contentRaw is the flag of content's first byte for Message.Raw.
const contentRaw = 1

// appendContent appends the message as it is kept: flags, uvarint TTL, id and
// channel with their lengths, payload.
func (m *Message) appendContent(dst []byte) []byte {
	flags := byte(0)
	if m.Raw {
		flags |= contentRaw
	}
	dst = binary.AppendUvarint(append(dst, flags), uint64(m.TTL))
	dst = append(binary.AppendUvarint(dst, uint64(len(m.ID))), m.ID...)
	dst = append(binary.AppendUvarint(dst, uint64(len(m.Channel))), m.Channel...)
	return append(dst, m.Payload...)
}

// contentSize returns how many bytes appendContent appends.
func (m *Message) contentSize() int {
	n := func(v int) int { return (bits.Len(uint(v)|1) + 6) / 7 } // of a uvarint
	return 1 + n(int(m.TTL)) + n(len(m.ID)) + len(m.ID) + n(len(m.Channel)) + len(m.Channel) + len(m.Payload)
}

var errContent = errors.New("inbox: a stored message cannot be read")

// parseContent is the inverse of appendContent; the message refers to b.
func (m *Message) parseContent(b []byte) error {
	if len(b) == 0 {
		return errContent
	}
	r := fields{b: b[1:]}
	*m = Message{Raw: b[0]&contentRaw != 0, TTL: uint32(r.uvarint())}
	m.ID, m.Channel = r.bytes(), r.bytes()
	m.Payload = r.b
	if r.short {
		return errContent
	}
	return nil
}

// fields takes fields off a record; after one that is not whole short is set.
type fields struct {
	b     []byte
	short bool
}

func (r *fields) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.short, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *fields) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.short, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}
