package inbox

import (
	"fmt"
	"syscall"
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

// TestEraMeanwhile: a device begins a new era while its record, or anything else, is
// being written: the era is not lost with a restart.
func TestEraMeanwhile(t *testing.T) {
	for name, logged := range map[string]bool{"new": false, "logged": true} {
		m, fs := newMeanwhile(t, Limits{})
		o := m.open("a")
		if logged {
			m.Tick()
			m.Step()
		}
		var later Opened
		fs.do = func() {
			later, _ = m.Open([]byte("a"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 77})
		}
		m.put("a", "", 10)
		if later.Epoch == o.Epoch {
			t.Fatal("no new era")
		}
		m.Tick()
		m.Step()
		m = m.again()
		if i, _ := m.Lookup([]byte("a")); i.Epoch != later.Epoch || i.Last != 1 {
			t.Errorf("%s: %+v, want epoch %s", name, i, later.Epoch)
		}
	}
}

// TestEraInBatch: a device begins a new era between two commits of a batch: what the
// first one says about it stays.
func TestEraInBatch(t *testing.T) {
	m, _ := newMeanwhile(t, Limits{})
	o := m.open("a")
	m.put("a", "", 10)
	sub := &Subscription{Ref: o.Ref, Topic: "t", On: true}
	between := opFunc(func() {
		later, _ := m.x.open([]byte("a"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 77})
		o.Epoch = later.Epoch
	})
	if c := m.do(sub, between, &Put{Device: "a", Message: &Message{TTL: 60}}); c.Err != nil || sub.Err != nil {
		t.Fatal(c.Err, sub.Err)
	}
	m = m.again()
	if i, _ := m.Lookup([]byte("a")); i.Epoch != o.Epoch || len(i.Topics) != 1 || i.Last != 2 {
		t.Errorf("%+v, want epoch %s", i, o.Epoch)
	}
}

// TestEraFails: and when the batch is not written, the era is logged with the next
// one.
func TestEraFails(t *testing.T) {
	m, _ := newMeanwhile(t, Limits{})
	o := m.open("a")
	m.put("a", "", 10)
	later, _ := m.Open([]byte("a"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 77})
	m.disk.Fail(diskfault.OpWrite, 0, 100, syscall.EIO)
	for range 2 {
		if c := m.do(&Put{Device: "a", Message: &Message{TTL: 60}}); c.Err == nil {
			t.Fatal("it was written")
		}
		m.Tick()
		m.Step()
	}
	m.disk.Fail(diskfault.OpWrite, 0, 0, nil)
	m.Tick()
	m.Step()
	m = m.again()
	if i, _ := m.Lookup([]byte("a")); i.Epoch != later.Epoch {
		t.Errorf("%+v, want epoch %s", i, later.Epoch)
	}
}

// opFunc is what happens while a commit is planned.
type opFunc func()

func (f opFunc) plan(*index, writer)   { f() }
func (f opFunc) commit(*index, writer) {}
func (f opFunc) undo(*index)           {}
func (f opFunc) alone() bool           { return false }

// TestEraForgotten: an era that a crash has forgotten is not used again.
func TestEraForgotten(t *testing.T) {
	m, _ := newMeanwhile(t, Limits{})
	o := m.open("a")
	m.Tick()
	m.Step()
	used := map[Epoch]bool{o.Epoch: true}
	for range 3 {
		m = m.again()
		later, _ := m.Open([]byte("a"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 77})
		if used[later.Epoch] {
			t.Errorf("%s was used before", later.Epoch)
		}
		used[later.Epoch] = true
	}
}
