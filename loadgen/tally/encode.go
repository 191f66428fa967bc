package tally

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"sync"
)

// HdrHistogram's V2 format: https://github.com/HdrHistogram/HdrHistogram,
// AbstractHistogram.encodeIntoByteBuffer. A count is a ZigZag LEB128, a run of
// zeros the negative of its length.
const (
	plainCookie      = 0x1c849303 | 0x10
	compressedCookie = 0x1c849304 | 0x10
	headSize         = 40
)

// encoder is what an encoding needs for itself.
type encoder struct {
	plain bytes.Buffer
	out   bytes.Buffer
	zip   *zlib.Writer
}

// encoders keep compressors: one takes 1.2 MB, which had a worker of loadgen
// spend a quarter of its time on making, clearing and collecting them (54 workers,
// profile of their ticks). hdrhistogram-go makes one for each histogram, for the
// best compression.
var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.zip, _ = zlib.NewWriterLevel(&e.out, zlib.BestSpeed) // a level that there is
	return e
}}

// encode appends the histogram to dst: V2, compressed, base64.
func (h *Hist) encode(dst []byte) []byte {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.plain.Reset()
	e.out.Reset()
	s := h.h.Export()
	e.head(int32(h.h.SignificantFigures()))
	e.counts(s.Counts)
	binary.BigEndian.PutUint32(e.plain.Bytes()[4:], uint32(e.plain.Len()-headSize))
	var head [8]byte
	e.out.Write(head[:])
	e.zip.Reset(&e.out)
	_, _ = e.zip.Write(e.plain.Bytes()) // to memory
	_ = e.zip.Close()
	b := e.out.Bytes()
	binary.BigEndian.PutUint32(b, compressedCookie)
	binary.BigEndian.PutUint32(b[4:], uint32(len(b)-len(head)))
	return base64.StdEncoding.AppendEncode(dst, b)
}

// head writes what comes before the counts; their length is filled in later.
func (e *encoder) head(figures int32) {
	b := e.plain.AvailableBuffer()
	b = binary.BigEndian.AppendUint32(b, plainCookie)
	b = binary.BigEndian.AppendUint32(b, 0) // length of the counts
	b = binary.BigEndian.AppendUint32(b, 0) // normalizing index offset
	b = binary.BigEndian.AppendUint32(b, uint32(figures))
	b = binary.BigEndian.AppendUint64(b, MinValue)
	b = binary.BigEndian.AppendUint64(b, MaxValue)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(1)) // integers to doubles
	e.plain.Write(b)
}

// counts writes them up to the last that is not 0.
func (e *encoder) counts(counts []int64) {
	zeros := int64(0)
	for _, n := range counts {
		if n == 0 {
			zeros++
			continue
		}
		if zeros > 0 {
			e.long(-zeros)
			zeros = 0
		}
		e.long(n)
	}
}

// long writes a ZigZag LEB128 of at most 9 bytes, the last of which has 8 bits.
func (e *encoder) long(n int64) {
	u := uint64(n)<<1 ^ uint64(n>>63)
	b := e.plain.AvailableBuffer()
	for i := 0; u >= 0x80 && i < 8; i++ {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	e.plain.Write(append(b, byte(u)))
}
