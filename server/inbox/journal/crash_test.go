package journal_test

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"syscall"
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

var (
	seeds    = flag.Int("seeds", 600, "crash tests: how many")
	fromSeed = flag.Uint64("from-seed", 1, "crash tests: the first")
)

// entry is a batch that may be in the log.
type entry struct {
	recs []replayed
	// fate after a crash: durable has to be there, unsynced may be, void may be
	// too until a new segment was begun, dropped may be until the next was
	// dropped, and gone must not.
	fate fate
}

type fate int

const (
	unsynced fate = iota
	durable
	void
	dropped
	gone
)

// world is a journal on a disk that fails, and what is known of it.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	disk *diskfault.Disk
	opt  journal.Options
	j    *journal.Journal
	log  []*entry
	next uint64 // record
	b    journal.Batch
}

// TestCrash appends, fails, crashes and opens at random and compares what is
// replayed with what was promised: everything synced, in order; of the rest
// those that come first, whole batches only; nothing that failed for good.
func TestCrash(t *testing.T) {
	for seed := *fromSeed; seed < *fromSeed+uint64(*seeds); seed++ {
		rng := rand.New(rand.NewPCG(seed, 2))
		w := &world{t: t, rng: rng, disk: diskfault.New(), next: 1}
		w.opt = options(w.disk, seed)
		w.run()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (w *world) run() {
	w.open()
	for range 1 + w.rng.IntN(4) {
		for range w.rng.IntN(40) {
			w.act()
			if w.t.Failed() {
				return
			}
		}
		if w.rng.IntN(8) == 0 {
			w.disk.FailAfter(-1, nil)
			w.disk.Limit(-1, nil)
			if w.j.Close() == nil {
				w.settle()
			}
		}
		w.disk.FailAfter(-1, nil)
		w.disk.Limit(-1, nil)
		if w.disk.Kill(); w.rng.IntN(4) > 0 {
			w.disk.Crash(w.rng)
		}
		w.open()
		if w.t.Failed() {
			return
		}
	}
	if got := scanAll(w.t, w.j, 1+w.rng.IntN(5000)); diff(got, w.want()) != "" {
		w.t.Error("scan:", diff(got, w.want()))
	}
	readAll(w.t, w.j, w.want())
	mustClose(w.t, w.j, w.disk)
}

// act does one random thing.
func (w *world) act() {
	switch w.rng.IntN(20) {
	case 0:
		w.note(w.j.Sync(), durable)
	case 1:
		err := w.j.Rotate()
		if w.note(err, durable); err == nil {
			w.bury(void)
		}
	case 2:
		w.drop()
	case 3:
		w.disk.Fail(diskfault.OpDatasync, w.rng.IntN(3), 1+w.rng.IntN(3), syscall.EIO)
	case 4:
		op := []diskfault.Op{diskfault.OpWrite, diskfault.OpWritten, diskfault.OpCreate, diskfault.OpSyncDir, diskfault.OpRemove, diskfault.OpTruncate}[w.rng.IntN(6)]
		err := []error{syscall.EIO, syscall.ENOSPC}[w.rng.IntN(2)]
		if op == diskfault.OpWritten { // a full disk says how much was written, and it was not all
			err = syscall.EIO
		}
		w.disk.Fail(op, w.rng.IntN(2), 1+w.rng.IntN(2), err)
	case 5:
		w.disk.FailAfter(int64(w.rng.IntN(5000)), syscall.ENOSPC)
	case 6:
		w.disk.FailAfter(-1, nil)
		w.disk.Limit(w.disk.Used()+int64(w.rng.IntN(9000)), syscall.EDQUOT)
	case 7:
		w.disk.FailAfter(-1, nil)
		w.disk.Limit(-1, nil)
	default:
		w.append(w.rng.IntN(2) == 0)
	}
}

func (w *world) append(sync bool) {
	w.b.Reset()
	e := &entry{}
	for range 1 + w.rng.IntN(8) {
		rec := makeRecord(w.rng, w.next)
		w.next++
		_, _ = w.b.Add(rec)
		e.recs = append(e.recs, replayed{rec: rec})
	}
	err := w.j.Append(&w.b, sync)
	if err == nil {
		for i := range e.recs {
			e.recs[i].pos = w.b.Pos(i)
		}
		w.bury(void)
		w.log = append(w.log, e)
		if sync {
			w.settle()
		}
		return
	}
	if pos := w.b.Pos(0); pos != 0 {
		w.t.Errorf("a batch that failed has position %v", pos)
	}
	var cut *journal.CutError
	if !errors.As(err, &cut) && !errors.Is(err, syscall.EIO) {
		// It is said to be nowhere. After another error it may come back until
		// the next batch, and is void.
		if !errors.Is(err, journal.ErrFull) {
			w.t.Errorf("append: %v", err)
		}
		e.fate = gone
	} else {
		e.fate = void
	}
	w.log = append(w.log, e)
	w.note(err, unsynced)
}

// note applies what an error, or none, says of the batches before.
func (w *world) note(err error, ok fate) {
	var cut *journal.CutError
	switch {
	case err == nil && ok == durable:
		w.settle()
	case errors.As(err, &cut):
		for _, e := range w.log {
			if e.fate == unsynced && e.recs[0].pos >= cut.From {
				e.fate = void
			}
			if e.fate == durable && e.recs[0].pos >= cut.From {
				w.t.Errorf("a durable batch at %v is cut off at %v", e.recs[0].pos, cut.From)
			}
		}
	case err != nil && !errors.Is(err, journal.ErrFailed) && !errors.Is(err, journal.ErrFull):
		w.t.Errorf("an error of no kind: %v", err)
	}
}

// settle makes what was unsynced durable.
func (w *world) settle() {
	for _, e := range w.log {
		if e.fate == unsynced {
			e.fate = durable
		}
	}
}

// bury makes void or dropped batches gone.
func (w *world) bury(f fate) {
	for _, e := range w.log {
		if e.fate == f {
			e.fate = gone
		}
	}
}

func (w *world) drop() {
	segs := w.j.Segments()
	err := w.j.DropOldest()
	if errors.Is(err, journal.ErrNoSealed) {
		w.settle()
		return
	}
	if w.note(err, durable); err == nil {
		w.bury(dropped)
	}
	if now := w.j.Segments(); len(now) < len(segs) && now[0].Number != segs[0].Number {
		// Without an error it is gone; with one it may come back.
		for _, e := range w.log {
			if e.recs[0].pos.Segment() == segs[0].Number && e.recs[0].pos != 0 {
				e.fate = dropped
				if err == nil {
					e.fate = gone
				}
			}
		}
	}
}

// open opens the journal after a crash and compares.
func (w *world) open() {
	j, rec, got, err := tryOpen(w.opt)
	for i := 0; err != nil && i < 10; i++ { // faults that were left over
		if !errors.Is(err, journal.ErrFailed) && !errors.Is(err, journal.ErrFull) && !errors.Is(err, syscall.EIO) {
			break
		}
		j, rec, got, err = tryOpen(w.opt)
	}
	if err != nil {
		w.t.Error(err)
		return
	}
	w.j = j
	if rec.Lost != 0 {
		w.t.Errorf("a crash is taken for a loss: %+v", rec)
	}
	w.compare(got)
	if w.t.Failed() {
		return
	}
	if d := diff(scanAll(w.t, j, 1000), w.want()); d != "" {
		w.t.Error("scan:", d)
	}
}

// compare matches the records with the log, and forgets what is not there.
func (w *world) compare(got []replayed) {
	var kept []*entry
	ended := false // an unsynced batch was not there
	for _, e := range w.log {
		there := len(got) > 0 && bytes.Equal(got[0].rec, e.recs[0].rec)
		switch {
		case !there && e.fate == durable:
			w.t.Errorf("durable batch %d is not there", recordNumber(e.recs[0].rec))
			return
		case !there:
			ended = ended || e.fate == unsynced
			continue
		case e.fate == gone:
			w.t.Errorf("batch %d is there, and it failed", recordNumber(e.recs[0].rec))
			return
		case ended && e.fate == unsynced:
			w.t.Errorf("unsynced batch %d is there, and one before is not", recordNumber(e.recs[0].rec))
			return
		}
		for i := range e.recs {
			if len(got) == 0 || !bytes.Equal(got[0].rec, e.recs[i].rec) || e.recs[i].pos != 0 && got[0].pos != e.recs[i].pos {
				w.t.Errorf("batch %d is torn at record %d", recordNumber(e.recs[0].rec), i)
				return
			}
			e.recs[i].pos = got[0].pos
			got = got[1:]
		}
		e.fate = durable
		kept = append(kept, e)
	}
	if len(got) > 0 {
		w.t.Errorf("record at %v is not known or not in order: %.20x", got[0].pos, got[0].rec)
	}
	w.log = kept
}

// want is all records that are there now.
func (w *world) want() (all []replayed) {
	for _, e := range w.log {
		if e.fate == durable || e.fate == unsynced {
			all = append(all, e.recs...)
		}
	}
	return all
}
