package api

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a payload: a device need not understand more
// than 64 levels, and the message around it takes one.
const maxDepth = 60

// scanner walks one JSON text (RFC 8259). It is our own because every publish
// goes through it: encoding/json takes seven times as long for one request and
// cannot tell keys that come twice. Its oracle in the tests is encoding/json.
type scanner struct {
	b      []byte
	i      int
	spaced bool // white space was skipped since this was last reset
}

// fail words what is wrong and where.
func (s *scanner) fail(want string) *problem {
	got := "the end"
	if s.i < len(s.b) {
		r, _ := utf8.DecodeRune(s.b[s.i:])
		got = strconv.QuoteRune(r)
	}
	return invalid("", fmt.Sprintf("this is not JSON: byte %d: want %s, got %s", s.i, want, got))
}

// next skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) next() byte {
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	return s.skip()
}

// skip is the slow part of next, which is small enough to be inlined.
func (s *scanner) skip() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
			s.spaced = true
		default:
			return c
		}
	}
	return 0
}

// accept skips white space, and c if it is next.
func (s *scanner) accept(c byte) bool {
	if s.next() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

// plain are the bytes of a string that need no look: all but the quote, the
// backslash and control characters.
var plain = func() (t [256]bool) {
	for c := ' '; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// str scans a string and returns what is between the quotes; escaped says that
// it has to be unquoted.
func (s *scanner) str() (raw []byte, escaped bool, bad *problem) {
	if !s.accept('"') {
		return nil, false, s.fail("a string")
	}
	start := s.i
	for {
		i := s.i // a variable of its own stays in a register
		for i < len(s.b) && plain[s.b[i]] {
			i++
		}
		s.i = i
		switch {
		case i == len(s.b):
			return nil, false, s.fail("the end of a string")
		case s.b[i] == '"':
			s.i++
			return s.b[start:i], escaped, nil
		case s.b[i] != '\\':
			return nil, false, s.fail("a string without control characters")
		}
		escaped = true
		if bad := s.escape(); bad != nil {
			return nil, false, bad
		}
	}
}

// escape scans one escape sequence, at its backslash.
func (s *scanner) escape() *problem {
	s.i++
	if s.i == len(s.b) {
		return s.fail("an escape")
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		for range 4 {
			if s.i == len(s.b) || !isHex(s.b[s.i]) {
				return s.fail("four hex digits")
			}
			s.i++
		}
		return nil
	}
	return s.fail("an escape")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// text scans a string and unquotes it. What it returns is part of the input
// unless there were escapes.
func (s *scanner) text() ([]byte, *problem) {
	raw, escaped, bad := s.str()
	if bad != nil || !escaped {
		return raw, bad
	}
	var out string
	if err := json.Unmarshal(s.b[s.i-len(raw)-2:s.i], &out); err != nil {
		return nil, s.fail("a string")
	}
	return []byte(out), nil
}

// number scans any JSON number. One beyond float64 comes out as infinite.
func (s *scanner) number() (float64, *problem) {
	s.next()
	start := s.i
	if bad := s.skipNumber(); bad != nil {
		return 0, bad
	}
	f, _ := strconv.ParseFloat(string(s.b[start:s.i]), 64)
	return f, nil
}

// value scans any value at a depth of so many levels.
func (s *scanner) value(depth int) *problem {
	c := s.next()
	switch {
	case depth > maxDepth:
		return invalid("", fmt.Sprintf("byte %d: the value is nested too deeply: at most %d levels are allowed", s.i, maxDepth))
	case c == '"':
		_, _, bad := s.str()
		return bad
	case c == '{':
		return s.members('}', depth, true)
	case c == '[':
		return s.members(']', depth, false)
	case c == '-' || '0' <= c && c <= '9':
		return s.skipNumber()
	}
	return s.literal()
}

// members scans an object or array, at its first bracket.
func (s *scanner) members(end byte, depth int, keys bool) *problem {
	s.i++
	if s.accept(end) {
		return nil
	}
	for {
		if keys {
			if _, _, bad := s.str(); bad != nil {
				return bad
			}
			if !s.accept(':') {
				return s.fail("':'")
			}
		}
		if bad := s.value(depth + 1); bad != nil {
			return bad
		}
		if s.accept(end) {
			return nil
		}
		if !s.accept(',') {
			return s.fail("',' or " + strconv.QuoteRune(rune(end)))
		}
	}
}

// word scans w if it is next.
func (s *scanner) word(w string) bool {
	s.next()
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// literal scans true, false or null.
func (s *scanner) literal() *problem {
	if s.word("true") || s.word("false") || s.word("null") {
		return nil
	}
	return s.fail("a value")
}

// skipNumber scans any JSON number, at its first byte.
func (s *scanner) skipNumber() *problem {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	zero := s.i < len(s.b) && s.b[s.i] == '0'
	n := s.digits()
	if n == 0 || zero && n > 1 {
		return s.fail("a number")
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if s.digits() == 0 {
			return s.fail("a digit")
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if s.digits() == 0 {
			return s.fail("a digit")
		}
	}
	return nil
}

func (s *scanner) digits() int {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i - start
}

// compact takes the white space out of a JSON value, in place.
func compact(b []byte) []byte {
	out, quoted := b[:0], false
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case quoted && c == '\\': // the byte behind it ends nothing
			out = append(out, c, b[i+1])
			i++
			continue
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		out = append(out, c)
	}
	return out
}
