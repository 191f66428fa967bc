package jsonscan

import (
	"strconv"
	"unicode/utf8"
)

// Error says where a text is not what was asked for.
type Error struct {
	At   int    // what is wrong, in bytes from the start of the text; its length: the text ends too early
	Want string // what may be there: to be read behind "want"
	Got  string // what is there: a character in single quotes, or "the end"
	Deep bool   // a value lies deeper than Scanner.Depth; what is in it was not looked at
}

// Error returns, for example, "byte 24: want a string, got '5'".
func (e *Error) Error() string {
	return "byte " + strconv.Itoa(e.At) + ": want " + e.Want + ", got " + e.Got
}

// Fail returns the error that want should be at s.At. Users call it for what
// only they know, such as which type a value has.
func (s *Scanner) Fail(want string) *Error {
	e := &Error{At: s.At, Want: want, Got: "the end"}
	if s.At < len(s.Data) {
		r, _ := utf8.DecodeRune(s.Data[s.At:])
		e.Got = strconv.QuoteRune(r)
	}
	return e
}
