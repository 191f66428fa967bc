package ws

import "bytes"

// MaxHead is the largest request or response head accepted, in bytes, from the
// first byte to the empty line.
const MaxHead = 8 << 10

// maxRepeat is how many headers of one name are kept where several are allowed.
const maxRepeat = 8

// Classes of bytes in HTTP heads (RFC 9110, 5.5 and 5.6.2).
const (
	tokenByte  = 1 << iota // tchar
	valueByte              // field-vchar, SP, HTAB
	targetByte             // visible ASCII without '#': RFC 9112, 3.2, and no fragment
	hostByte               // RFC 3986, 3.2.2 and 3.2.3: host and port
)

var class = makeClass()

func makeClass() (t [256]uint8) {
	for i := range t {
		b := byte(i)
		alnum := 'a' <= b|0x20 && b|0x20 <= 'z' || '0' <= b && b <= '9'
		if alnum || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), b) >= 0 {
			t[i] |= tokenByte
		}
		if b >= 0x20 && b != 0x7F || b == '\t' {
			t[i] |= valueByte
		}
		if b > 0x20 && b < 0x7F && b != '#' {
			t[i] |= targetByte
		}
		if alnum || bytes.IndexByte([]byte("!$&'()*+,;=-._~%:[]"), b) >= 0 {
			t[i] |= hostByte
		}
	}
	return t
}

// all reports that each byte of b is in class c.
func all(b []byte, c uint8) bool {
	for _, x := range b {
		if class[x]&c == 0 {
			return false
		}
	}
	return true
}

// isToken is token of RFC 9110, 5.6.2.
func isToken(b []byte) bool { return len(b) > 0 && all(b, tokenByte) }

// cutLine takes one line that ends in CR LF; ok is false if there is no line
// feed yet. A line feed without its carriage return gives bare (RFC 9112, 2.2
// lets a server be strict, and smuggling lives on lenience).
func cutLine(b []byte) (line, rest []byte, ok, bare bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, b, false, false
	}
	if i == 0 || b[i-1] != '\r' {
		return nil, b, false, true
	}
	return b[:i-1], b[i+1:], true, false
}

// headEnd returns the length of the head that ends at or behind from, or 0.
func headEnd(buf []byte, from int) int {
	from = max(0, from-3)
	i := bytes.Index(buf[from:], []byte("\r\n\r\n"))
	if i < 0 {
		return 0
	}
	return from + i + 4
}

// checkCut looks for what is already wrong in a head that is not whole, from
// the line that begins at from. next is where the last, cut line begins. first
// and cutFirst judge the first line, whole or cut.
func checkCut(buf []byte, from int, first, cutFirst func([]byte) *HandshakeError) (next int, e *HandshakeError) {
	for {
		line, rest, ok, bare := cutLine(buf[from:])
		if bare {
			return from, ErrBareLF
		}
		if !ok {
			break
		}
		if from == 0 {
			e = first(line)
		} else {
			_, _, e = cutField(line)
		}
		if e != nil {
			return from, e
		}
		from = len(buf) - len(rest)
	}
	if from == 0 {
		return from, cutFirst(buf)
	}
	return from, checkCutField(buf[from:])
}

// cutField splits a whole header line (RFC 9112, 5.1).
func cutField(line []byte) (name, value []byte, e *HandshakeError) {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		if e = checkName(line); e == nil {
			e = ErrHeaderColon
		}
		return nil, nil, e
	}
	if e = checkName(line[:i]); e != nil {
		return nil, nil, e
	}
	value = trim(line[i+1:])
	if !all(value, valueByte) {
		return nil, nil, ErrHeaderValue
	}
	return line[:i], value, nil
}

// checkCutField finds what is already wrong with a header line that has no end
// yet. Its last byte may be the CR of the line end.
func checkCutField(line []byte) *HandshakeError {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		if len(line) == 0 {
			return nil
		}
		return checkName(line)
	}
	_, _, e := cutField(line)
	return e
}

// checkName checks a header name or the begin of one.
func checkName(name []byte) *HandshakeError {
	if len(name) == 0 {
		return ErrHeaderName
	}
	if name[0] == ' ' || name[0] == '\t' {
		return ErrHeaderFolded
	}
	if !all(name, tokenByte) {
		return ErrHeaderName
	}
	return nil
}

// trim removes optional white space (RFC 9110, 5.6.3).
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// foldEq compares ASCII without case. lower must be lower case.
func foldEq(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, x := range b {
		if 'A' <= x && x <= 'Z' {
			x |= 0x20
		}
		if x != lower[i] {
			return false
		}
	}
	return true
}

// Tokens walks the elements of a comma list spread over several headers
// (RFC 9110, 5.6.1): empty elements are skipped, white space is cut off. It
// allocates nothing:
//
//	for t := req.OfferedProtocols(); t.Next(); {
//		use(t.Token())
//	}
type Tokens struct {
	values [][]byte
	rest   []byte
	token  []byte
}

// NewTokens walks the given header values.
func NewTokens(values [][]byte) Tokens { return Tokens{values: values} }

// Next goes to the next element; false at the end.
func (t *Tokens) Next() bool {
	for {
		for len(t.rest) == 0 {
			if len(t.values) == 0 {
				return false
			}
			t.rest, t.values = t.values[0], t.values[1:]
		}
		i := bytes.IndexByte(t.rest, ',')
		if i < 0 {
			i = len(t.rest)
		}
		t.token = trim(t.rest[:i])
		t.rest = t.rest[min(i+1, len(t.rest)):]
		if len(t.token) > 0 {
			return true
		}
	}
}

// Token is the current element: a slice of the header.
func (t *Tokens) Token() []byte { return t.token }

// hasToken looks for a token in one header value, without case.
func hasToken(value []byte, lower string) bool {
	for len(value) > 0 {
		i := bytes.IndexByte(value, ',')
		if i < 0 {
			i = len(value)
		}
		if foldEq(trim(value[:i]), lower) {
			return true
		}
		value = value[min(i+1, len(value)):]
	}
	return false
}

// lookup finds the first header of that lower-case name in checked header lines.
func lookup(lines []byte, lower string) []byte {
	for {
		line, rest, ok, _ := cutLine(lines)
		if !ok || len(line) == 0 {
			return nil
		}
		if i := bytes.IndexByte(line, ':'); i >= 0 && foldEq(line[:i], lower) {
			return trim(line[i+1:])
		}
		lines = rest
	}
}
