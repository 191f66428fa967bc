package wire

import (
	"fmt"

	"roost/server/jsonscan"
)

// maxDepth bounds the nesting of a payload, so that a hostile one costs no
// stack.
const maxDepth = 64

// key is a key that some message has in its JSON form.
type key uint8

const (
	keyNone key = iota // any other: ignored
	keyT
	keySeq
	keyR
	keyCh
	keyP
	keyToken
	keyTTL
	keyID
	keyP64
	keyTo
	keyWhy
	keySpread
	keyOK
	keyCode
	keyText
	keyIn
	keyURL
	keySID
	keyEpoch
	keyAcked
	keyFrom
	keyResumed
	keyHB
	keyNode
	keyMax
	keyWin
	keyBack
	keyBase
	keyRing
	keyRH
	keyWide
	keys // number of keys
)

var keyNames = [keys]string{"", "t", "seq", "r", "ch", "p", "token", "ttl", "id", "p64", "to", "why", "spread", "ok", "code", "text",
	"in", "url", "sid", "epoch", "acked", "from", "resumed", "hb", "node", "max", "win", "back", "base", "ring", "rh", "wide"}

func keyOf(name []byte) key {
	switch string(name) { // compiled to a search; a map would have to be hashed
	case "t":
		return keyT
	case "seq":
		return keySeq
	case "r":
		return keyR
	case "ch":
		return keyCh
	case "p":
		return keyP
	case "token":
		return keyToken
	}
	for k := keyTTL; k < keys; k++ {
		if keyNames[k] == string(name) {
			return k
		}
	}
	return keyNone
}

// fields says where the values of one JSON object are. Which keys a message
// knows, and of which types they are, depends on "t", which may come last: so
// first all are found, and then those that count are read. The last of a
// repeated key overwrites the others.
type fields struct {
	data []byte
	err  *Error                            // the first value that was asked for and is of the wrong type
	at   [keys]struct{ start, end uint32 } // end 0: not there
}

// scan finds the fields of the one object that data is.
func (f *fields) scan(data []byte) *Error {
	f.data = data
	s := jsonscan.Scanner{Data: data, Depth: maxDepth}
	if !s.Accept('{') {
		return malformed(s.Fail("'{'"))
	}
	for more := !s.Accept('}'); more; {
		if err := f.member(&s); err != nil {
			return err
		}
		var err *jsonscan.Error
		if more, err = s.More('}'); err != nil {
			return malformed(err)
		}
	}
	if !s.Done() {
		return malformed(s.Fail("the end"))
	}
	return nil
}

// member finds one field.
func (f *fields) member(s *jsonscan.Scanner) *Error {
	name, err := s.Key()
	if err != nil {
		return malformed(err)
	}
	start := s.At
	if err := s.Value(); err != nil {
		return &Error{Code: CodeMalformed, Text: fmt.Sprintf("key %.32q: %v", name, err)}
	}
	at := &f.at[keyOf(name)]
	at.start, at.end = uint32(start), uint32(s.At)
	return nil
}

func malformed(err *jsonscan.Error) *Error {
	return &Error{Code: CodeMalformed, Text: err.Error()}
}

func (f *fields) has(k key) bool { return f.at[k].end != 0 }

// raw returns the JSON text of a value, nil if it is missing.
func (f *fields) raw(k key) []byte { return f.data[f.at[k].start:f.at[k].end:f.at[k].end] }

// op returns what "t" says.
func (f *fields) op() (Op, *Error) {
	if !f.has(keyT) {
		return 0, &Error{Code: CodeMalformed, Text: `key "t" is missing`}
	}
	name := f.text(keyT)
	if f.err != nil {
		return 0, f.err
	}
	for o, known := range opNames {
		if string(name) == known {
			return Op(o), nil
		}
	}
	return 0, &Error{Code: CodeUnknown, Text: fmt.Sprintf("unknown type %.32q", name)}
}

// wanted reports whether the value of k is to be read: a missing key is the zero
// value.
func (f *fields) wanted(k key) bool { return f.has(k) && f.err == nil }

// before returns a scanner before the value of k.
func (f *fields) before(k key) jsonscan.Scanner {
	return jsonscan.Scanner{Data: f.data, At: int(f.at[k].start)}
}

// note makes err, about the value of k, the first error.
func (f *fields) note(k key, err error) {
	f.err = &Error{Code: CodeMalformed, Text: fmt.Sprintf("key %q: %v", keyNames[k], err)}
}

func (f *fields) text(k key) []byte {
	if !f.wanted(k) {
		return nil
	}
	v := f.raw(k)
	if v[0] != '"' {
		s := f.before(k)
		f.note(k, s.Fail("a string"))
		return nil
	}
	return jsonscan.Unquote(v)
}

func (f *fields) uint(k key) uint64 {
	if !f.wanted(k) {
		return 0
	}
	s := f.before(k)
	v, err := s.Uint()
	if err != nil {
		f.note(k, err)
	}
	return v
}

// int takes a number that fits an int, whatever that is: at most 2^31-1, which
// is 24 days of milliseconds.
func (f *fields) int(k key) int {
	if !f.wanted(k) {
		return 0
	}
	s := f.before(k)
	v, err := s.Uint()
	if err == nil && v > maxInt {
		err = s.Fail("an integer of at most 31 bits")
	}
	if err != nil {
		f.note(k, err)
	}
	return int(v)
}

func (f *fields) bool(k key) bool {
	if !f.wanted(k) {
		return false
	}
	s := f.before(k)
	v, err := s.Bool()
	if err != nil {
		f.note(k, err)
	}
	return v
}

// need makes a missing key an error.
func (f *fields) need(k key) {
	if !f.has(k) && f.err == nil {
		f.err = &Error{Code: CodeMalformed, Text: fmt.Sprintf("key %q is missing", keyNames[k])}
	}
}
