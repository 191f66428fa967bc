package fanout

import (
	"encoding/binary"
	"fmt"
	"math"
)

// An envelope is three bytes and then fields:
//
//	version   of the writer
//	needs     lowest version of a reader that understands it
//	kind
//	field     tag, value      tag = number of the field x 2 + 1 if it has bytes
//	…                         value = uvarint, or uvarint length and so many bytes
//
// Fields come in rising order of number, each at most once. A reader skips
// numbers that it does not know, so a new optional field leaves needs as it is. What
// a reader must not skip raises needs; version N reads what version N-1 writes.
const (
	version = 1
	needs   = 1
	header  = 3
)

// Numbers of fields. One is never used for something else.
const (
	fieldOrigin     = 1
	fieldID         = 2
	fieldPart       = 3
	fieldActivation = 4
	fieldHop        = 5
	fieldClass      = 6
	fieldRaw        = 7
	fieldDevice     = 8
	fieldSeq        = 9
	fieldEpoch      = 10
	fieldFence      = 11
	fieldTTL        = 12
	fieldDeadline   = 13
	fieldTrace      = 14
	fieldChannel    = 15
	fieldMessageID  = 16
	fieldWait       = 17
	fieldCode       = 18
	fieldTag        = 19
	fieldPayload    = 63
	fieldBefore     = 64 // four bytes; a store knows it, see stored.go
)

// Append appends the envelope to dst. It allocates nothing where dst has room. An envelope
// that is out of its bounds is refused with ErrTooLarge or ErrMalformed, and dst returned as it was.
func (e *Envelope) Append(dst []byte) ([]byte, error) {
	if err := e.bounds(); err != nil {
		return dst, err
	}
	return e.appendEnd(e.appendBehind(e.appendStream(e.appendBefore(dst)))), nil
}

func appendNumber(dst []byte, field byte, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(append(dst, field<<1), v)
}

func appendBytes(dst []byte, field byte, v []byte) []byte {
	if len(v) == 0 {
		return dst
	}
	return append(binary.AppendUvarint(append(dst, field<<1|1), uint64(len(v))), v...)
}

// reader takes fields off an envelope.
type reader struct {
	b   []byte
	at  int
	err error // the first one
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d of %d", ErrMalformed, what, r.at, len(r.b))
	}
}

// number takes one of at most max.
func (r *reader) number(max uint64) uint64 {
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.fail("a number is cut off or too long")
		return 0
	}
	if v > max {
		r.fail("a number is too large")
		return 0
	}
	r.at += n
	return v
}

// bytes takes at most max.
func (r *reader) bytes(max int) []byte {
	n := int(r.number(uint64(max)))
	if r.err != nil {
		return nil
	}
	if n > len(r.b)-r.at {
		r.fail("a field is cut off")
		return nil
	}
	v := r.b[r.at : r.at+n : r.at+n]
	r.at += n
	return v
}

// Decode reads an envelope that fills b. Its fields refer to b: nothing is copied or
// allocated unless there is an error, which is ErrMalformed, ErrNewer or ErrTooLarge with what was wrong and
// where. Kinds and fields of later versions are no error: see Kind.Known; fields are skipped.
func (e *Envelope) Decode(b []byte) error {
	*e = Envelope{}
	if len(b) > MaxEnvelope {
		return fmt.Errorf("%w: an envelope of %d bytes, at most %d may be", ErrTooLarge, len(b), MaxEnvelope)
	}
	if len(b) < header || b[0] == 0 || b[2] == 0 {
		return fmt.Errorf("%w: %d bytes without version and kind", ErrMalformed, len(b))
	}
	if b[1] > version {
		return fmt.Errorf("%w: it needs a reader of version %d, this is %d: update this node first", ErrNewer, b[1], version)
	}
	e.Kind = Kind(b[2])
	r, last := reader{b: b, at: header}, byte(0)
	for r.at < len(b) && r.err == nil {
		tag := b[r.at]
		field := tag >> 1
		if field <= last {
			r.fail(fmt.Sprintf("field %d after field %d", field, last))
			break
		}
		r.at, last = r.at+1, field
		if tag&1 == 0 {
			e.setNumber(&r, field)
		} else {
			e.setBytes(&r, field)
		}
	}
	if r.err == nil && len(e.Trace) != 0 && len(e.Trace) != TraceSize {
		r.fail("the traceparent has another length than 55")
	}
	return r.err
}

func (e *Envelope) setNumber(r *reader, field byte) {
	switch field {
	case fieldID:
		e.ID = r.number(math.MaxUint64)
	case fieldPart:
		e.Part = uint32(r.number(math.MaxUint32))
	case fieldActivation:
		e.Activation = r.number(math.MaxUint64)
	case fieldHop:
		e.Hop = uint8(r.number(MaxHop))
	case fieldClass:
		e.Class = uint8(r.number(math.MaxUint8))
	case fieldRaw:
		e.Raw = r.number(1) == 1
	case fieldSeq:
		e.Seq = r.number(math.MaxUint64)
	case fieldFence:
		e.Fence = r.number(math.MaxUint64)
	case fieldTTL:
		e.TTL = uint32(r.number(math.MaxUint32))
	case fieldDeadline:
		e.Deadline = int64(r.number(math.MaxUint64))
	case fieldWait:
		e.Wait = uint32(r.number(math.MaxUint32))
	case fieldCode:
		e.Code = uint16(r.number(math.MaxUint16))
	case fieldTag:
		e.Tag = uint32(r.number(math.MaxUint32))
	default:
		r.number(math.MaxUint64)
	}
}

func (e *Envelope) setBytes(r *reader, field byte) {
	switch field {
	case fieldOrigin:
		e.Origin = r.bytes(MaxName)
	case fieldDevice:
		e.Device = r.bytes(MaxName)
	case fieldEpoch:
		e.Epoch = r.bytes(MaxName)
	case fieldTrace:
		e.Trace = r.bytes(TraceSize)
	case fieldChannel:
		e.Channel = r.bytes(MaxName)
	case fieldMessageID:
		e.MessageID = r.bytes(MaxName)
	case fieldPayload:
		e.Payload = r.bytes(MaxPayload)
	case fieldBefore:
		if b := r.bytes(4); len(b) == 4 {
			e.Before = binary.BigEndian.Uint32(b)
		}
	default:
		r.bytes(MaxEnvelope)
	}
}

// peek returns what a receiver has to know before it queues an envelope: kind and origin, which is
// always the first field. Of bytes that are no envelope it returns 0.
func peek(b string) (Kind, string) {
	if len(b) < header || b[1] > version {
		return 0, ""
	}
	if len(b) < header+2 || b[header] != fieldOrigin<<1|1 {
		return Kind(b[2]), ""
	}
	// Up to two bytes of length: names have at most 255.
	n, at := int(b[header+1]), header+2
	if n >= 0x80 {
		if len(b) < at+1 {
			return 0, ""
		}
		n, at = n&0x7f|int(b[at])<<7, at+1
	}
	if n > len(b)-at {
		return 0, ""
	}
	return Kind(b[2]), b[at : at+n]
}
