package wire

import (
	"encoding/binary"
	"strconv"
)

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
	if up.Op == OpAuth {
		dst = appendString(append(dst, `,"token":`...), up.Token)
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
	case OpAuth:
		return append(append(dst, byte(OpAuth)), up.Token...)
	case OpUp:
		return append(appendBytes(append(dst, byte(OpUp)), up.Channel), up.Payload...)
	}
	return append(binary.AppendUvarint(append(dst, byte(up.Op)), up.Request), up.Channel...)
}
