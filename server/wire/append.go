package wire

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strconv"
)

// AppendWelcome appends the server's first message. Its body is JSON in both
// forms: it is sent once, and readable.
func AppendWelcome(dst []byte, f Format, w *Welcome) []byte {
	if f == Binary {
		dst = append(dst, byte(OpWelcome), '{')
	} else {
		dst = append(dst, `{"t":"welcome",`...)
	}
	dst = appendString(append(dst, `"sid":`...), w.SID)
	dst = strconv.AppendBool(append(dst, `,"resumed":`...), w.Resumed)
	dst = strconv.AppendInt(append(dst, `,"hb":`...), int64(w.Heartbeat), 10)
	dst = strconv.AppendInt(append(dst, `,"spread":`...), int64(w.Spread), 10)
	dst = appendString(append(dst, `,"node":`...), w.Node)
	dst = strconv.AppendInt(append(dst, `,"max":`...), int64(w.Max), 10)
	dst = strconv.AppendInt(append(dst, `,"back":{"base":`...), int64(w.Back.Base), 10)
	dst = strconv.AppendInt(append(dst, `,"max":`...), int64(w.Back.Max), 10)
	return append(dst, "}}"...)
}

// AppendHeartbeat appends the answer to a heartbeat: spread is that of Welcome,
// which changes as the node fills.
func AppendHeartbeat(dst []byte, f Format, spread int) []byte {
	if f == Binary {
		return binary.AppendUvarint(append(dst, byte(OpHeartbeat)), uint64(spread))
	}
	dst = strconv.AppendInt(append(dst, `{"t":"hb","spread":`...), int64(spread), 10)
	return append(dst, '}')
}

// AppendMessage appends a message to a device.
func AppendMessage(dst []byte, f Format, m *Message) []byte {
	if f == Binary {
		return appendMessageBinary(dst, m)
	}
	dst = append(dst, `{"t":"msg"`...)
	if m.Seq != 0 {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), m.Seq, 10)
		dst = strconv.AppendUint(append(dst, `,"ttl":`...), m.TTL, 10)
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

func appendMessageBinary(dst []byte, m *Message) []byte {
	at := len(dst)
	dst = append(dst, byte(OpMessage))
	if m.Seq != 0 {
		dst[at] |= flagKept
		dst = binary.AppendUvarint(dst, m.Seq)
		dst = binary.AppendUvarint(dst, m.TTL)
	}
	if len(m.ID) > 0 {
		dst[at] |= flagID
		dst = appendBytes(dst, m.ID)
	}
	if len(m.Channel) > 0 {
		dst[at] |= flagChannel
		dst = appendBytes(dst, m.Channel)
	}
	return append(dst, m.Payload...)
}

// AppendResult appends the answer to the device's request r: err is nil if it
// was done.
func AppendResult(dst []byte, f Format, r uint64, err *Error) []byte {
	if f == Binary {
		if err == nil {
			return binary.AppendUvarint(append(dst, byte(OpResult)|flagOK), r)
		}
		dst = binary.AppendUvarint(append(dst, byte(OpResult)), r)
		return append(appendBytes(dst, err.Code), err.Text...)
	}
	dst = strconv.AppendUint(append(dst, `{"t":"res","r":`...), r, 10)
	if err == nil {
		return append(dst, `,"ok":true}`...)
	}
	return appendErrorFields(append(dst, `,"ok":false`...), err)
}

// AppendError appends the answer to a message that was not understood.
func AppendError(dst []byte, f Format, err *Error) []byte {
	if f == Binary {
		return append(appendBytes(append(dst, byte(OpError)), err.Code), err.Text...)
	}
	return appendErrorFields(append(dst, `{"t":"err"`...), err)
}

func appendErrorFields(dst []byte, err *Error) []byte {
	dst = appendString(append(dst, `,"code":`...), err.Code)
	dst = appendString(append(dst, `,"text":`...), err.Text)
	return append(dst, '}')
}

// AppendUp appends what a device says: the other side of Parse.
func AppendUp(dst []byte, f Format, up *Up) []byte {
	if f == Binary {
		return appendUpBinary(dst, up)
	}
	dst = append(append(append(dst, `{"t":"`...), up.Op.String()...), '"')
	if up.HasSeq {
		dst = strconv.AppendUint(append(dst, `,"seq":`...), up.Seq, 10)
	}
	if up.Op == OpSubscribe || up.Op == OpUnsubscribe {
		dst = strconv.AppendUint(append(dst, `,"r":`...), up.Request, 10)
	}
	if len(up.Channel) > 0 {
		dst = appendString(append(dst, `,"ch":`...), up.Channel)
	}
	if len(up.Payload) > 0 {
		dst = append(append(dst, `,"p":`...), up.Payload...)
	}
	return append(dst, '}')
}

func appendUpBinary(dst []byte, up *Up) []byte {
	switch up.Op {
	case OpHeartbeat:
		if up.HasSeq {
			return binary.AppendUvarint(append(dst, byte(OpHeartbeat)|flagSeq), up.Seq)
		}
		return append(dst, byte(OpHeartbeat))
	case OpAck:
		return binary.AppendUvarint(append(dst, byte(OpAck)), up.Seq)
	case OpUp:
		return append(appendBytes(append(dst, byte(OpUp)), up.Channel), up.Payload...)
	}
	return append(binary.AppendUvarint(append(dst, byte(up.Op)), up.Request), up.Channel...)
}

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// appendString appends s as a JSON string: printable ASCII without quotes as it
// is, anything else by the standard library.
func appendString[T string | []byte](dst []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(string(s)) // a string always marshals
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
