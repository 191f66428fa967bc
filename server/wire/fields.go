package wire

import "fmt"

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
	keys // number of keys
)

var keyNames = [keys]string{"", "t", "seq", "r", "ch", "p", "token", "ttl", "id", "p64", "to", "why", "spread", "ok", "code", "text",
	"in", "url", "sid", "epoch", "acked", "from", "resumed", "hb", "node", "max", "win", "back", "base"}

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
	s := scanner{b: data}
	if err := f.object(&s); err != nil {
		return err
	}
	if s.space() != 0 || s.i != len(data) {
		return s.fail("the end")
	}
	return nil
}

func (f *fields) object(s *scanner) *Error {
	if !s.accept('{') {
		return s.fail("'{'")
	}
	for first := true; !s.accept('}'); first = false {
		if !first && !s.accept(',') {
			return s.fail("',' or '}'")
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		if !s.accept(':') {
			return s.fail("':'")
		}
		s.space()
		start := s.i
		if _, err := s.value(1); err != nil {
			err.Text = fmt.Sprintf("key %.32q: %s", name, err.Text)
			return err
		}
		at := &f.at[keyOf(name)]
		at.start, at.end = uint32(start), uint32(s.i)
	}
	return nil
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

// begin puts a scanner before the value of k, if it is there: a missing key is
// the zero value.
func (f *fields) begin(k key) (s scanner, ok bool) {
	return scanner{b: f.data, i: int(f.at[k].start)}, f.has(k) && f.err == nil
}

// note keeps the first error.
func (f *fields) note(k key, err *Error) {
	if err != nil {
		err.Text = fmt.Sprintf("key %q: %s", keyNames[k], err.Text)
		f.err = err
	}
}

func (f *fields) text(k key) []byte {
	s, ok := f.begin(k)
	if !ok {
		return nil
	}
	v, err := s.text()
	f.note(k, err)
	return v
}

func (f *fields) uint(k key) uint64 {
	s, ok := f.begin(k)
	if !ok {
		return 0
	}
	v, err := s.number()
	f.note(k, err)
	return v
}

// int takes a number that fits an int, whatever that is: at most 2^31-1, which
// is 24 days of milliseconds.
func (f *fields) int(k key) int {
	s, ok := f.begin(k)
	if !ok {
		return 0
	}
	v, err := s.number()
	if err == nil && v > maxInt {
		err = s.fail("an integer of at most 31 bits")
	}
	f.note(k, err)
	return int(v)
}

func (f *fields) bool(k key) bool {
	s, ok := f.begin(k)
	if !ok {
		return false
	}
	c := s.b[s.i]
	if c != 't' && c != 'f' {
		f.note(k, s.fail("true or false"))
	}
	return c == 't'
}

// need makes a missing key an error.
func (f *fields) need(k key) {
	if !f.has(k) && f.err == nil {
		f.err = &Error{Code: CodeMalformed, Text: fmt.Sprintf("key %q is missing", keyNames[k])}
	}
}
