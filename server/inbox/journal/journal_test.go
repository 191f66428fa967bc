package journal_test

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestFormat: bytes on disk do not change unnoticed, and what this version wrote
// once is read for ever.
func TestFormat(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 42)
	j, _, _ := open(t, opt)
	var b journal.Batch
	for _, rec := range []string{"", "a", "12345678", "record of more than one word"} {
		if _, err := b.Add([]byte(rec)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := j.Append(&b, false); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, j, d)
	const golden = "testdata/00000001.log"
	got := d.Bytes("00000001.log")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the format has changed: a new version number, or a mistake?")
	}
	d = diskfault.New()
	d.Put("00000001.log", want)
	opt.FS = d
	j, rec, all := open(t, opt)
	if rec.Records != 8 || rec.Lost != 0 || string(all[7].rec) != "record of more than one word" {
		t.Errorf("%+v", rec)
	}
	mustClose(t, j, d)
}

// TestLimits: what is too large is refused and leaves the batch as it was.
func TestLimits(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	var b journal.Batch
	if _, err := b.Add(make([]byte, journal.MaxRecord+1)); !errors.Is(err, journal.ErrTooLarge) || b.Len() != 0 || b.Bytes() != 0 {
		t.Fatal(err, b.Len())
	}
	if _, err := b.Add(make([]byte, journal.MaxRecord)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(make([]byte, journal.MaxRecord)); !errors.Is(err, journal.ErrBatchFull) || b.Len() != 1 {
		t.Fatal(err, b.Len())
	}
	if i, err := b.Add([]byte("last")); err != nil || i != 1 {
		t.Fatal(err, i)
	}
	b.Begin()
	b.Buf = append(b.Buf, "not wanted"...)
	b.Cancel()
	if err := j.Append(&b, true); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, j, b.Pos(1)); string(got) != "last" {
		t.Fatalf("%q", got)
	}
	mustClose(t, j, d)
	j, rec, got := open(t, opt)
	if rec.Records != 2 || len(got[0].rec) != journal.MaxRecord {
		t.Fatalf("%+v", rec)
	}
	mustClose(t, j, d)
	for _, n := range []int64{1, 8<<10 - 1, 1<<30 + 1, -1} {
		if _, _, _, err := tryOpen(journal.Options{FS: d, SegmentBytes: n}); err == nil {
			t.Errorf("SegmentBytes %d is accepted", n)
		}
	}
}

// TestLife: empty journals, restarts that write nothing, drops, closing.
func TestLife(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, rec, _ := open(t, opt)
	if !rec.Fresh || rec.Segments != 0 || j.ID() == 0 {
		t.Fatalf("%+v", rec)
	}
	id := j.ID()
	for range 5 {
		mustClose(t, j, d)
		if j, rec, _ = open(t, opt); rec.Fresh || rec.Segments != 0 || len(j.Segments()) != 1 || j.ID() != id {
			t.Fatalf("%+v %v", rec, j.Segments())
		}
	}
	if n := len(names(d)); n != 1 {
		t.Fatalf("%d files after restarts", n)
	}
	if err := j.DropOldest(); !errors.Is(err, journal.ErrNoSealed) {
		t.Fatal(err)
	}
	if err := j.Append(&journal.Batch{}, true); err != nil {
		t.Fatal(err)
	}
	all := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 100, 4, false)
	segs := j.Segments()
	if len(segs) < 3 || !segs[0].Sealed || segs[len(segs)-1].Sealed || j.Size() != d.Used() {
		t.Fatalf("%v, %d bytes of %d", segs, j.Size(), d.Used())
	}
	if err := j.DropOldest(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Read(all[0].pos, nil); !errors.Is(err, journal.ErrNotFound) {
		t.Fatal(err)
	}
	if _, _, err := j.Scan(segs[0].Number, 0, 1, nil); !errors.Is(err, journal.ErrNotFound) {
		t.Fatal(err)
	}
	last := all[len(all)-1].pos
	for pos, is := range map[journal.Pos]error{0: journal.ErrNotFound, last + 8: journal.ErrDamaged, last + 1: journal.ErrNotFound, last + 1<<20: journal.ErrNotFound} {
		if _, err := j.Read(pos, nil); !errors.Is(err, is) {
			t.Errorf("%v: %v", pos, err)
		}
	}
	mustClose(t, j, d)
	for name, err := range map[string]error{
		"Append": j.Append(&journal.Batch{}, false), "Sync": j.Sync(), "Rotate": j.Rotate(), "DropOldest": j.DropOldest(),
	} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if _, err := j.Read(last, nil); !errors.Is(err, journal.ErrClosed) || j.Close() != nil {
		t.Error(err)
	}
}

// TestFewFilesOpen: readers of many segments have 16 sealed ones open at most.
func TestFewFilesOpen(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	all := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 1500, 4, false)
	if n := len(j.Segments()); n < 40 {
		t.Fatal(n, "segments")
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			var buf []byte
			for range 2000 {
				w := all[rng.IntN(len(all))]
				got, err := j.Read(w.pos, buf)
				if err != nil || !bytes.Equal(got, w.rec) {
					t.Errorf("%v: %v", w.pos, err)
					return
				}
				buf = got
			}
		})
	}
	wg.Wait()
	if n := j.OpenSealed(); n > journal.MaxOpen || n < journal.MaxOpen/2 {
		t.Errorf("%d sealed segments are open", n)
	}
	if _, peak := d.OpenFiles(); peak > journal.MaxOpen+2 { // the head, and a head that begins
		t.Errorf("%d files were open at once", peak)
	}
	mustClose(t, j, d)
}

// TestReadersBesideWriter reads and scans while records are appended, copied
// forward and dropped.
func TestReadersBesideWriter(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	var newest atomic.Pointer[replayed]
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var buf []byte
			for !done.Load() {
				w := newest.Load()
				if w == nil {
					continue
				}
				got, err := j.Read(w.pos, buf)
				if err != nil && !errors.Is(err, journal.ErrNotFound) || err == nil && !bytes.Equal(got, w.rec) {
					t.Errorf("%v: %v", w.pos, err)
					return
				}
				_, _ = j.Size(), j.Segments()
			}
		})
	}
	wg.Go(func() {
		for !done.Load() {
			for _, s := range j.Segments() {
				_, _, err := j.Scan(s.Number, 0, 1<<20, func(pos journal.Pos, rec []byte) error { return nil })
				if err != nil && !errors.Is(err, journal.ErrNotFound) {
					t.Error(err)
					return
				}
			}
		}
	})
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range uint64(400) {
		last := fill(t, j, rng, n*10, 2, 5, n%3 == 0)
		newest.Store(&last[len(last)-1])
		if len(j.Segments()) > 3 {
			if err := j.DropOldest(); err != nil {
				t.Error(err)
			}
		}
	}
	done.Store(true)
	wg.Wait()
	mustClose(t, j, d)
}

// TestScanStops: an error of fn is returned with the place to go on.
func TestScanStops(t *testing.T) {
	d, opt, want := small(t, 1, 5)
	j, _, _ := open(t, opt)
	stop, seen := errors.New("stop"), 0
	next, done, err := j.Scan(1, 0, 1<<20, func(pos journal.Pos, rec []byte) error {
		if seen++; seen == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || done || next+32 != want[3].pos.Offset() {
		t.Fatal(next, done, err)
	}
	seen = 0
	_, done, err = j.Scan(1, next, 1<<20, func(pos journal.Pos, rec []byte) error { seen++; return nil })
	if err != nil || !done || seen != 12 {
		t.Fatal(seen, done, err)
	}
	mustClose(t, j, d)
}
