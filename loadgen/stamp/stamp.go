// Package stamp is what every message of a run says about itself: the first
// bytes of its payload hold which one it is, when it was due and when it was
// sent, and the rest is a filler that follows from that, so that whoever
// receives it can tell that nothing is missing and nothing was changed.
//
//	~R1~ <48 characters: fields> <6 characters: checksum> <filler>
//
// The fields are 36 bytes in base64url, big-endian: run 4, phase 2, publish 2,
// number 4, number in its stream 4, size of the payload 4, due 8, sent 8. The
// checksum is the CRC-32C of the 52 characters before it. All of it, the filler
// too, is printable ASCII without quotes and backslashes: a JSON string holds
// it unescaped.
package stamp

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Len is the size of a stamp in bytes, and so of the smallest payload.
const Len = sumAt + sumLen

const (
	magic  = "~R1~" // ~ is in no base64 and no hex; 1 is the version
	fields = 36     // bytes
	sumAt  = len(magic) + fields/3*4
	sumLen = 6
)

// Stamp is what a message says about itself.
type Stamp struct {
	Run     uint32
	Phase   uint16
	Publish uint16 // of the phase
	Number  uint32 // of the publish, over all workers
	Seq     uint32 // in its stream: all, one topic or one client
	Due     int64  // ns of the run's clock
	Sent    int64
}

// What is wrong with a payload.
var (
	ErrNone     = errors.New("no stamp: this is no message of the load generator")
	ErrBroken   = errors.New("the stamp is damaged")
	ErrOtherRun = errors.New("the message is of another run")
	ErrBody     = errors.New("the message is damaged behind its stamp, cut or extended")
)

// Append appends a payload of size bytes, at least Len.
func Append(dst []byte, s *Stamp, size int) []byte {
	size = max(size, Len)
	var raw [fields]byte
	binary.BigEndian.PutUint32(raw[0:], s.Run)
	binary.BigEndian.PutUint16(raw[4:], s.Phase)
	binary.BigEndian.PutUint16(raw[6:], s.Publish)
	binary.BigEndian.PutUint32(raw[8:], s.Number)
	binary.BigEndian.PutUint32(raw[12:], s.Seq)
	binary.BigEndian.PutUint32(raw[16:], uint32(size))
	binary.BigEndian.PutUint64(raw[20:], uint64(s.Due))
	binary.BigEndian.PutUint64(raw[28:], uint64(s.Sent))

	begin := len(dst)
	dst = append(dst, magic...)
	dst = base64.RawURLEncoding.AppendEncode(dst, raw[:])
	sum := checksum(dst[begin:])
	dst = append(dst, sum[:]...)
	return appendFiller(dst, s, size-Len)
}

// Parse reads a whole payload and compares every byte of it. The stamp is right
// as well with ErrOtherRun and ErrBody; with ErrNone and ErrBroken it is empty.
func Parse(payload []byte, run uint32) (Stamp, error) {
	raw, err := open(payload)
	if err != nil {
		return Stamp{}, err
	}
	s := Stamp{
		Run:     binary.BigEndian.Uint32(raw[0:]),
		Phase:   binary.BigEndian.Uint16(raw[4:]),
		Publish: binary.BigEndian.Uint16(raw[6:]),
		Number:  binary.BigEndian.Uint32(raw[8:]),
		Seq:     binary.BigEndian.Uint32(raw[12:]),
		Due:     int64(binary.BigEndian.Uint64(raw[20:])),
		Sent:    int64(binary.BigEndian.Uint64(raw[28:])),
	}
	switch {
	case s.Run != run:
		return s, ErrOtherRun
	case size(&raw) != uint64(len(payload)) || !isFiller(payload[Len:], &s):
		return s, ErrBody
	}
	return s, nil
}

// Find returns the payload that is somewhere inside a frame: from its magic on,
// as long as it says that it is, or to the frame's end if its stamp is damaged
// or the frame ends before. nil if there is none.
func Find(frame []byte) []byte {
	at := bytes.Index(frame, []byte(magic))
	if at < 0 {
		return nil
	}
	frame = frame[at:]
	if raw, err := open(frame); err == nil && size(&raw) < uint64(len(frame)) {
		return frame[:max(size(&raw), uint64(Len))]
	}
	return frame
}

func size(raw *[fields]byte) uint64 { return uint64(binary.BigEndian.Uint32(raw[16:])) }

// open checks and decodes the fields.
func open(payload []byte) (raw [fields]byte, err error) {
	if len(payload) < len(magic) || string(payload[:len(magic)]) != magic {
		return raw, ErrNone
	}
	if len(payload) < Len || checksum(payload[:sumAt]) != [sumLen]byte(payload[sumAt:]) {
		return raw, ErrBroken
	}
	if n, err := base64.RawURLEncoding.Decode(raw[:], payload[len(magic):sumAt]); err != nil || n != fields {
		return raw, ErrBroken // somebody else's, whose checksum happens to be right
	}
	return raw, nil
}

// alphabet is base64url (RFC 4648, section 5).
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is over the text and not over the bytes that it stands for: those
// would move to the heap, as crc32 calls what it does through a variable.
func checksum(text []byte) (sum [sumLen]byte) {
	c := crc32.Checksum(text, castagnoli)
	for i := range sum { // the last one holds 2 bits
		sum[i] = alphabet[c>>26]
		c <<= 6
	}
	return sum
}

// String is for error messages and logs.
func (s Stamp) String() string {
	return fmt.Sprintf("message %d of publish %d in phase %d, number %d of its stream", s.Number, s.Publish, s.Phase, s.Seq)
}
