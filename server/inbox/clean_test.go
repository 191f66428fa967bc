package inbox

import (
	"strings"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// manual is a File whose work the test does.
type manual struct {
	t testing.TB
	*File
	disk  *diskfault.Disk
	clock *testClock
}

func newManual(t testing.TB, d *diskfault.Disk, clock *testClock) *manual {
	t.Helper()
	f, rec, err := OpenFile(FileOptions{FS: d, Manual: true, SegmentBytes: 8 << 10, Now: clock.now})
	if err != nil || rec.Lost != 0 {
		t.Fatalf("%v, %+v", err, rec)
	}
	return &manual{t: t, File: f, disk: d, clock: clock}
}

// do commits operations.
func (m *manual) do(ops ...Op) *Commit {
	m.t.Helper()
	done := false
	c := &Commit{Ops: ops, Done: func(*Commit) { done = true }}
	m.Commit(c)
	for !done && m.Step() {
	}
	if !done {
		m.t.Fatal("the commit is not done")
	}
	return c
}

// again opens the store anew, as after kill -9.
func (m *manual) again() *manual { m.t.Helper(); return newManual(m.t, m.disk, m.clock) }

func (m *manual) open(id string) Opened {
	m.t.Helper()
	o, err := m.Open([]byte(id), Resume{})
	if err != nil {
		m.t.Fatal(err)
	}
	return o
}

func (m *manual) put(id, key string, size int) *Put {
	m.t.Helper()
	p := &Put{Device: id, Message: &Message{TTL: 3600, ID: []byte(key), Payload: []byte(strings.Repeat("x", size))}}
	m.do(p)
	return p
}

// cleanUpTo cleans until a segment is gone.
func (m *manual) cleanUpTo(segment uint32) {
	m.t.Helper()
	m.cleaner.slack = 0
	for m.oldest() <= segment {
		if !m.Step() {
			m.t.Fatalf("segment %d stays: %+v", segment, m.journal.Segments())
		}
	}
	m.cleaner.slack = 1 << 30
}

func (m *manual) oldest() uint32 { return m.journal.Segments()[0].Number }

func (m *manual) head() uint32 {
	s := m.journal.Segments()
	return s[len(s)-1].Number
}

// TestKeysOfRemoved: the ids of a device that was removed mean nothing to the
// next one that gets its number, also when its record is no longer in the log and
// its messages are.
func TestKeysOfRemoved(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	o := m.open("a")
	m.put("a", "first", 10)
	first := m.fill("a", o)
	m.put("a", "order-7", 10) // in the second segment, a's record in the first
	if r := (&Removal{Device: "a"}); m.do(r).Err != nil || r.Err != nil {
		t.Fatal(r.Err)
	}
	m.cleanUpTo(first)
	if b := m.open("b"); b.Ref != o.Ref {
		t.Fatalf("b got number %d, not %d", b.Ref, o.Ref)
	}
	m.put("b", "", 10)
	m = m.again()
	m.open("b")
	if p := m.put("b", "order-7", 10); p.Verdict != Stored {
		t.Errorf("verdict %d, seq %d: it was never stored for b", p.Verdict, p.Seq)
	}
}

// fill writes until a segment is full; it returns its number.
func (m *manual) fill(id string, o Opened) (segment uint32) {
	m.t.Helper()
	segment = m.head()
	for m.head() == segment {
		m.Ack(o.Ref, o.Fence, m.put(id, "", 1000).Seq)
	}
	return segment
}

// TestKeysOfRemovedAreNotCopied: the cleaner has copied an id of a device, and
// drops it when the device was removed since.
func TestKeysOfRemovedAreNotCopied(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	o := m.open("a")
	m.Ack(o.Ref, o.Fence, m.put("a", "order-7", 10).Seq)
	m.cleanUpTo(m.fill("a", o))
	copied := m.head() // it holds the key now
	if r := (&Removal{Device: "a"}); m.do(r).Err != nil || r.Err != nil {
		t.Fatal(r.Err)
	}
	b := m.open("b")
	if b.Ref != o.Ref {
		t.Fatalf("b got number %d, not %d", b.Ref, o.Ref)
	}
	m.fill("b", b)
	m.cleanUpTo(copied)
	m = m.again()
	if p := m.put("b", "order-7", 10); p.Verdict != Stored {
		t.Errorf("verdict %d, seq %d: it was never stored for b", p.Verdict, p.Seq)
	}
}

// TestKeysAreCopied: and those of devices that are there still are.
func TestKeysAreCopied(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	o := m.open("a")
	first := m.put("a", "order-7", 10)
	m.Ack(o.Ref, o.Fence, first.Seq)
	s := &Spread{Message: &Message{TTL: 3600, ID: []byte("all-1"), Payload: []byte("x")}}
	m.do(s)
	m.Ack(o.Ref, o.Fence, 2)
	for range 3 {
		m.cleanUpTo(m.fill("a", o))
	}
	m = m.again()
	m.open("a")
	if p := m.put("a", "order-7", 10); p.Verdict != Duplicate || p.Seq != first.Seq {
		t.Errorf("verdict %d, seq %d", p.Verdict, p.Seq)
	}
	s = &Spread{Message: s.Message}
	if m.do(s); s.Verdict != Duplicate || s.Receivers != 1 {
		t.Errorf("to all: verdict %d, %d receivers", s.Verdict, s.Receivers)
	}
}

// TestSpreadIsCopiedWhole: a message to more devices than one record names is
// still there for all of them when it was copied twice.
func TestSpreadIsCopiedWhole(t *testing.T) {
	defer func(n int) { receiversPerRecord = n }(receiversPerRecord)
	receiversPerRecord = 2
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	ids := []string{"a", "b", "c", "d", "e"}
	for _, id := range ids {
		m.open(id)
	}
	m.do(&Spread{Message: &Message{TTL: 3600, Payload: []byte("to all")}})
	o := m.open("other")
	for range 3 {
		m.cleanUpTo(m.fill("other", o))
	}
	m = m.again()
	for _, id := range ids {
		if i, _ := m.Lookup([]byte(id)); i.Messages != 1 || i.Last != 1 {
			t.Errorf("device %s: %+v", id, i)
		}
	}
}
