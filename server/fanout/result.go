package fanout

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Result is what became of one message. Status and Reason are in the words of the
// server; Status is never 0 in an answer.
type Result struct {
	ID     uint64 // of the request: Envelope.ID
	Part   uint32 // Envelope.Part
	Status uint8
	Reason uint8
	Seq    uint64
}

// AppendResult appends a result to the payload of a KindResult. One envelope may
// answer many requests of the node that it goes to: 7 to 20 bytes each.
func AppendResult(dst []byte, r Result) []byte {
	dst = binary.AppendUvarint(dst, r.ID)
	dst = binary.AppendUvarint(dst, uint64(r.Part))
	return binary.AppendUvarint(append(dst, r.Status, r.Reason), r.Seq)
}

// NextResult takes the first result off a payload of KindResult, which is not empty, and returns
// the rest. It fails with ErrMalformed.
func NextResult(payload []byte) (r Result, rest []byte, err error) {
	f := reader{b: payload}
	r.ID = f.number(math.MaxUint64)
	r.Part = uint32(f.number(math.MaxUint32))
	if f.err == nil && len(payload)-f.at < 2 {
		f.fail("a result is cut off")
	}
	if f.err != nil {
		return Result{}, nil, f.err
	}
	r.Status, r.Reason = payload[f.at], payload[f.at+1]
	f.at += 2
	r.Seq = f.number(math.MaxUint64)
	if f.err == nil && r.Status == 0 {
		f.err = fmt.Errorf("%w: a result without a status", ErrMalformed)
	}
	if f.err != nil {
		return Result{}, nil, f.err
	}
	return r, payload[f.at:], nil
}
