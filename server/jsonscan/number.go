package jsonscan

import (
	"math"
	"strconv"
)

// Uint scans an integer from 0 to 2^64-1, written with neither sign, fraction
// nor exponent.
func (s *Scanner) Uint() (n uint64, err *Error) {
	c := s.Next()
	start, at := s.At, s.At
	for ; at < len(s.Data) && isDigit(s.Data[at]); at++ {
		d := uint64(s.Data[at] - '0')
		if n > (math.MaxUint64-9)/10 && n > (math.MaxUint64-d)/10 {
			s.At = at
			return 0, s.Fail("an integer of at most 64 bits")
		}
		n = n*10 + d
	}
	if at == start || c == '0' && at > start+1 {
		return 0, s.Fail("a non-negative integer")
	}
	s.At = at
	if s.at('.') || s.at('e') || s.at('E') {
		return 0, s.Fail("an integer")
	}
	return n, nil
}

// Number scans any number. It is the nearest float64; one beyond the largest
// comes out as infinite, with its sign.
func (s *Scanner) Number() (float64, *Error) {
	s.Next()
	start := s.At
	if err := s.skipNumber(); err != nil {
		return 0, err
	}
	f, _ := strconv.ParseFloat(string(s.Data[start:s.At]), 64) // its only error here is the range
	return f, nil
}

// skipNumber passes over any number, at its first byte.
func (s *Scanner) skipNumber() *Error {
	if s.at('-') {
		s.At++
	}
	zero := s.at('0')
	n := s.digits()
	if n == 0 || zero && n > 1 {
		return s.Fail("a number")
	}
	if s.at('.') {
		s.At++
		if s.digits() == 0 {
			return s.Fail("a digit")
		}
	}
	if s.at('e') || s.at('E') {
		s.At++
		if s.at('+') || s.at('-') {
			s.At++
		}
		if s.digits() == 0 {
			return s.Fail("a digit")
		}
	}
	return nil
}

// at reports whether c is next, without skipping white space.
func (s *Scanner) at(c byte) bool { return s.At < len(s.Data) && s.Data[s.At] == c }

// digits passes over digits and counts them.
func (s *Scanner) digits() int {
	start, i := s.At, s.At
	for i < len(s.Data) && isDigit(s.Data[i]) {
		i++
	}
	s.At = i
	return i - start
}

func isDigit(c byte) bool { return c-'0' <= 9 }
