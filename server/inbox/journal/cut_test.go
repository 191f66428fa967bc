package journal_test

import (
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// TestCut: what is cut off a batch is not in the log, and the batch takes more.
func TestCut(t *testing.T) {
	var b journal.Batch
	b.Cut(0)
	for _, rec := range []string{"one", "two", "three"} {
		if _, err := b.Add([]byte(rec)); err != nil {
			t.Fatal(err)
		}
	}
	size := b.Bytes()
	b.Begin()
	b.Buf = append(b.Buf, "four"...)
	if b.Cut(3); b.Len() != 3 || b.Bytes() != size {
		t.Errorf("%d records in %d bytes, want 3 in %d", b.Len(), b.Bytes(), size)
	}
	b.Cut(1)
	if i, err := b.Add([]byte("last")); i != 1 || err != nil {
		t.Errorf("record %d, %v", i, err)
	}
	d := diskfault.New()
	j, _, _ := open(t, options(d, 1))
	if err := j.Append(&b, true); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, rec, got := open(t, options(d, 2)); rec.Lost != 0 || len(got) != 2 || string(got[0].rec) != "one" || string(got[1].rec) != "last" {
		t.Errorf("%+v, %+v", rec, got)
	}
}
