package ws

import (
	"encoding/binary"

	gobwas "github.com/gobwas/ws"
)

// MaxHeader is the largest frame header in bytes.
const MaxHeader = 14

// HeaderSize is the size of an unmasked frame header for n payload bytes: 2, 4
// or 10 (RFC 6455, 5.2). A masked one is 4 bytes longer.
func HeaderSize(n int) int {
	switch {
	case n < 126:
		return 2
	case n <= 0xFFFF:
		return 4
	default:
		return 10
	}
}

// AppendHeader appends the header h with the shortest length form. Nothing is
// checked; h.Mask is written only if h.Masked.
func AppendHeader(dst []byte, h Header) []byte {
	first := byte(h.OpCode)&0x0F | h.Rsv<<4&rsvBits
	if h.Fin {
		first |= finBit
	}
	var masked byte
	if h.Masked {
		masked = maskBit
	}
	dst = appendHead(dst, first, masked, int(h.Length))
	if h.Masked {
		dst = append(dst, h.Mask[0], h.Mask[1], h.Mask[2], h.Mask[3])
	}
	return dst
}

func appendHead(dst []byte, first, masked byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, masked|byte(n))
	case n <= 0xFFFF:
		return append(dst, first, masked|126, byte(n>>8), byte(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, masked|127), uint64(n))
	}
}

// AppendFrame appends a whole unfragmented server frame.
func AppendFrame(dst []byte, op OpCode, payload []byte) []byte {
	return append(appendHead(dst, finBit|byte(op), 0, len(payload)), payload...)
}

// AppendFrameRSV1 appends a whole server message that Deflater compressed
// (RFC 7692, 6). op is OpText or OpBinary.
func AppendFrameRSV1(dst []byte, op OpCode, compressed []byte) []byte {
	return append(appendHead(dst, finBit|rsv1Bit|byte(op), 0, len(compressed)), compressed...)
}

// AppendFragment appends one server frame of a fragmented message (RFC 6455,
// 5.4): op is OpText or OpBinary in the first and OpContinuation in the others;
// fin marks the last.
func AppendFragment(dst []byte, op OpCode, fin bool, payload []byte) []byte {
	first := byte(op)
	if fin {
		first |= finBit
	}
	return append(appendHead(dst, first, 0, len(payload)), payload...)
}

// AppendMasked appends a whole unfragmented client frame. The mask must be
// fresh and unpredictable for each frame where a proxy could be fooled by the
// content (RFC 6455, 5.3 and 10.3). payload is not changed.
func AppendMasked(dst []byte, op OpCode, mask [4]byte, payload []byte) []byte {
	dst = appendHead(dst, finBit|byte(op), maskBit, len(payload))
	dst = append(append(dst, mask[0], mask[1], mask[2], mask[3]), payload...)
	gobwas.Cipher(dst[len(dst)-len(payload):], mask, 0)
	return dst
}

// AppendMaskedFrame appends a client frame with the FIN, RSV, opcode and mask
// of h; its Masked and Length are set here. payload is not changed.
func AppendMaskedFrame(dst []byte, h Header, payload []byte) []byte {
	h.Masked, h.Length = true, int64(len(payload))
	dst = AppendHeader(dst, h)
	start := len(dst)
	dst = append(dst, payload...)
	gobwas.Cipher(dst[start:], h.Mask, 0)
	return dst
}

// AppendClose appends a server's close frame (RFC 6455, 5.5.1). A code of 0 or
// StatusNoStatus gives an empty frame. Other codes that must not be sent (see
// ValidCloseCode) become StatusInternalError: whatever was meant, the peer must
// not see a protocol error. reason is cut to MaxReason bytes before a
// character and left out if it is not UTF-8.
func AppendClose(dst []byte, code StatusCode, reason string) []byte {
	if code == 0 || code == StatusNoStatus {
		return append(dst, finBit|byte(OpClose), 0)
	}
	if !ValidCloseCode(code) {
		code = StatusInternalError
	}
	reason = truncateReason(reason)
	dst = append(dst, finBit|byte(OpClose), byte(2+len(reason)), byte(code>>8), byte(code))
	return append(dst, reason...)
}

// AppendMaskedClose is AppendClose for a client.
func AppendMaskedClose(dst []byte, mask [4]byte, code StatusCode, reason string) []byte {
	var buf [2 + MaxControl]byte
	frame := AppendClose(buf[:0], code, reason)
	return AppendMasked(dst, OpClose, mask, frame[2:])
}
