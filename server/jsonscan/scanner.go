package jsonscan

import "strconv"

// Scanner steps through one JSON text. Its methods skip white space first, scan
// what they are named for, and leave At behind it. After an error At is
// somewhere in what was wrong, and the Scanner is of no more use.
type Scanner struct {
	// Set by the user.
	Data   []byte // the text; not changed
	Depth  int    // how many arrays and objects Value takes around each other; 0: none
	Leaves bool   // a value that is no array or object counts as a level too, also within Value

	// Set by both.
	At     int  // what is next, in bytes from the start of Data; at most len(Data)
	Spaced bool // white space was skipped outside strings; a user may clear it
}

// Next returns the byte that follows, without taking it: 0 at the end. A text
// may hold that byte too, where no value, key or mark can begin.
func (s *Scanner) Next() byte {
	if s.At < len(s.Data) && s.Data[s.At] > ' ' {
		return s.Data[s.At]
	}
	return s.skip()
}

// skip is the slow part of Next, which is small enough to be inlined.
func (s *Scanner) skip() byte {
	for s.At < len(s.Data) {
		switch c := s.Data[s.At]; c {
		case ' ', '\t', '\n', '\r':
			s.At++
			s.Spaced = true
		default:
			return c
		}
	}
	return 0
}

// Done reports whether nothing follows.
func (s *Scanner) Done() bool {
	s.Next()
	return s.At == len(s.Data)
}

// Accept takes c if it follows. c is not 0.
func (s *Scanner) Accept(c byte) bool {
	if s.Next() != c {
		return false
	}
	s.At++
	return true
}

// More takes what is behind a member of an object or an item of an array: a
// comma, then there is one more, or end, the closing bracket.
func (s *Scanner) More(end byte) (bool, *Error) {
	switch s.Next() {
	case ',':
		s.At++
		return true, nil
	case end:
		s.At++
		return false, nil
	}
	return false, s.Fail("',' or " + strconv.QuoteRune(rune(end)))
}

// Value passes over one value of any type. A caller who wants its text takes At
// after Next, and At after Value.
func (s *Scanner) Value() *Error { return s.value(1) }

// value passes over a value with depth-1 arrays and objects around it.
func (s *Scanner) value(depth int) *Error {
	c := s.Next()
	if depth > s.Depth && (c == '{' || c == '[' || s.Leaves) {
		err := s.Fail("at most " + strconv.Itoa(s.Depth) + " levels")
		err.Deep = true
		return err
	}
	switch {
	case c == '"':
		s.At++
		_, err := s.behindQuote()
		return err
	case c == '-' || isDigit(c):
		return s.skipNumber()
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case s.Word("true"), s.Word("false"), s.Word("null"):
		return nil
	}
	return s.Fail("a value")
}

// object passes over an object, at its first bracket.
func (s *Scanner) object(depth int) *Error {
	s.At++
	for more := !s.Accept('}'); more; {
		if !s.Accept('"') {
			return s.Fail("a string")
		}
		_, err := s.behindQuote()
		if err != nil {
			return err
		}
		if !s.Accept(':') {
			return s.Fail("':'")
		}
		if err = s.value(depth + 1); err != nil {
			return err
		}
		if more, err = s.More('}'); err != nil {
			return err
		}
	}
	return nil
}

// array passes over an array, at its first bracket.
func (s *Scanner) array(depth int) *Error {
	s.At++
	for more := !s.Accept(']'); more; {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		var err *Error
		if more, err = s.More(']'); err != nil {
			return err
		}
	}
	return nil
}

// Word takes w, which is true, false or null, if it follows. It does not look at
// what is behind w: no JSON text goes on there with a letter, so that whoever
// scans on finds it.
func (s *Scanner) Word(w string) bool {
	s.Next()
	if len(s.Data)-s.At < len(w) || string(s.Data[s.At:s.At+len(w)]) != w {
		return false
	}
	s.At += len(w)
	return true
}

// Bool scans true or false.
func (s *Scanner) Bool() (bool, *Error) {
	switch {
	case s.Word("true"):
		return true, nil
	case s.Word("false"):
		return false, nil
	}
	return false, s.Fail("true or false")
}
