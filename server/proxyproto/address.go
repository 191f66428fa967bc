package proxyproto

import (
	"bytes"
	"net/netip"
)

// netip.ParseAddr reads the same addresses, but takes a string, which would be
// allocated for each connection. It is the slow twin of both in the tests.

// parseIPv4 reads four numbers from 0 to 255 without zeros in front.
func parseIPv4(b []byte) (netip.Addr, bool) {
	a, ok := readIPv4(b)
	return netip.AddrFrom4(a), ok
}

func readIPv4(b []byte) (a [4]byte, ok bool) {
	for i := range a {
		digits := b
		if i < 3 {
			dot := bytes.IndexByte(b, '.')
			if dot < 0 {
				return a, false
			}
			digits, b = b[:dot], b[dot+1:]
		}
		n, ok := parsePort(digits)
		if !ok || n > 255 {
			return a, false
		}
		a[i] = byte(n)
	}
	return a, true
}

// parseIPv6 reads the forms of RFC 4291, section 2.2: groups of up to four
// hexadecimal digits, one "::" for one or more groups of zeros, the last 32 bits as
// an IPv4 address or not. A zone is no part of it.
func parseIPv6(b []byte) (ip netip.Addr, ok bool) {
	var a [16]byte
	n, gap := 0, -1 // bytes read, and how many of them stand before the "::"
	if bytes.HasPrefix(b, []byte("::")) {
		gap, b = 0, b[2:]
	}
	for len(b) > 0 && n < len(a) {
		group, digits := readGroup(b)
		if digits == 0 {
			return ip, false
		}
		if digits < len(b) && b[digits] == '.' {
			last, ok := readIPv4(b)
			if !ok || n > len(a)-len(last) {
				return ip, false
			}
			n += copy(a[n:], last[:])
			b = nil
			break
		}
		a[n], a[n+1] = byte(group>>8), byte(group)
		n += 2
		if b = b[digits:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return ip, false
		}
		if b = b[1:]; b[0] == ':' {
			if gap >= 0 {
				return ip, false
			}
			gap, b = n, b[1:]
		}
	}
	if len(b) > 0 || (gap < 0) != (n == len(a)) {
		return ip, false
	}
	if gap >= 0 {
		behind := n - gap
		copy(a[len(a)-behind:], a[gap:n])
		clear(a[gap : len(a)-behind])
	}
	return netip.AddrFrom16(a), true
}

// readGroup reads one to four hexadecimal digits; digits is 0 where there are none
// or more.
func readGroup(b []byte) (group uint16, digits int) {
	for digits < len(b) {
		c, v := b[digits], uint16(0)
		switch {
		case '0' <= c && c <= '9':
			v = uint16(c - '0')
		case 'a' <= c && c <= 'f':
			v = uint16(c-'a') + 10
		case 'A' <= c && c <= 'F':
			v = uint16(c-'A') + 10
		default:
			return group, digits
		}
		if digits == 4 {
			return 0, 0
		}
		group = group<<4 | v
		digits++
	}
	return group, digits
}
