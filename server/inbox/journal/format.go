package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strconv"
	"strings"
)

// Limits of the format.
const (
	// MaxRecord is the length of the largest record, in bytes.
	MaxRecord = 16 << 20
	// MaxBatch is the length of the largest batch on disk, in bytes: 40 for the
	// batch, and for each record 8, its own and the padding to a multiple of 8.
	// It bounds the memory that replay takes.
	MaxBatch = 32 << 20

	formatVersion = 1
	segmentMagic  = "roostlog"
	headerLen     = 64   // of a segment's header
	copyAt        = 4096 // second copy of the header, in another sector and page
	firstBatch    = copyAt + headerLen

	batchMagic   = 0xB47C0A7E // above MaxRecord, so that no record's length looks like it
	batchHead    = 32
	batchTail    = 8
	recordHead   = 8
	align        = 8
	minBatch     = batchHead + batchTail
	maxSegment   = 1 << 30 // offsets have 32 bits, and a batch may overrun
	maxSegmentNo = 1<<32 - 1
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// Pos names a record: the number of its segment in the upper 32 bits, the
// offset in the file in the lower. Later records have larger ones; 0 names
// none. It holds until the segment is dropped.
type Pos uint64

func makePos(segment, off uint32) Pos { return Pos(segment)<<32 | Pos(off) }

// Segment returns the number of the segment.
func (p Pos) Segment() uint32 { return uint32(p >> 32) }

// Offset returns the offset in the segment, in bytes.
func (p Pos) Offset() uint32 { return uint32(p) }

func (p Pos) String() string { return fmt.Sprintf("%08x:%d", p.Segment(), p.Offset()) }

// segmentName returns the name of the file of a segment.
func segmentName(number uint32) string { return fmt.Sprintf("%08x.log", number) }

// segmentNumber is the inverse of segmentName; false for files of others.
func segmentNumber(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, ".log")
	if !ok || len(digits) != 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	return uint32(n), err == nil && n > 0 && segmentName(uint32(n)) == name
}

// header is what the first bytes of a segment say.
type header struct {
	number uint32
	store  uint64 // id of the journal
	salt   uint64
	first  uint64 // running number of the segment's first batch
	prev   uint32 // the segment before it; what lies between in number is void
	valid  uint32 // bytes of prev that count
}

// encode returns the whole beginning of the file: the header twice.
func (h *header) encode() []byte {
	b := make([]byte, firstBatch)
	copy(b, segmentMagic)
	le.PutUint32(b[8:], formatVersion)
	le.PutUint32(b[12:], h.number)
	le.PutUint64(b[16:], h.store)
	le.PutUint64(b[24:], h.salt)
	le.PutUint64(b[32:], h.first)
	le.PutUint32(b[40:], h.prev)
	le.PutUint32(b[44:], h.valid)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	copy(b[copyAt:], b[:headerLen])
	return b
}

// decodeHeader reads one copy. ok is false if it is not whole; the version is
// for the caller to judge, and in all versions magic, version, length and
// checksum lie where they do in this one.
func decodeHeader(b []byte) (h header, version uint32, ok bool) {
	if len(b) < headerLen || string(b[:8]) != segmentMagic || crc32.Checksum(b[:60], castagnoli) != le.Uint32(b[60:]) {
		return header{}, 0, false
	}
	return header{
		number: le.Uint32(b[12:]), store: le.Uint64(b[16:]), salt: le.Uint64(b[24:]),
		first: le.Uint64(b[32:]), prev: le.Uint32(b[40:]), valid: le.Uint32(b[44:]),
	}, le.Uint32(b[8:]), true
}

// seeds start the checksums of a segment. They come from its random salt and
// every use adds the offset, so bytes that were valid in another place or
// another segment are not valid here, and a publisher, who does not know the
// salt, cannot write a payload that is.
type seeds struct {
	head, body, record uint32
	tail               uint64
}

func makeSeeds(salt uint64) seeds {
	mix := func(kind uint64) uint64 { // the finalizer of MurmurHash3: each bit of salt reaches all
		x := salt + kind*0x9E3779B97F4A7C15
		x = (x ^ x>>33) * 0xFF51AFD7ED558CCD
		x = (x ^ x>>33) * 0xC4CEB9FE1A85EC53
		return x ^ x>>33
	}
	return seeds{head: uint32(mix(1)), body: uint32(mix(2)), record: uint32(mix(3)), tail: mix(4)}
}

// batch is what the header of a batch says.
type batch struct {
	length uint32 // all of it, in bytes
	count  uint32 // records
	number uint64 // running
	synced uint32 // all before this offset was durable when the batch was written
	body   uint32 // checksum of what follows the header
}

// sealBatch writes header and tail into b, which lies at off.
func (s *seeds) sealBatch(b []byte, off uint32, count int, number uint64, synced uint32) {
	le.PutUint64(b[len(b)-batchTail:], s.tailOf(number))
	le.PutUint32(b[4:], batchMagic)
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], uint32(count))
	le.PutUint64(b[16:], number)
	le.PutUint32(b[24:], synced)
	le.PutUint32(b[28:], crc32.Update(s.body^off, castagnoli, b[batchHead:]))
	le.PutUint32(b, crc32.Update(s.head^off, castagnoli, b[4:batchHead]))
}

// tailOf returns the last 8 bytes of a batch. Its last byte is never 0: a write
// that stopped early (disk full) leaves zeros or nothing there, and so never a
// whole batch, not even one that would have ended in zeros.
func (s *seeds) tailOf(number uint64) uint64 {
	return bits.RotateLeft64(s.tail+number*0x9E3779B97F4A7C15, 17) | 1<<63
}

// batchAt reads the batch header in b, which lies at off; limit is where the
// segment ends. ok says that header is whole, nothing of the records.
func (s *seeds) batchAt(b []byte, off, limit uint32) (h batch, ok bool) {
	if le.Uint32(b[4:]) != batchMagic || crc32.Update(s.head^off, castagnoli, b[4:batchHead]) != le.Uint32(b) {
		return batch{}, false
	}
	h = batch{length: le.Uint32(b[8:]), count: le.Uint32(b[12:]), number: le.Uint64(b[16:]), synced: le.Uint32(b[24:]), body: le.Uint32(b[28:])}
	return h, h.length >= minBatch && h.length <= MaxBatch && h.length%align == 0 && h.length <= limit-off && h.synced <= off
}

// bodyOK checks the whole batch b, which lies at off.
func (s *seeds) bodyOK(h batch, b []byte, off uint32) bool {
	return crc32.Update(s.body^off, castagnoli, b[batchHead:]) == h.body && le.Uint64(b[len(b)-batchTail:]) == s.tailOf(h.number)
}

// recordLen returns the length of a record on disk.
func recordLen(n int) int { return recordHead + (n+align-1)&^(align-1) }

// sealRecord writes the checksum of a record whose length is in place: b is the
// record without padding and lies at off.
func (s *seeds) sealRecord(b []byte, off uint32) {
	le.PutUint32(b, crc32.Update(s.record^off, castagnoli, b[4:]))
}

// recordOK checks a record: b is without padding and lies at off.
func (s *seeds) recordOK(b []byte, off uint32) bool {
	return crc32.Update(s.record^off, castagnoli, b[4:]) == le.Uint32(b)
}
