package ws

import "unicode/utf8"

// textState is where a text stream stands inside a UTF-8 sequence, so that a
// message can be checked in pieces cut anywhere (RFC 6455, 8.1). Zero is
// between two characters. The states are those of RFC 3629, 4:
//
//	lead     next byte  then
//	C2-DF    80-BF      -            tail1
//	E0       A0-BF      tail1        afterE0
//	ED       80-9F      tail1        afterED   (no surrogates)
//	E1-EF    80-BF      tail1        tail2
//	F0       90-BF      tail2        afterF0
//	F4       80-8F      tail2        afterF4   (nothing above 10FFFF)
//	F1-F3    80-BF      tail2        tail3
type textState uint8

const (
	textDone textState = iota
	tail1
	tail2
	tail3
	afterE0
	afterED
	afterF0
	afterF4
)

// step takes one byte; false means that no continuation can make it valid.
func (s textState) step(b byte) (textState, bool) {
	switch s {
	case textDone:
		return lead(b)
	case tail1:
		return textDone, b&0xC0 == 0x80
	case tail2:
		return tail1, b&0xC0 == 0x80
	case tail3:
		return tail2, b&0xC0 == 0x80
	case afterE0:
		return tail1, 0xA0 <= b && b <= 0xBF
	case afterED:
		return tail1, 0x80 <= b && b <= 0x9F
	case afterF0:
		return tail2, 0x90 <= b && b <= 0xBF
	default: // afterF4
		return tail2, 0x80 <= b && b <= 0x8F
	}
}

func lead(b byte) (textState, bool) {
	switch {
	case b < 0x80:
		return textDone, true
	case b < 0xC2: // a tail byte, or an overlong form
		return textDone, false
	case b < 0xE0:
		return tail1, true
	case b == 0xE0:
		return afterE0, true
	case b == 0xED:
		return afterED, true
	case b < 0xF0:
		return tail2, true
	case b == 0xF0:
		return afterF0, true
	case b < 0xF4:
		return tail3, true
	case b == 0xF4:
		return afterF4, true
	}
	return textDone, false
}

// feed takes the next piece of text; false as soon as one byte makes the whole
// invalid. Characters cut by the edges of p go through step, the rest through
// utf8.Valid, which takes ASCII eight bytes at a time.
func (s textState) feed(p []byte) (textState, bool) {
	ok := true
	for len(p) > 0 && s != textDone {
		if s, ok = s.step(p[0]); !ok {
			return s, false
		}
		p = p[1:]
	}
	cut := lastCut(p)
	if !utf8.Valid(p[:cut]) {
		return s, false
	}
	for _, b := range p[cut:] {
		s, _ = s.step(b) // lastCut vouches for them
	}
	return s, true
}

// lastCut returns the length of p without the character that its end cuts off,
// if there is one. An impossible sequence is not cut off: it is already wrong.
func lastCut(p []byte) int {
	for i := 1; i <= min(3, len(p)); i++ {
		at := len(p) - i
		if p[at]&0xC0 == 0x80 {
			continue
		}
		if !utf8.FullRune(p[at:]) {
			return at
		}
		break
	}
	return len(p)
}
