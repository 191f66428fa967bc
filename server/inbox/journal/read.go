package journal

import (
	"fmt"
	"sync"
)

// readFirst is how much Read asks for at first: most records are then read with
// one system call, and a large buf does not make it read what it throws away.
const readFirst = 1 << 10

// Read returns the record at pos, in buf if it has room for the record and 8
// bytes more, else in new memory. buf is overwritten whatever happens.
//
// Errors: ErrNotFound if pos is in no segment or was given up (CutError),
// ErrDamaged if what is there does not check, which is so as well for a pos
// that is none; ErrClosed.
func (j *Journal) Read(pos Pos, buf []byte) ([]byte, error) {
	s, err := j.find(pos.Segment())
	if err != nil {
		return nil, err
	}
	off, end := pos.Offset(), s.end.Load()
	if off < firstBatch || off >= end || end-off < recordHead || off%align != 0 {
		return nil, fmt.Errorf("%w: %v", ErrNotFound, pos)
	}
	h, err := j.take(s)
	if err != nil {
		return nil, err
	}
	defer j.files.give(h)
	if cap(buf) < recordHead {
		buf = make([]byte, readFirst)
	}
	buf = buf[:min(cap(buf), readFirst, int(end-off))]
	if _, err := h.file.ReadAt(buf, int64(off)); err != nil {
		if buf, err = readHead(h.file, buf, off); err != nil {
			return nil, damagedAt(pos, err)
		}
	}
	n := int(le.Uint32(buf[4:]))
	if n > MaxRecord || recordHead+n > int(end-off) {
		return nil, damagedAt(pos, nil)
	}
	if have := len(buf); have < recordHead+n {
		if cap(buf) < recordHead+n {
			buf = append(make([]byte, 0, recordHead+n), buf...)
		}
		buf = buf[:recordHead+n]
		if _, err := h.file.ReadAt(buf[have:], int64(off)+int64(have)); err != nil {
			return nil, damagedAt(pos, err)
		}
	}
	if !s.recordOK(buf[:recordHead+n], off) {
		return nil, damagedAt(pos, nil)
	}
	return buf[:copy(buf, buf[recordHead:recordHead+n])], nil
}

// readHead reads the record's head alone: what lies behind the record may be
// unreadable when the record is not.
func readHead(f File, buf []byte, off uint32) ([]byte, error) {
	_, err := f.ReadAt(buf[:recordHead], int64(off))
	return buf[:recordHead], err
}

func damagedAt(pos Pos, err error) error {
	if err == nil {
		return fmt.Errorf("%w: %v", ErrDamaged, pos)
	}
	return fmt.Errorf("%w: %v: %w", ErrDamaged, pos, err)
}

// scanner keeps what Scan has read ahead from one call to the next.
type scanner struct {
	mu      sync.Mutex // covers the following; held over a Scan
	segment uint32
	walk    walker
	passed  bool // the last Scan has met damage
}

// Scan calls fn with the records of one segment from offset from on, in order,
// damaged places passed over as at replay: the same records. It stops at the
// end of the batch with which it has seen at least maxBytes of the log, or at
// the end of the segment, and then done is true. next is where the next call
// goes on; the first starts with 0, and other offsets are not allowed. So a
// step is as long as the longest batch at most, if maxBytes is small.
//
// rec is good until fn returns. fn may call everything but Scan; an error of
// fn ends the step and is returned, and next is where the batch begins.
// Other errors: ErrNotFound, ErrClosed, and those of reading other than
// damage.
func (j *Journal) Scan(segment, from uint32, maxBytes int, fn func(pos Pos, rec []byte) error) (next uint32, done bool, err error) {
	s, err := j.find(segment)
	if err != nil {
		return from, false, err
	}
	from = max(from, firstBatch)
	end := s.end.Load()
	if !s.intact || from >= end {
		return from, true, nil
	}
	j.scan.mu.Lock() // before the file is taken: fn may need files
	defer j.scan.mu.Unlock()
	h, err := j.take(s)
	if err != nil {
		return from, false, err
	}
	defer j.files.give(h)
	w := &j.scan.walk
	ahead := w.window
	w.reset(segment, h.file, s.seeds, end, true)
	if j.scan.segment == segment && from > firstBatch { // else what could not be read is asked for again
		w.buf, w.base, w.bad = ahead.buf, ahead.base, ahead.bad
	}
	j.scan.segment = segment
	w.off, w.fn = from, fn
	for !w.done() && w.off-from < uint32(max(maxBytes, 1)) {
		at := w.off
		if err := w.step(); err != nil {
			return at, false, err
		}
	}
	w.fn, w.file = nil, nil
	j.scan.passed = w.lost > 0
	return w.off, w.done(), nil
}

// Passed reports whether the last Scan has passed over a damaged place: perhaps one
// that can be read another time.
func (j *Journal) Passed() bool {
	j.scan.mu.Lock()
	defer j.scan.mu.Unlock()
	return j.scan.passed
}
