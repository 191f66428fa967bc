package wire

import (
	"encoding/binary"
	"fmt"
)

// reader takes fields off a binary message; after a field that is not there ok
// is false.
type reader struct {
	b  []byte
	ok bool
}

// check is the error about fields that were not there, if any, of a message of
// size bytes.
func (r *reader) check(op Op, size int) *Error {
	if r.ok {
		return nil
	}
	return &Error{Code: CodeMalformed, Text: fmt.Sprintf("%v message of %d bytes is cut short, or a number in it too large", op, size)}
}

// int takes a uvarint of at most maxInt.
func (r *reader) int() int {
	v := r.uvarint()
	r.ok = r.ok && v <= maxInt
	return int(v & maxInt)
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.ok = false
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if !r.ok || n > uint64(len(r.b)) {
		r.ok = false
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}
