package wire

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a payload, so that a hostile one costs no
// stack.
const maxDepth = 64

// scanner walks one JSON text (RFC 8259) without allocating. The input is known
// to be UTF-8 when it comes in a text message. It is our own because a
// heartbeat a minute from a million devices goes through it: encoding/json
// costs 9 allocations for one. Its oracle in tests is encoding/json.
type scanner struct {
	b []byte
	i int
}

// fail words what is wrong and where.
func (s *scanner) fail(want string) *Error {
	got := "the end"
	if s.i < len(s.b) {
		r, _ := utf8.DecodeRune(s.b[s.i:])
		got = fmt.Sprintf("%q", r)
	}
	return &Error{Code: CodeMalformed, Text: fmt.Sprintf("byte %d: want %s, got %s", s.i, want, got)}
}

// space skips white space and returns the next byte, 0 at the end.
func (s *scanner) space() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// accept skips white space and c if it is next.
func (s *scanner) accept(c byte) bool {
	if s.space() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

// str scans a string and returns what is between the quotes; escaped says that
// it has to be unquoted.
func (s *scanner) str() (raw []byte, escaped bool, err *Error) {
	if !s.accept('"') {
		return nil, false, s.fail("a string")
	}
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < ' ':
			return nil, false, s.fail("a string without control characters")
		default:
			s.i++
		}
	}
	return nil, false, s.fail("the end of a string")
}

// escape scans one escape sequence, at its backslash.
func (s *scanner) escape() *Error {
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

// text scans a string and unquotes it.
func (s *scanner) text() ([]byte, *Error) {
	raw, escaped, err := s.str()
	if err != nil || !escaped {
		return raw, err
	}
	var out string
	quoted := s.b[s.i-len(raw)-2 : s.i]
	if json.Unmarshal(quoted, &out) != nil {
		return nil, s.fail("a string")
	}
	return []byte(out), nil
}

// number scans a non-negative integer of at most 64 bits.
func (s *scanner) number() (n uint64, err *Error) {
	c := s.space()
	start := s.i
	for ; s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9'; s.i++ {
		d := uint64(s.b[s.i] - '0')
		if n > (1<<64-1-d)/10 {
			return 0, s.fail("an integer of at most 64 bits")
		}
		n = n*10 + d
	}
	if s.i == start || c == '0' && s.i > start+1 {
		s.i = start
		return 0, s.fail("a non-negative integer")
	}
	if s.i < len(s.b) {
		switch s.b[s.i] {
		case '.', 'e', 'E':
			return 0, s.fail("an integer")
		}
	}
	return n, nil
}

// value scans any value and returns its text.
func (s *scanner) value(depth int) ([]byte, *Error) {
	c := s.space()
	start := s.i
	var err *Error
	switch {
	case depth > maxDepth && (c == '{' || c == '['):
		err = s.fail(fmt.Sprintf("at most %d levels", maxDepth))
	case c == '"':
		_, _, err = s.str()
	case c == '{':
		err = s.members('}', depth, true)
	case c == '[':
		err = s.members(']', depth, false)
	case c == '-' || '0' <= c && c <= '9':
		err = s.skipNumber()
	default:
		err = s.literal()
	}
	return s.b[start:s.i], err
}

// members scans an object or array, at its first bracket.
func (s *scanner) members(end byte, depth int, keys bool) *Error {
	s.i++
	if s.accept(end) {
		return nil
	}
	for {
		if keys {
			if _, _, err := s.str(); err != nil {
				return err
			}
			if !s.accept(':') {
				return s.fail("':'")
			}
		}
		if _, err := s.value(depth + 1); err != nil {
			return err
		}
		if s.accept(end) {
			return nil
		}
		if !s.accept(',') {
			return s.fail(fmt.Sprintf("',' or %q", end))
		}
	}
}

// literal scans true, false or null.
func (s *scanner) literal() *Error {
	for _, word := range [...]string{"true", "false", "null"} {
		if len(s.b)-s.i >= len(word) && string(s.b[s.i:s.i+len(word)]) == word {
			s.i += len(word)
			return nil
		}
	}
	return s.fail("a value")
}

// skipNumber scans any JSON number.
func (s *scanner) skipNumber() *Error {
	if s.b[s.i] == '-' {
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
