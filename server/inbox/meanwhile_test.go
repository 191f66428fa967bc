package inbox

import (
	"fmt"
	"testing"

	"roost/server/inbox/journal"
	"roost/server/inbox/journal/diskfault"
)

// meanwhileFS is a disk on which something happens while it syncs: what devices do
// while the committing goroutine waits.
type meanwhileFS struct {
	journal.FS
	do func()
}

type meanwhileFile struct {
	journal.File
	fs *meanwhileFS
}

func (fs *meanwhileFS) Create(name string) (journal.File, error) {
	f, err := fs.FS.Create(name)
	return meanwhileFile{f, fs}, err
}

func (f meanwhileFile) Datasync() error {
	if do := f.fs.do; do != nil {
		f.fs.do = nil
		do()
	}
	return f.File.Datasync()
}

// cleanOldest cleans the oldest segment, whether it is due or not.
func (m *manual) cleanOldest() {
	m.t.Helper()
	first := m.oldest()
	for m.cleaner.busy, m.cleaner.segment, m.cleaner.next = true, first, 0; m.cleaner.busy; {
		m.Step()
	}
	if m.oldest() == first {
		m.t.Fatalf("segment %d stays: %+v", first, m.journal.Segments())
	}
}

// newMeanwhile is newManual on such a disk.
func newMeanwhile(t *testing.T, limits Limits) (*manual, *meanwhileFS) {
	t.Helper()
	d, clock := diskfault.New(), newClock()
	fs := &meanwhileFS{FS: d}
	f, _, err := OpenFile(FileOptions{FS: fs, Manual: true, SegmentBytes: 8 << 10, Now: clock.now, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	m := &manual{t: t, File: f, disk: d, clock: clock}
	m.cleaner.slack = 1 << 30
	return m, fs
}

// TestAcknowledgedWhileCopied: all that waits is acknowledged between the sync of
// the cleaner's copies and the look at what they were copied for.
func TestAcknowledgedWhileCopied(t *testing.T) {
	m, fs := newMeanwhile(t, Limits{Messages: 5000})
	o := m.open("a")
	for i := range 6 * perChunk {
		m.put("a", fmt.Sprint(i), 10)
	}
	m.cleaner.busy, m.cleaner.segment = true, m.oldest()
	fs.do = func() {
		last, _ := m.Last(o.Ref, o.Fence)
		m.Ack(o.Ref, o.Fence, last)
	}
	m.Step()
	if problems := m.Check(); len(problems) > 0 {
		t.Error(problems)
	}
}
