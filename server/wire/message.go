package wire

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
)

// AppendMessage appends a message to a device.
func AppendMessage(dst []byte, f Format, m *Message) []byte {
	if m.Seq != 0 {
		dst = AppendMessageHead(dst, f, m.Shape(), m.Seq)
		return AppendMessageTail(dst, f, m)
	}
	if f == Binary {
		return appendBody(append(dst, byte(OpMessage)|byte(m.Shape())), f, m)
	}
	return appendBody(append(dst, `{"t":"msg"`...), f, m)
}

// Shape says which optional fields a message has: all that the head of a kept
// message has to know of the rest, in one byte that can be stored beside it.
type Shape uint8

// Shape returns the shape of m.
func (m *Message) Shape() (s Shape) {
	if len(m.ID) > 0 {
		s |= flagID
	}
	if len(m.Channel) > 0 {
		s |= flagChannel
	}
	return s
}

// AppendMessageHead appends the part of a kept message that is a device's own:
// its number there, seq, which is 1 or more. What AppendMessageTail appends
// belongs behind it and is the same for every device, so that a message to many
// is encoded once. Head and tail together are what AppendMessage appends.
func AppendMessageHead(dst []byte, f Format, s Shape, seq uint64) []byte {
	if f == Binary {
		return binary.AppendUvarint(append(dst, byte(OpMessage)|flagKept|byte(s)), seq)
	}
	return strconv.AppendUint(append(dst, `{"t":"msg","seq":`...), seq, 10)
}

// AppendMessageTail appends the part of a kept message behind its number:
// m.Seq is not looked at.
func AppendMessageTail(dst []byte, f Format, m *Message) []byte {
	if f == Binary {
		dst = binary.AppendUvarint(dst, m.TTL)
	} else {
		dst = strconv.AppendUint(append(dst, `,"ttl":`...), m.TTL, 10)
	}
	return appendBody(dst, f, m)
}

// appendBody appends what live and kept messages have alike.
func appendBody(dst []byte, f Format, m *Message) []byte {
	if f == Binary {
		if len(m.ID) > 0 {
			dst = appendBytes(dst, m.ID)
		}
		if len(m.Channel) > 0 {
			dst = appendBytes(dst, m.Channel)
		}
		return append(dst, m.Payload...)
	}
	if len(m.ID) > 0 {
		dst = appendString(append(dst, `,"id":`...), m.ID)
	}
	if len(m.Channel) > 0 {
		dst = appendString(append(dst, `,"ch":`...), m.Channel)
	}
	switch {
	case m.Raw:
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"p64":"`...), m.Payload)
		dst = append(dst, '"')
	case len(m.Payload) > 0:
		dst = append(append(dst, `,"p":`...), m.Payload...)
	}
	return append(dst, '}')
}
