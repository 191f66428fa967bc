package proxyproto

import (
	"bytes"
	"net/netip"
)

// parseV1 reads a line of version 1 (2.1). b begins with prefixV1.
func parseV1(b []byte) (h Header, n int, err error) {
	end, err := lineEnd(b)
	if err != nil {
		return Header{}, 0, err
	}
	h.Version = 1
	family, rest, more := cut(b[len(prefixV1):end])
	var parse func([]byte) (netip.Addr, bool)
	switch string(family) {
	case "UNKNOWN":
		return h, end + 2, nil // whatever follows is to be ignored
	case "TCP4":
		parse = parseIPv4
	case "TCP6":
		parse = parseIPv6
	default:
		return Header{}, 0, ErrV1Family
	}
	var fields [4][]byte
	for i := range fields {
		if !more {
			return Header{}, 0, ErrV1Fields
		}
		fields[i], rest, more = cut(rest)
	}
	if more {
		return Header{}, 0, ErrV1Fields
	}
	from, ok1 := parse(fields[0])
	to, ok2 := parse(fields[1])
	if !ok1 || !ok2 {
		return Header{}, 0, ErrV1Address
	}
	fromPort, ok1 := parsePort(fields[2])
	toPort, ok2 := parsePort(fields[3])
	if !ok1 || !ok2 {
		return Header{}, 0, ErrV1Port
	}
	h.Source, h.Destination = netip.AddrPortFrom(from, fromPort), netip.AddrPortFrom(to, toPort)
	return h, end + 2, nil
}

// lineEnd returns where the CR LF of the first line is.
func lineEnd(b []byte) (int, error) {
	line := b[:min(len(b), MaxV1)]
	i := bytes.IndexByte(line, '\n')
	cr := bytes.IndexByte(line, '\r')
	switch {
	case i >= 0 && cr == i-1:
		return cr, nil
	case i >= 0, cr >= 0 && cr != len(line)-1:
		return 0, ErrV1End
	case len(line) == MaxV1:
		return 0, ErrV1TooLong
	}
	return 0, ErrShort
}

// cut splits b at its first space; found says whether there is one.
func cut(b []byte) (before, after []byte, found bool) {
	if i := bytes.IndexByte(b, ' '); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

// parsePort reads 0 to 65535 without zeros in front.
func parsePort(b []byte) (port uint16, ok bool) {
	if len(b) == 0 || len(b) > 5 || len(b) > 1 && b[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return uint16(n), n <= 65535
}
