package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// Text scans a string and returns what it says: a part of Data, or a copy if it
// has escapes.
func (s *Scanner) Text() ([]byte, *Error) {
	if !s.Accept('"') {
		return nil, s.Fail("a string")
	}
	start := s.At
	escaped, err := s.behindQuote()
	switch {
	case err != nil:
		return nil, err
	case escaped:
		return unescape(s.Data[start-1 : s.At]), nil
	}
	return s.Data[start : s.At-1 : s.At-1], nil
}

// Key scans a key of an object and the colon behind it, and returns what the key
// says, like Text. At is where the value begins.
func (s *Scanner) Key() ([]byte, *Error) {
	key, err := s.Text()
	if err != nil {
		return nil, err
	}
	if !s.Accept(':') {
		return nil, s.Fail("':'")
	}
	s.Next()
	return key, nil
}

// Unquote returns what a string says that a Scanner has passed over: quoted is
// its text, with the quotes. The result is a part of quoted, or a copy if it has
// escapes.
func Unquote(quoted []byte) []byte {
	end := len(quoted) - 1
	text := quoted[1:end:end]
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	return unescape(quoted)
}

// unescape leaves to encoding/json what is rare: half a surrogate pair becomes
// U+FFFD, and in a string with escapes so does what is not UTF-8. There is no
// error that could come: behindQuote has scanned it.
func unescape(quoted []byte) []byte {
	var out string
	json.Unmarshal(quoted, &out)
	return []byte(out)
}

// plain returns how many bytes of b, from its start, need no look within a
// string: all but the quote, the backslash and control characters. It looks at
// eight at a time.
func plain(b []byte) (n int) {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(b)-n >= 8; n += 8 {
		v := binary.LittleEndian.Uint64(b[n:])
		quote, back := v^'"'*ones, v^'\\'*ones
		// The top bit of each byte that is one of these; those above the first such
		// byte may be wrong, for what was borrowed.
		if odd := ((v-' '*ones)&^v | (quote-ones)&^quote | (back-ones)&^back) & tops; odd != 0 {
			return n + bits.TrailingZeros64(odd)/8
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

// behindQuote scans a string behind its first quote, and its last one.
func (s *Scanner) behindQuote() (escaped bool, err *Error) {
	for {
		at := s.At + plain(s.Data[s.At:]) // a variable of its own stays in a register
		s.At = at
		switch {
		case at >= len(s.Data):
			return false, s.Fail("the end of a string")
		case s.Data[at] == '"':
			s.At = at + 1
			return escaped, nil
		case s.Data[at] != '\\':
			return false, s.Fail("a string without control characters")
		}
		escaped = true
		if err := s.escape(); err != nil {
			return false, err
		}
	}
}

// escape scans one escape sequence, at its backslash.
func (s *Scanner) escape() *Error {
	s.At++
	if s.At == len(s.Data) {
		return s.Fail("an escape")
	}
	switch s.Data[s.At] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.At++
		return nil
	case 'u':
		s.At++
		for range 4 {
			if s.At == len(s.Data) || !isHex(s.Data[s.At]) {
				return s.Fail("four hex digits")
			}
			s.At++
		}
		return nil
	}
	return s.Fail("an escape")
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// Compact takes the white space out of one JSON value, in place, and returns
// what is left: the beginning of value. value is one that a Scanner has passed
// over; if Spaced is false, there is nothing to take out.
func Compact(value []byte) []byte {
	out, quoted := value[:0], false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case quoted && c == '\\': // the byte behind it ends nothing
			out = append(out, c, value[i+1])
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
