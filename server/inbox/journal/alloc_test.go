//go:build !race

package journal_test

import (
	"testing"

	"roost/server/inbox/journal"
)

// TestNoAllocs: building, appending, with and without sync, and reading.
func TestNoAllocs(t *testing.T) {
	fs, err := journal.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j, _, err := journal.Open(journal.Options{FS: fs}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, j, nil)
	var b journal.Batch
	rec := make([]byte, 200)
	for _, sync := range []bool{false, true} {
		n := testing.AllocsPerRun(50, func() {
			b.Reset()
			for range 100 {
				b.Begin()
				b.Buf = append(b.Buf, rec...)
				if _, err := b.End(); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Append(&b, sync); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("an append of 100 records, sync %v, allocates %v times", sync, n)
		}
	}
	buf := make([]byte, 0, 208)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := j.Read(b.Pos(7), buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Read allocates %v times", n)
	}
}
