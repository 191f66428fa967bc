package ws

import "bytes"

const getSpace = "GET "

// checkMethod looks at as much of the method as is there.
func checkMethod(b []byte) *HandshakeError {
	n := min(len(b), len(getSpace))
	if string(b[:n]) == getSpace[:n] {
		return nil
	}
	if len(b) > 0 && class[b[0]]&tokenByte == 0 {
		return ErrNotHTTP
	}
	return ErrMethod
}

// cutRequestLine splits "GET target HTTP/1.minor" (RFC 9112, 3).
func cutRequestLine(line []byte) (target []byte, minor uint8, e *HandshakeError) {
	if len(line) == 0 {
		return nil, 0, ErrNotHTTP
	}
	if e := checkMethod(line); e != nil {
		return nil, 0, e
	}
	if len(line) < len(getSpace) {
		return nil, 0, ErrMethod
	}
	line = line[len(getSpace):]
	i := bytes.IndexByte(line, ' ')
	if i < 0 {
		i = len(line)
	}
	target = line[:i]
	if len(target) == 0 || !all(target, targetByte) {
		return nil, 0, ErrTarget
	}
	if i == len(line) {
		return nil, 0, ErrRequestLine
	}
	minor, e = httpVersion(line[i+1:])
	return target, minor, e
}

func checkRequestLine(line []byte) *HandshakeError {
	_, _, e := cutRequestLine(line)
	return e
}

// httpVersion reads HTTP-version (RFC 9112, 2.3).
func httpVersion(v []byte) (minor uint8, e *HandshakeError) {
	const http1 = "HTTP/1."
	if len(v) != len(http1)+1 || string(v[:5]) != http1[:5] || v[6] != '.' || !digit(v[5]) || !digit(v[7]) {
		return 0, ErrRequestLine
	}
	if v[5] != '1' {
		return 0, ErrHTTPVersion
	}
	return v[7] - '0', nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// checkCutRequestLine finds what is already wrong with a request line that has
// no end yet.
func checkCutRequestLine(b []byte) *HandshakeError {
	if e := checkMethod(b); e != nil || len(b) <= len(getSpace) {
		return e
	}
	if b[len(b)-1] == '\r' {
		return checkRequestLine(b[:len(b)-1])
	}
	b = b[len(getSpace):]
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		i = len(b)
	}
	if !all(b[:i], targetByte) || i == 0 {
		return ErrTarget
	}
	const version = " HTTP/"
	rest := b[i:]
	if n := min(len(rest), len(version)); string(rest[:n]) != version[:n] || len(rest) > len(version)+3 {
		return ErrRequestLine
	}
	return nil
}
