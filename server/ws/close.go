package ws

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// ValidCloseCode reports whether a close frame may carry code: 1000-1003 and
// 1007-1014 (RFC 6455, 7.4.1, and the IANA registry, which added 1012-1014),
// 3000-4999 (7.4.2). 1004 is undefined, 1005, 1006 and 1015 must never be on
// the wire, 1016-2999 belong to future protocol versions, 0-999 and 5000 up do
// not exist.
func ValidCloseCode(code StatusCode) bool {
	switch {
	case code < 1000, code > 4999:
		return false
	case code <= 1003, code >= 3000:
		return true
	}
	return 1007 <= code && code <= 1014
}

// parseClose fills ev from a close payload (RFC 6455, 5.5.1), which does not
// have one byte: checkSecond refused that.
func parseClose(payload []byte, ev *Event) *ProtocolError {
	if len(payload) == 0 {
		*ev = Event{Kind: Close, Code: StatusNoStatus}
		return nil
	}
	code := StatusCode(binary.BigEndian.Uint16(payload))
	if !ValidCloseCode(code) {
		return ErrInvalidCloseCode
	}
	reason := payload[2:]
	if !utf8.Valid(reason) {
		return ErrInvalidReason
	}
	*ev = Event{Kind: Close, Code: code, Payload: payload, Reason: reason}
	return nil
}

// CloseEcho is the code that answers a received Close event: the same code,
// and StatusNoStatus (an empty close frame) for an empty one (RFC 6455, 5.5.1).
func CloseEcho(ev Event) StatusCode { return ev.Code }

// CloseFor is the code to close with after err: its own if it is (or wraps) a
// ProtocolError, StatusInternalError for any other, StatusNormal for nil.
func CloseFor(err error) StatusCode {
	if err == nil {
		return StatusNormal
	}
	var p *ProtocolError
	if errors.As(err, &p) {
		return p.Code
	}
	return StatusInternalError
}

// truncateReason cuts reason to at most MaxReason bytes before a character,
// and to nothing if it is not UTF-8: an invalid reason would make the peer
// report a protocol error of ours instead of the reason.
func truncateReason(reason string) string {
	if len(reason) > MaxReason {
		n := MaxReason
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	if !utf8.ValidString(reason) {
		return ""
	}
	return reason
}
