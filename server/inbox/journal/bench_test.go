package journal_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"roost/server/inbox/journal"
)

// benchDir opens a journal in a real directory.
func benchDir(b *testing.B, dir string, replay func(journal.Pos, []byte) error) (*journal.Journal, journal.Recovery) {
	b.Helper()
	fs, err := journal.Dir(dir)
	if err != nil {
		b.Fatal(err)
	}
	j, rec, err := journal.Open(journal.Options{FS: fs}, replay)
	if err != nil {
		b.Fatal(err)
	}
	return j, rec
}

// BenchmarkReplay opens a journal of a million records of 200 bytes, from the
// page cache.
func BenchmarkReplay(b *testing.B) {
	for _, per := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("batch=%d", per), func(b *testing.B) {
			const records = 1_000_000
			dir := b.TempDir()
			j, _ := benchDir(b, dir, nil)
			var batch journal.Batch
			rec := make([]byte, 200)
			for range records / per {
				batch.Reset()
				for range per {
					_, _ = batch.Add(rec)
				}
				if err := j.Append(&batch, false); err != nil {
					b.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
			var sum uint64
			for b.Loop() {
				j, r := benchDir(b, dir, func(_ journal.Pos, rec []byte) error {
					sum += uint64(len(rec))
					return nil
				})
				if r.Records != records {
					b.Fatalf("%+v", r)
				}
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/open")
		})
	}
}

// BenchmarkAppend appends batches of records of 160 bytes.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, per := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("sync=%v/batch=%d", sync, per), func(b *testing.B) {
				j, _ := benchDir(b, b.TempDir(), nil)
				var batch journal.Batch
				rec := make([]byte, 160)
				for b.Loop() {
					batch.Reset()
					for range per {
						_, _ = batch.Add(rec)
					}
					if err := j.Append(&batch, sync); err != nil {
						b.Fatal(err)
					}
					for len(j.Segments()) > 3 {
						_ = j.DropOldest()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*per), "us/record")
				if err := j.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkRead reads single records of 20 segments at random.
func BenchmarkRead(b *testing.B) {
	j, _ := benchDir(b, b.TempDir(), nil)
	rng := rand.New(rand.NewPCG(1, 1))
	all := fill(b, j, rng, 1, 10000, 10, false)
	var buf []byte
	for b.Loop() {
		got, err := j.Read(all[rng.IntN(len(all))].pos, buf)
		if err != nil {
			b.Fatal(err)
		}
		buf = got
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}
