package ws

import (
	"bytes"
	"errors"
)

// ErrQueryEscape reports a '%' without two hex digits in a query value.
var ErrQueryEscape = errors.New("ws: malformed percent-encoding in query")

// QueryValue appends the decoded value of the first parameter named key to dst;
// found is false if there is none. '+' is a space, as browsers write it. Names
// are compared decoded; one that cannot be decoded matches nothing. With
// ErrQueryEscape dst is unchanged.
func QueryValue(rawQuery []byte, key string, dst []byte) (out []byte, found bool, err error) {
	out, _, found, err = QueryNext(rawQuery, key, dst)
	return out, found, err
}

// QueryNext is QueryValue for a parameter that may be repeated: rest is the query
// behind the one found.
func QueryNext(rawQuery []byte, key string, dst []byte) (out, rest []byte, found bool, err error) {
	for len(rawQuery) > 0 {
		i := bytes.IndexByte(rawQuery, '&')
		if i < 0 {
			i = len(rawQuery)
		}
		pair := rawQuery[:i]
		rawQuery = rawQuery[min(i+1, len(rawQuery)):]
		name, value := pair, []byte(nil)
		if i := bytes.IndexByte(pair, '='); i >= 0 {
			name, value = pair[:i], pair[i+1:]
		}
		if len(pair) == 0 || !queryNameIs(name, key) {
			continue
		}
		out, ok := appendUnescaped(dst, value)
		if !ok {
			return dst, rawQuery, true, ErrQueryEscape
		}
		return out, rawQuery, true, nil
	}
	return dst, nil, false, nil
}

func appendUnescaped(dst, b []byte) ([]byte, bool) {
	for len(b) > 0 {
		c, n := unescape(b)
		if n == 0 {
			return dst, false
		}
		dst = append(dst, c)
		b = b[n:]
	}
	return dst, true
}

func queryNameIs(name []byte, key string) bool {
	for len(name) > 0 {
		c, n := unescape(name)
		if n == 0 || key == "" || c != key[0] {
			return false
		}
		name, key = name[n:], key[1:]
	}
	return key == ""
}

// unescape decodes the first character of b, which takes n bytes; 0: malformed.
func unescape(b []byte) (c byte, n int) {
	switch b[0] {
	case '+':
		return ' ', 1
	case '%':
		if len(b) < 3 {
			return 0, 0
		}
		hi, lo := unhex(b[1]), unhex(b[2])
		if hi > 15 || lo > 15 {
			return 0, 0
		}
		return hi<<4 | lo, 3
	}
	return b[0], 1
}

// unhex is the value of a hex digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}
