package journal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// replayed is one record as Open passed it on.
type replayed struct {
	pos journal.Pos
	rec []byte
}

// options are small enough that segments change often.
func options(fs journal.FS, seed uint64) journal.Options {
	rng := rand.New(rand.NewPCG(seed, 1))
	return journal.Options{FS: fs, SegmentBytes: 12 << 10, Random: rng.Uint64}
}

// open opens a journal and collects its records.
func open(t testing.TB, opt journal.Options) (*journal.Journal, journal.Recovery, []replayed) {
	t.Helper()
	j, rec, got, err := tryOpen(opt)
	if err != nil {
		t.Fatal(err)
	}
	return j, rec, got
}

func tryOpen(opt journal.Options) (*journal.Journal, journal.Recovery, []replayed, error) {
	var got []replayed
	j, rec, err := journal.Open(opt, func(pos journal.Pos, rec []byte) error {
		got = append(got, replayed{pos, bytes.Clone(rec)})
		return nil
	})
	return j, rec, got, err
}

// makeRecord makes a record that says which one it is: n, its length, and bytes
// that follow from n. Some end in zeros, some are nothing but n.
func makeRecord(rng *rand.Rand, n uint64) []byte {
	size := 8 + rng.IntN(40)
	switch rng.IntN(20) {
	case 0:
		size = 8
	case 1:
		size = 600 + rng.IntN(3000)
	}
	rec := binary.LittleEndian.AppendUint64(make([]byte, 0, size), n)
	for len(rec) < size {
		rec = append(rec, byte(n)*byte(len(rec)))
	}
	if rng.IntN(8) == 0 {
		clear(rec[8:])
	}
	return rec
}

func recordNumber(rec []byte) uint64 { return binary.LittleEndian.Uint64(rec) }

// fill appends batches of records first, first+1 … each of per records, and
// returns the records with their positions.
func fill(t testing.TB, j *journal.Journal, rng *rand.Rand, first uint64, batches, per int, sync bool) []replayed {
	t.Helper()
	var all []replayed
	var b journal.Batch
	for range batches {
		b.Reset()
		at := len(all)
		for range per {
			rec := makeRecord(rng, first)
			first++
			if _, err := b.Add(rec); err != nil {
				t.Fatal(err)
			}
			all = append(all, replayed{rec: rec})
		}
		if err := j.Append(&b, sync); err != nil {
			t.Fatal(err)
		}
		for i := range per {
			all[at+i].pos = b.Pos(i)
		}
	}
	return all
}

// diff says how got differs from want; "" if not.
func diff(got, want []replayed) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("%d records, want %d: no %v", len(got), len(want), want[i].pos)
		case i >= len(want):
			return fmt.Sprintf("%d records, want %d: %v too much", len(got), len(want), got[i].pos)
		case got[i].pos != want[i].pos || !bytes.Equal(got[i].rec, want[i].rec):
			return fmt.Sprintf("record %d is %v %.20x, want %v %.20x", i, got[i].pos, got[i].rec, want[i].pos, want[i].rec)
		}
	}
	return ""
}

// scanAll collects what Scan finds in all segments, in steps of step bytes.
func scanAll(t testing.TB, j *journal.Journal, step int) []replayed {
	t.Helper()
	var got []replayed
	for _, s := range j.Segments() {
		for from, done := uint32(0), false; !done; {
			next, end, err := j.Scan(s.Number, from, step, func(pos journal.Pos, rec []byte) error {
				got = append(got, replayed{pos, bytes.Clone(rec)})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if next <= from && !end {
				t.Fatalf("scan of %08x stands at %d", s.Number, from)
			}
			from, done = next, end
		}
	}
	return got
}

// readAll compares what Read returns with what is wanted.
func readAll(t testing.TB, j *journal.Journal, want []replayed) {
	t.Helper()
	var buf []byte
	for _, w := range want {
		got, err := j.Read(w.pos, buf)
		if err != nil || !bytes.Equal(got, w.rec) {
			t.Fatalf("read %v: %.20x, %v; want %.20x", w.pos, got, err, w.rec)
		}
		buf = got
	}
}

// mustClose closes the journal and checks that no file stays open.
func mustClose(t testing.TB, j *journal.Journal, d *diskfault.Disk) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if d == nil {
		return
	}
	if now, _ := d.OpenFiles(); now != 0 {
		t.Fatalf("%d files stay open", now)
	}
}
