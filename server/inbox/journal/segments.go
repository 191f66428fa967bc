package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
)

// begin seals the head and begins a new segment, whose header states how much
// of the head counts. From the attempt on the head takes no more batches: the
// header may be on disk, and with it that statement, even if the attempt failed.
func (j *Journal) begin() error {
	if !j.cut && j.head != nil {
		if j.zeroed > j.off {
			j.shorten(j.off)
		}
		// On failure Sync has cut the head, and tried to begin.
		if err := j.Sync(); err != nil {
			return err
		}
	}
	j.turn = true
	h := header{store: j.id, salt: j.random(), first: j.number}
	if j.head != nil {
		h.prev, h.valid = j.head.number, j.off
	}
	if err := j.create(h); err != nil {
		return j.failure("new segment", err)
	}
	return nil
}

// create makes the segment's file, durably, and makes it the head.
func (j *Journal) create(h header) error {
	if j.segment == 0 {
		return fmt.Errorf("journal: segment numbers are used up")
	}
	h.number = j.segment
	j.segment++ // also if this fails: the file may stay
	name := segmentName(h.number)
	f, err := j.fs.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(h.encode(), 0)
	if err == nil {
		err = f.Datasync()
	}
	if err == nil {
		err = j.fs.SyncDir()
	}
	if err != nil {
		_ = f.Close()
		j.voids = append(j.voids, h.number) // the next header says so
		_ = j.sweep()
		return err
	}
	j.dirtyDir = false
	s := &segment{number: h.number, seeds: makeSeeds(h.salt), intact: true}
	s.end.Store(firstBatch)
	s.size.Store(firstBatch)
	old := j.file
	j.head, j.file = s, j.files.adopt(h.number, f)
	j.off, j.synced, j.zeroed, j.noAhead = firstBatch, firstBatch, firstBatch, false
	j.turn, j.cut = false, false
	if old != nil {
		j.files.seal(old)
	}
	j.mu.Lock()
	j.segs = append(j.segs[:len(j.segs):len(j.segs)], s)
	j.mu.Unlock()
	return nil
}

// sweep removes the files of segments that are void. They do no harm but for
// one thing: void they are by the header of a later segment, so they have to
// be gone, durably, before that one is.
func (j *Journal) sweep() error {
	for len(j.voids) > 0 {
		last := len(j.voids) - 1
		if err := j.fs.Remove(segmentName(j.voids[last])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		j.voids = j.voids[:last]
		j.dirtyDir = true
	}
	return nil
}

// Rotate seals the segment being written, after a sync, and begins a new one.
// It does nothing if that is empty. Errors are those of Append.
func (j *Journal) Rotate() error {
	if j.isClosed() {
		return ErrClosed
	}
	if j.off == firstBatch && !j.turn {
		return nil
	}
	return j.begin()
}

// SegmentInfo describes a segment.
type SegmentInfo struct {
	Number uint32
	Bytes  int64 // of its file
	Sealed bool  // false for the last, which is being written
}

// Segments returns all segments, oldest first.
func (j *Journal) Segments() []SegmentInfo {
	j.mu.RLock()
	defer j.mu.RUnlock()
	infos := make([]SegmentInfo, len(j.segs))
	for i, s := range j.segs {
		infos[i] = SegmentInfo{Number: s.number, Bytes: s.size.Load(), Sealed: i < len(j.segs)-1}
	}
	return infos
}

// DropOldest removes the oldest sealed segment, after a sync, so that records
// that were copied forward are durable before the originals go. Its records
// are not found any more; who is reading one gets it.
//
// Errors: ErrNoSealed; those of Sync, and nothing was removed; ErrFailed. After
// ErrFailed the segment may be gone from Segments, and a crash may still bring
// it back: the next DropOldest sees to that before it removes another, so that
// there is never a gap.
func (j *Journal) DropOldest() error {
	if err := j.Sync(); err != nil {
		return err
	}
	if err := j.sweep(); err != nil {
		return j.failure("drop", err)
	}
	if j.dirtyDir {
		if err := j.fs.SyncDir(); err != nil {
			return j.failure("drop", err)
		}
		j.dirtyDir = false
	}
	j.mu.RLock()
	segs := j.segs
	j.mu.RUnlock()
	if len(segs) < 2 {
		return ErrNoSealed
	}
	if err := j.fs.Remove(segmentName(segs[0].number)); err != nil {
		return j.failure("drop", err)
	}
	j.mu.Lock()
	j.segs = segs[1:]
	j.mu.Unlock()
	j.files.drop(segs[0].number)
	if err := j.fs.SyncDir(); err != nil {
		j.dirtyDir = true
		return j.failure("drop", err)
	}
	return nil
}

// find returns the segment, or nil.
func (j *Journal) find(number uint32) (*segment, error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.closed {
		return nil, ErrClosed
	}
	lo, hi := 0, len(j.segs)
	for lo < hi {
		mid := (lo + hi) / 2
		if j.segs[mid].number < number {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(j.segs) || j.segs[lo].number != number {
		return nil, fmt.Errorf("%w: segment %08x", ErrNotFound, number)
	}
	return j.segs[lo], nil
}

// take opens the segment's file for reading; ErrNotFound if it was dropped
// since it was found.
func (j *Journal) take(s *segment) (*handle, error) {
	h, err := j.files.take(s.number)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: segment %08x was dropped", ErrNotFound, s.number)
	}
	return h, err
}

// nextSegment returns the number after n, 0 if there is none.
func nextSegment(n uint32) uint32 {
	if n == math.MaxUint32 {
		return 0
	}
	return n + 1
}
