package client

import "strconv"

// ConnectQuery appends the query of /v1/connect that says who the device is
// and where its stream stands, without the '?': device, and epoch, seq and sid
// where they are known, and failed after a dial to another node that came to nothing. Call it for each dial, behind Begin; hb and topics are
// the caller's to add.
func (s *Session) ConnectQuery(dst []byte) []byte {
	dst = appendEscaped(append(dst, "device="...), s.device)
	if s.epochLen != 0 {
		dst = append(append(dst, "&epoch="...), s.epoch[:s.epochLen]...)
		dst = strconv.AppendUint(append(dst, "&seq="...), s.done, 10)
	}
	if s.is(hasSID) {
		dst = appendSID(append(dst, "&sid="...), s.sid)
	}
	if o := s.others; o != nil && o.dialed == "" && o.failed != "" {
		dst = appendEscaped(append(dst, "&failed="...), o.failed)
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// appendEscaped appends v for a query: what RFC 3986 calls unreserved, and '/'
// and ':', stay as they are.
func appendEscaped(dst []byte, v string) []byte {
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/', c == ':':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

const sidLen = 16

// parseSID reads 16 lower-case hex digits.
func parseSID[T string | []byte](v T) (sid uint64, ok bool) {
	if len(v) != sidLen {
		return 0, false
	}
	for i := range sidLen {
		c := v[i]
		switch {
		case '0' <= c && c <= '9':
			sid = sid<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			sid = sid<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return sid, true
}

// appendSID is the inverse of parseSID.
func appendSID(dst []byte, sid uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[sid>>shift&15])
	}
	return dst
}

// validEpoch reports 1 to 32 of A-Z a-z 0-9 . _ -
func validEpoch(v string) bool {
	if len(v) == 0 || len(v) > maxEpoch {
		return false
	}
	for i := range len(v) {
		switch c := v[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
