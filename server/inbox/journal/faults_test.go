package journal_test

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// TestDiskFull stops the disk at each byte of an Append, with and without sync,
// in the middle of a segment and where a new one begins. The batch is not in
// the log, not even if the machine crashes right then; with room again the
// same batch goes in.
func TestDiskFull(t *testing.T) {
	for _, tc := range []struct {
		name       string
		sync, turn bool
		max        int64
	}{
		{"unsynced", false, false, 700},
		{"synced", true, false, 9000},
		{"new segment", false, true, 5000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused := 0
			for n := int64(0); n < tc.max; n += 1 + n/500 {
				if fullAt(t, n, tc.sync, tc.turn) {
					refused++
				}
			}
			if refused < 300 {
				t.Fatalf("only %d appends were refused", refused)
			}
		})
	}
}

func fullAt(t *testing.T, n int64, sync, turn bool) (refused bool) {
	d := diskfault.New()
	opt := options(d, 1)
	rng := rand.New(rand.NewPCG(uint64(n), 5))
	j, _, _ := open(t, opt)
	want := fill(t, j, rng, 1, 2, 2, true)
	var b journal.Batch
	for i := range uint64(6) {
		rec := append(makeRecord(rng, 100+i), make([]byte, 40)...) // ends in zeros, as does the batch but for its tail
		if turn && i == 0 {
			rec = append(rec, make([]byte, 12<<10)...)
		}
		_, _ = b.Add(rec)
	}
	d.FailAfter(n, syscall.ENOSPC)
	err := j.Append(&b, sync)
	if err == nil {
		_ = j.Close()
		return false
	}
	var cut *journal.CutError
	if !errors.Is(err, journal.ErrFull) || !errors.Is(err, syscall.ENOSPC) || errors.Is(err, journal.ErrFailed) || errors.As(err, &cut) {
		t.Fatalf("%d bytes: %v", n, err)
	}
	readAll(t, j, want)
	c := d.Clone() // what a crash of the process leaves
	copt := opt
	copt.FS = c
	k, rec, got := open(t, copt)
	if s := diff(got, want); s != "" || rec.Lost != 0 {
		t.Fatalf("%d bytes: %s %+v", n, s, rec)
	}
	mustClose(t, k, c)
	d.FailAfter(-1, nil)
	if err := j.Append(&b, true); err != nil {
		t.Fatal(err)
	}
	readAll(t, j, []replayed{{pos: b.Pos(0), rec: mustRead(t, j, b.Pos(0))}})
	mustClose(t, j, d)
	k, rec, got = open(t, opt)
	if len(got) != len(want)+6 || rec.Lost != 0 {
		t.Fatalf("%d bytes: %d records after the retry: %+v", n, len(got), rec)
	}
	mustClose(t, k, d)
	return true
}

func mustRead(t *testing.T, j *journal.Journal, pos journal.Pos) []byte {
	t.Helper()
	b, err := j.Read(pos, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFullDiskIsFreedByDrop: a journal that cannot write lets its oldest
// segment go, and goes on.
func TestFullDiskIsFreedByDrop(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	rng := rand.New(rand.NewPCG(1, 5))
	j, _, _ := open(t, opt)
	d.Limit(40<<10, syscall.ENOSPC)
	var b journal.Batch
	var err error
	for n := uint64(1); err == nil; n++ {
		b.Reset()
		_, _ = b.Add(makeRecord(rng, n))
		err = j.Append(&b, true)
	}
	if !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	for range 3 { // as long as nothing changes
		if err := j.Append(&b, true); !errors.Is(err, journal.ErrFull) {
			t.Fatal(err)
		}
	}
	if err := j.DropOldest(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(&b, true); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j, d)
}

// TestFailedSync: the batch and all that was not synced before are void, a new
// segment begins, and no sync is tried twice on the old file.
func TestFailedSync(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	rng := rand.New(rand.NewPCG(1, 5))
	j, _, _ := open(t, opt)
	kept := fill(t, j, rng, 1, 2, 2, true)
	lost := fill(t, j, rng, 10, 1, 2, false)
	d.Fail(diskfault.OpDatasync, 0, 1, syscall.EIO)
	var b journal.Batch
	_, _ = b.Add(makeRecord(rng, 20))
	err := j.Append(&b, true)
	var cut *journal.CutError
	if !errors.As(err, &cut) || !errors.Is(err, journal.ErrFailed) || !errors.Is(err, syscall.EIO) || cut.From != lost[0].pos-32 {
		t.Fatalf("%v, lost from %v", err, lost[0].pos)
	}
	if _, err := j.Read(lost[0].pos, nil); !errors.Is(err, journal.ErrNotFound) {
		t.Fatal(err)
	}
	readAll(t, j, kept)
	if err := j.Append(&b, true); err != nil || b.Pos(0).Segment() != kept[0].pos.Segment()+1 {
		t.Fatal(err, b.Pos(0))
	}
	kept = append(kept, replayed{b.Pos(0), mustRead(t, j, b.Pos(0))})
	mustClose(t, j, d)
	j, rec, got := open(t, opt)
	if s := diff(got, kept); s != "" || rec.Lost != 0 {
		t.Fatalf("%s %+v", s, rec)
	}
	mustClose(t, j, d)
}

// TestFailedSyncThatStays: while no new segment can be begun Append fails, and
// what was void stays void when one can.
func TestFailedSyncThatStays(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	rng := rand.New(rand.NewPCG(1, 5))
	j, _, _ := open(t, opt)
	kept := fill(t, j, rng, 1, 2, 2, true)
	d.Fail(diskfault.OpDatasync, 0, 4, syscall.EIO)
	var b journal.Batch
	_, _ = b.Add(makeRecord(rng, 20))
	for i := range 3 { // the sync and the new segment at once, then twice the new segment
		if err := j.Append(&b, true); !errors.Is(err, journal.ErrFailed) {
			t.Fatal(i, err)
		}
	}
	d.FailAfter(0, syscall.ENOSPC)
	if err := j.Append(&b, true); !errors.Is(err, journal.ErrFailed) || !errors.Is(err, journal.ErrFull) {
		t.Fatal(err)
	}
	d.FailAfter(-1, nil)
	if err := j.Append(&b, true); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j, d)
	j, rec, got := open(t, opt)
	if len(got) != len(kept)+1 || rec.Lost != 0 {
		t.Fatalf("%d records, %+v", len(got), rec)
	}
	mustClose(t, j, d)
}

// TestLyingDisk: one that syncs nothing loses anything. What is replayed is
// still what was written, in order, and opening ends.
func TestLyingDisk(t *testing.T) {
	for seed := range uint64(200) {
		d := diskfault.New()
		opt := options(d, seed)
		rng := rand.New(rand.NewPCG(seed, 6))
		d.Lie(true)
		j, _, _ := open(t, opt)
		want := fill(t, j, rng, 1, 60, 4, true)
		d.Crash(rng)
		d.Lie(false)
		k, _, got, err := tryOpen(opt)
		if err != nil {
			t.Fatal(seed, err)
		}
		checkSubset(t, got, want)
		mustClose(t, k, d)
		_ = j.Close() // of the machine that is gone
	}
}

func checkSubset(t *testing.T, got, want []replayed) {
	t.Helper()
	for _, g := range got {
		for len(want) > 0 && want[0].pos != g.pos {
			want = want[1:]
		}
		if len(want) == 0 || string(want[0].rec) != string(g.rec) {
			t.Fatalf("wrong record at %v", g.pos)
		}
	}
}

// TestOpenFails: an error of the file system that is no damage ends Open, and
// leaves no files open.
func TestOpenFails(t *testing.T) {
	for _, op := range []diskfault.Op{diskfault.OpList, diskfault.OpOpen, diskfault.OpCreate, diskfault.OpSyncDir, diskfault.OpRead, diskfault.OpWrite, diskfault.OpDatasync} {
		d, opt, want := small(t, 3, 3)
		boom := errors.New("boom")
		d.Fail(op, 0, 1, boom)
		if _, _, _, err := tryOpen(opt); !errors.Is(err, boom) {
			t.Errorf("%s: %v", op, err)
		}
		if now, _ := d.OpenFiles(); now != 0 {
			t.Errorf("%s: %d files are open", op, now)
		}
		check(t, d, opt, want)
	}
	d, opt, _ := small(t, 3, 3)
	boom := errors.New("boom")
	_, _, err := journal.Open(opt, func(journal.Pos, []byte) error { return boom })
	if now, _ := d.OpenFiles(); !errors.Is(err, boom) || now != 0 {
		t.Errorf("replay: %v, %d files", err, now)
	}
}

// TestWriteThatFailedIsThere: a write that came back with an error may have
// been done. The batch is not in the log from then on.
func TestWriteThatFailedIsThere(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	j, _, _ := open(t, opt)
	want := fill(t, j, rand.New(rand.NewPCG(1, 1)), 1, 2, 2, true)
	var b journal.Batch
	_, _ = b.Add([]byte("not wanted"))
	d.Fail(diskfault.OpWritten, 0, 1, syscall.EIO)
	if err := j.Append(&b, false); !errors.Is(err, journal.ErrFailed) {
		t.Fatal(err)
	}
	d.Kill()
	j, _, got := open(t, opt)
	if s := diff(got, want); s != "" {
		t.Fatal(s)
	}
	mustClose(t, j, d)
}

// TestVoidsGoFirst: the file of a segment that was never begun is removed
// before the segment whose header makes it void; else it would look as if that
// one were missing.
func TestVoidsGoFirst(t *testing.T) {
	d := diskfault.New()
	opt := options(d, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	j, _, _ := open(t, opt)
	fill(t, j, rng, 1, 1, 1, true)
	d.Fail(diskfault.OpSyncDir, 0, 1, syscall.EIO)
	d.Fail(diskfault.OpRemove, 0, 3, syscall.EIO)
	if err := j.Rotate(); !errors.Is(err, journal.ErrFailed) { // 2, which stays
		t.Fatal(err)
	}
	for range 2 { // 3 and 4
		if err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
		fill(t, j, rng, 2, 1, 1, true)
	}
	for range 2 {
		if err := j.DropOldest(); !errors.Is(err, journal.ErrFailed) || len(j.Segments()) != 3 || d.Bytes("00000002.log") == nil {
			t.Fatal(err, j.Segments(), names(d))
		}
	}
	// Now it goes, but a crash before the next SyncDir may bring it back. So
	// there is one before the next removal.
	d.Fail(diskfault.OpSyncDir, 0, 1, syscall.EIO)
	if err := j.DropOldest(); !errors.Is(err, journal.ErrFailed) || len(j.Segments()) != 3 || d.Bytes("00000002.log") != nil {
		t.Fatal(err, j.Segments(), names(d))
	}
	for range 2 {
		if err := j.DropOldest(); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, j, d)
	j, rec, got := open(t, opt)
	if rec.Lost != 0 || len(got) != 1 {
		t.Fatalf("%+v", rec)
	}
	mustClose(t, j, d)
}
