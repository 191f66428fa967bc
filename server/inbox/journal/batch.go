package journal

import "fmt"

// Batch builds a batch of records in one buffer. The zero Batch is ready; Reset
// makes one ready again and keeps the memory, so that a batch that is used
// over and over allocates nothing. It is for one goroutine at a time.
//
//	b.Begin()
//	b.Buf = append(b.Buf, record...)
//	i, err := b.End()
//	err = j.Append(&b, true)
//	pos := b.Pos(i)
type Batch struct {
	// Buf is where the bytes of a record are appended between Begin and End.
	// What it held before is not the caller's to touch.
	Buf []byte

	starts []uint32 // of the records, from the start of the batch
	end    int      // of the last whole record in Buf
	open   bool     // between Begin and End
	base   Pos      // of the batch, once it was appended
}

var zeros [max(batchHead, recordHead, align)]byte

// Begin starts a record.
func (b *Batch) Begin() {
	if b.open {
		panic("BUG: journal: Begin within a record")
	}
	b.unseal()
	b.open = true
	b.Buf = append(b.Buf, zeros[:recordHead]...)
}

// unseal takes away the tail that an Append left, and makes room for the
// header in a new batch.
func (b *Batch) unseal() {
	if len(b.Buf) < batchHead {
		b.Buf = append(b.Buf[:0], zeros[:batchHead]...)
		b.end = batchHead
	}
	b.Buf, b.base = b.Buf[:b.end], 0
}

// End ends the record and returns its index in the batch, from 0. On an error
// the record is taken out and the batch stays as it was before Begin:
// ErrTooLarge if the record is larger than MaxRecord, ErrBatchFull if the batch
// with it would be larger than MaxBatch.
func (b *Batch) End() (int, error) {
	n := len(b.Buf) - b.end - recordHead
	if !b.open || n < 0 {
		panic("BUG: journal: End without Begin")
	}
	switch {
	case n > MaxRecord:
		b.Cancel()
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, MaxRecord)
	case b.end+recordLen(n)+batchTail > MaxBatch:
		b.Cancel()
		return 0, fmt.Errorf("%w: at most %d bytes", ErrBatchFull, MaxBatch)
	}
	b.open = false
	le.PutUint32(b.Buf[b.end+4:], uint32(n))
	b.Buf = append(b.Buf, zeros[:recordLen(n)-recordHead-n]...)
	b.starts = append(b.starts, uint32(b.end))
	b.end = len(b.Buf)
	return len(b.starts) - 1, nil
}

// Cancel takes the record out that was begun and not ended.
func (b *Batch) Cancel() {
	if b.open {
		b.open, b.Buf = false, b.Buf[:b.end]
	}
}

// Cut takes the records from n on out, and one that was begun.
func (b *Batch) Cut(n int) {
	b.unseal()
	if b.open = false; n < len(b.starts) {
		b.end = int(b.starts[n])
		b.starts = b.starts[:n]
	}
	b.Buf = b.Buf[:b.end]
}

// Add is Begin, an append of rec, and End.
func (b *Batch) Add(rec []byte) (int, error) {
	b.Begin()
	b.Buf = append(b.Buf, rec...)
	return b.End()
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	*b = Batch{Buf: b.Buf[:0], starts: b.starts[:0]}
}

// Len returns the number of records.
func (b *Batch) Len() int { return len(b.starts) }

// Bytes returns the number of bytes that the batch will take in the log, with
// all framing; 0 if it is empty.
func (b *Batch) Bytes() int {
	if len(b.starts) == 0 {
		return 0
	}
	return b.end + batchTail
}

// Pos returns where record i of the batch is. It is 0 until an Append of the
// batch returned nil.
func (b *Batch) Pos(i int) Pos {
	if b.base == 0 {
		return 0
	}
	return b.base + Pos(b.starts[i])
}

// seal makes the bytes that belong at off. It can be called again for another
// place.
func (b *Batch) seal(s *seeds, off uint32, number uint64, synced uint32) []byte {
	if b.open {
		panic("BUG: journal: Append within a record")
	}
	b.unseal()
	for _, start := range b.starts {
		n := le.Uint32(b.Buf[start+4:])
		s.sealRecord(b.Buf[start:start+recordHead+n], off+start)
	}
	b.Buf = append(b.Buf, zeros[:batchTail]...)
	s.sealBatch(b.Buf, off, len(b.starts), number, synced)
	return b.Buf
}
