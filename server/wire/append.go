package wire

import (
	"encoding/binary"
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
	dst = appendString(append(dst, `,"epoch":`...), w.Epoch)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), w.Seq, 10)
	dst = strconv.AppendUint(append(dst, `,"acked":`...), w.Acked, 10)
	if w.From != 0 {
		dst = strconv.AppendUint(append(dst, `,"from":`...), w.From, 10)
	}
	dst = strconv.AppendBool(append(dst, `,"resumed":`...), w.Resumed)
	dst = strconv.AppendInt(append(dst, `,"hb":`...), int64(w.Heartbeat), 10)
	dst = strconv.AppendInt(append(dst, `,"spread":`...), int64(w.Spread), 10)
	dst = appendWide(dst, w.Wide)
	dst = appendString(append(dst, `,"node":`...), w.Node)
	dst = strconv.AppendInt(append(dst, `,"max":`...), int64(w.Max), 10)
	dst = strconv.AppendInt(append(dst, `,"win":`...), int64(w.Win), 10)
	dst = appendRing(dst, w.Ring)
	dst = strconv.AppendInt(append(dst, `,"back":{"base":`...), int64(w.Back.Base), 10)
	dst = strconv.AppendInt(append(dst, `,"max":`...), int64(w.Back.Max), 10)
	return append(dst, "}}"...)
}

// AppendHeartbeat appends the answer to a heartbeat: spread and wide are those of Welcome,
// which change as the cluster fills, and ring is what answers for the device now.
func AppendHeartbeat(dst []byte, f Format, spread, wide int, ring Ring) []byte {
	if f == Binary {
		return appendBeat(dst, spread, wide, ring)
	}
	dst = strconv.AppendInt(append(dst, `{"t":"hb","spread":`...), int64(spread), 10)
	return append(appendRing(appendWide(dst, wide), ring), '}')
}

// appendBeat is AppendHeartbeat in the binary form.
func appendBeat(dst []byte, spread, wide int, ring Ring) []byte {
	first := byte(OpHeartbeat)
	if wide != 0 {
		first |= flagWide
	}
	if ring != (Ring{}) {
		first |= flagRing
	}
	dst = binary.AppendUvarint(append(dst, first), uint64(spread))
	if wide != 0 {
		dst = binary.AppendUvarint(dst, uint64(wide))
	}
	if ring != (Ring{}) {
		dst = appendHash(binary.AppendUvarint(dst, ring.Version), ring.Hash)
	}
	return dst
}

// appendWide appends the key wide, unless it is 0.
func appendWide(dst []byte, wide int) []byte {
	if wide == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, `,"wide":`...), int64(wide), 10)
}

// appendRing appends the keys of a ring, if there is one.
func appendRing(dst []byte, r Ring) []byte {
	if r == (Ring{}) {
		return dst
	}
	dst = strconv.AppendUint(append(dst, `,"ring":`...), r.Version, 10)
	return append(appendHash(append(dst, `,"rh":"`...), r.Hash), '"')
}

// appendHash appends 16 hexadecimal digits.
func appendHash(dst []byte, h uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[h>>shift&15])
	}
	return dst
}

// AppendSkip appends that all kept messages up to number to are done with: why
// is "ttl" or "gone".
func AppendSkip(dst []byte, f Format, to uint64, why string) []byte {
	if f == Binary {
		return append(binary.AppendUvarint(append(dst, byte(OpSkip)), to), why...)
	}
	dst = strconv.AppendUint(append(dst, `{"t":"skip","to":`...), to, 10)
	return append(appendString(append(dst, `,"why":`...), why), '}')
}

// AppendAway appends that this connection will be closed with code in inMS
// milliseconds, and that the device is to connect to url then; empty: to where
// it would go anyway.
func AppendAway(dst []byte, f Format, code uint16, inMS int, url string) []byte {
	if f == Binary {
		dst = binary.AppendUvarint(append(dst, byte(OpAway)), uint64(code))
		return append(binary.AppendUvarint(dst, uint64(inMS)), url...)
	}
	dst = strconv.AppendUint(append(dst, `{"t":"away","code":`...), uint64(code), 10)
	dst = strconv.AppendInt(append(dst, `,"in":`...), int64(inMS), 10)
	if url != "" {
		dst = appendString(append(dst, `,"url":`...), url)
	}
	return append(dst, '}')
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

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
