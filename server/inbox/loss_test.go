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
