package journal

import (
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
)

// Recovery says what Open found.
type Recovery struct {
	Fresh    bool  // there was no journal
	Segments int   // that hold or held batches
	Batches  int   // whole ones
	Records  int   // passed to replay
	Bytes    int64 // of those records, without framing
	// TornBytes is what a crash left at the end that was never promised to be
	// durable. It is no loss.
	TornBytes int64
	// Lost is the number of places that held data that was durable and do not
	// check now, or are missing. Anything but 0 is a matter for the operator.
	Lost int
	// Salvaged is how many of Records come from damaged batches.
	Salvaged int
	// Damages are the first of the lost places, 16 at most.
	Damages []Damage
}

// Open replays the log in FS and begins a new segment. replay gets each record
// in the order of the log; rec is good until it returns, and an error of it
// ends Open; nil replays into nothing. It may be called for millions of records; the memory taken is one
// batch and 256 KiB.
//
// Damage is no error, see Recovery. These are, and nothing is changed on disk:
// ErrVersion, a file with the name of a segment that is none or belongs to
// another journal, errors of replay and of the FS. With ErrFull or ErrFailed
// the new segment could not be begun.
func Open(opt Options, replay func(pos Pos, rec []byte) error) (*Journal, Recovery, error) {
	j, rec, err := open1(opt, replay)
	if err != nil {
		return nil, rec, errors.Join(err, opt.FS.Close())
	}
	return j, rec, nil
}

func open1(opt Options, replay func(pos Pos, rec []byte) error) (*Journal, Recovery, error) {
	j := &Journal{fs: opt.FS, segmentBytes: opt.SegmentBytes, random: opt.Random, number: 1}
	if j.segmentBytes == 0 {
		j.segmentBytes = 64 << 20
	}
	if j.segmentBytes < 8<<10 || j.segmentBytes > maxSegment {
		return nil, Recovery{}, fmt.Errorf("journal: SegmentBytes is %d, want 8 KiB to 1 GiB", opt.SegmentBytes)
	}
	if replay == nil {
		replay = func(Pos, []byte) error { return nil }
	}
	if j.random == nil {
		j.random = systemRandom
	}
	j.files.init(j.fs)
	r := recovery{j: j, replay: replay}
	if err := r.run(); err != nil {
		j.files.close()
		return nil, r.Recovery, err
	}
	return j, r.Recovery, nil
}

func systemRandom() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// recovery is the state of Open.
type recovery struct {
	Recovery
	j      *Journal
	replay func(pos Pos, rec []byte) error
	found  []*found // ascending
	walk   walker
}

func (r *recovery) run() error {
	if err := r.list(); err != nil {
		return err
	}
	if err := r.identify(); err != nil {
		return err
	}
	r.chain()
	for _, f := range r.found {
		if f.state != void {
			if err := r.segment(f); err != nil {
				return err
			}
		}
	}
	if err := r.settle(); err != nil {
		return err
	}
	if err := r.j.begin(); err != nil {
		return err
	}
	for _, f := range r.found {
		if f.state == void {
			r.j.voids = append(r.j.voids, f.number)
		}
	}
	_ = r.j.sweep() // DropOldest tries again
	return nil
}

// identify gives the journal its id, and refuses what belongs to another.
func (r *recovery) identify() error {
	r.Fresh = len(r.found) == 0
	known := false
	for _, f := range r.found {
		if f.state != whole {
			continue
		}
		if known && f.store != r.j.id {
			return fmt.Errorf("journal: %s belongs to journal %016x, and those before it to %016x: move it away", segmentName(f.number), f.store, r.j.id)
		}
		r.j.id, known = f.store, true
	}
	if !known {
		r.j.id = r.j.random()
	}
	return nil
}

// segment replays one segment.
func (r *recovery) segment(f *found) error {
	r.Segments++
	s := &segment{number: f.number, seeds: makeSeeds(f.salt), intact: f.state == whole}
	s.size.Store(f.size)
	s.end.Store(firstBatch)
	r.j.segs = append(r.j.segs, s)
	f.end = firstBatch
	if !s.intact {
		// Stated as more than nothing, so that it is kept, for whoever has the
		// means to read it, and reported, until it is the oldest and dropped.
		f.end = uint32(max(min(f.size, maxSegmentNo), firstBatch+align))
		r.lose(Damage{Pos: makePos(f.number, 0), Bytes: f.size})
		return nil
	}
	h, err := r.j.files.take(f.number)
	if err != nil {
		return err
	}
	defer r.j.files.give(h)
	end := min(f.size, maxSegmentNo)
	if f.stated {
		end = min(end, int64(f.limit))
	}
	w := &r.walk
	w.reset(f.number, h.file, s.seeds, uint32(end), f.stated)
	w.next, w.fn = f.first, r.replay
	for !w.done() {
		if err := w.step(); err != nil {
			return err
		}
	}
	f.end, f.sure = w.valid, w.sure
	if f.stated {
		f.end = max(uint32(end), firstBatch)
		if end < int64(f.limit) {
			w.lose(uint32(end)) // shorter than stated
		}
	}
	if w.torn {
		n, err := w.junk(w.off)
		if err != nil {
			return err
		}
		r.TornBytes += n
	}
	s.end.Store(f.end)
	f.clean = w.lost == 0
	r.count(w)
	r.j.number = max(r.j.number, w.next)
	return nil
}

// count adds what the walk of one segment has found.
func (r *recovery) count(w *walker) {
	r.Batches += w.batches
	r.Records += w.records
	r.Bytes += w.bytes
	r.Salvaged += w.saved
	r.Lost += w.lost - len(w.damages)
	for _, d := range w.damages {
		r.lose(d)
	}
}

func (r *recovery) lose(d Damage) {
	r.Lost++
	if len(r.Damages) < maxDamages {
		r.Damages = append(r.Damages, d)
	}
}

// harden makes what was replayed of the last segment durable, beyond what is
// known to be. The bytes are written again as they are: had a sync of them
// failed before, in another process or in an Open that gave up, the kernel
// would take the pages for clean, and another sync would say yes to nothing.
func (r *recovery) harden(f *found) error {
	h, err := r.j.files.take(f.number)
	if err != nil {
		return err
	}
	defer r.j.files.give(h)
	w := &r.walk.window
	w.reset(h.file, f.end)
	for off := max(f.sure, firstBatch); off < f.end; {
		n := min(f.end-off, chunk/2)
		b, err := w.at(off, int(n))
		if err != nil {
			return err
		}
		if !w.isBad(off, n) { // else there are zeros in b that are not in the file
			if _, err := h.file.WriteAt(b, int64(off)); err != nil {
				return err
			}
		}
		off += n
	}
	// The size is in the same doubt. What is torn goes with this, but for the
	// neighbourhood of damage, where more may be found by other means.
	size := int64(f.end)
	if !f.clean {
		size = f.size
	}
	if err := h.file.Truncate(size); err != nil {
		return err
	}
	f.size = size
	return h.file.Datasync()
}

// settle makes what was replayed durable, since the header of the new segment
// will say that it is, and finds the segment that header names.
func (r *recovery) settle() error {
	last := len(r.found) - 1
	for ; last >= 0; last-- {
		if f := r.found[last]; f.state == void {
			continue
		} else if !r.empty(last) {
			break
		}
		// Restarts leave no empty segments behind.
		r.found[last].state = void
		r.j.segs = r.j.segs[:len(r.j.segs)-1]
		r.Segments--
	}
	if n := len(r.found); n > 0 {
		r.j.segment = nextSegment(r.found[n-1].number)
	} else {
		r.j.segment = 1
	}
	if last < 0 {
		return nil
	}
	f := r.found[last]
	if !f.stated && f.state == whole {
		if err := r.harden(f); err != nil {
			return r.j.failure("sync "+segmentName(f.number), err)
		}
	}
	// A head that takes nothing and is synced, for begin to state.
	r.j.head = r.j.segs[len(r.j.segs)-1]
	r.j.head.size.Store(f.size)
	r.j.off, r.j.synced, r.j.cut = f.end, f.end, true
	return nil
}
