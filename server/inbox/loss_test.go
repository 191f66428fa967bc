package inbox

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"roost/server/inbox/journal/diskfault"
)

// TestFirstSegmentLost: the segment with the records of all devices is missing or
// damaged. No device must hear the epoch that it knows, and somebody has to say
// what happened.
func TestFirstSegmentLost(t *testing.T) {
	for name, damage := range map[string]func(d *diskfault.Disk, name string){
		"missing": func(d *diskfault.Disk, name string) { d.Delete(name) },
		"zeros":   func(d *diskfault.Disk, name string) { d.Put(name, make([]byte, len(d.Bytes(name)))) },
	} {
		clock := newClock()
		m := newManual(t, diskfault.New(), clock)
		o := m.open("a")
		m.put("a", "", 10)
		clock.add(time.Minute)
		m = m.again()
		m.put("a", "", 10)
		clock.add(time.Minute)
		damage(m.disk, "00000001.log")
		f, rec, err := OpenFile(FileOptions{FS: m.disk, Manual: true, Now: clock.now})
		if err != nil {
			t.Fatal(err)
		}
		if rec.Lost == 0 {
			t.Errorf("%s: nobody says that something was lost", name)
		}
		again, err := f.Open([]byte("a"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 1})
		if err != nil || again.Epoch == o.Epoch || again.Resumed {
			t.Errorf("%s: %+v, %v; it knows epoch %s", name, again, err, o.Epoch)
		}
	}
}

// TestDirectoryGone: files without a name take what is written, until the process
// ends; who publishes must hear of it before.
func TestDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inbox")
	f, _ := openFile(t, dir, FileOptions{Space: func() (Space, error) { return SpaceOf(dir) }})
	defer f.Close()
	if _, err := f.Open([]byte("a"), Resume{}); err != nil {
		t.Fatal(err)
	}
	if c := commit(t, f, &Put{Device: "a", Message: &Message{TTL: 60}}); c.Err != nil {
		t.Fatal(c.Err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if c := commit(t, f, &Put{Device: "a", Message: &Message{TTL: 60}}); !errors.Is(c.Err, ErrFailed) || !errors.Is(c.Err, os.ErrNotExist) {
		t.Errorf("%v", c.Err)
	}
}

// TestUnreadableIsGone: a device that misses a message because it could not be read
// hears that it is gone, not that its time has passed.
func TestUnreadableIsGone(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	o := m.open("a")
	m.put("a", "", 10)
	m.put("a", "", 10)
	m.disk.Fail(diskfault.OpRead, 0, 2, syscall.EIO) // the record, and its head alone
	q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1 << 20}
	if m.Fetch(q); q.Skip != 1 || q.Why != "gone" || len(q.Items) != 1 || q.Items[0].Seq != 2 || m.Counts().Lost != 1 {
		t.Errorf("%+v, %+v", q, m.Counts())
	}
}

// TestUnreadableForNow: the cleaner does not drop what it could not read but perhaps
// can later; what it never can is gone, and that is said.
func TestUnreadableForNow(t *testing.T) {
	for name, times := range map[string]int{"for now": 2, "for ever": 10_000} {
		m := newManual(t, diskfault.New(), newClock())
		m.cleaner.slack = 1 << 30
		a, b := m.open("a"), m.open("b")
		m.do(&Subscription{Ref: a.Ref, Topic: "t", On: true}, &Latest{Topic: "t", Message: &Message{TTL: 3600, Payload: []byte("v")}})
		m.put("a", "", 10)
		m.fill("b", b)
		m.disk.Fail(diskfault.OpRead, 0, times, syscall.EIO)
		m.cleaner.slack, m.x.n.Bytes = 0, m.x.n.Bytes-8000 // due
		for first, i := m.oldest(), 0; m.oldest() == first; i++ {
			if m.Tick(); i == 20 {
				t.Fatalf("%s: segment %d stays", name, first)
			}
			m.Step()
		}
		m.x.n.Bytes += 8000
		m.disk.Fail(diskfault.OpRead, 0, 0, nil)
		q := &Fetch{Ref: a.Ref, Fence: a.Fence, From: 1, Max: 10, Bytes: 1 << 20}
		if m.Fetch(q); q.Err != nil || len(q.Items) != map[string]int{"for now": 1}[name] || len(m.Check()) > 0 {
			t.Errorf("%s: %+v, %v", name, q, m.Check())
		}
		f, _, err := OpenFile(FileOptions{FS: m.disk, Manual: true, Now: m.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		if i, known := f.Lookup([]byte("a")); !known || len(i.Topics) != 1 || i.Messages != len(q.Items) {
			t.Errorf("%s: after a restart: %+v, %v", name, i, known)
		}
		if v, ok := f.LatestOf([]byte("t")); !ok || string(v.Payload) != "v" {
			t.Errorf("%s: latest value %q, %v", name, v.Payload, ok)
		}
	}
}
