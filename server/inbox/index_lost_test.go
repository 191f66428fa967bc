package inbox

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// damage flips a bit where text is in the log.
func damage(t *testing.T, d *diskfault.Disk, text string) {
	t.Helper()
	names, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if at := bytes.Index(d.Bytes(name), []byte(text)); at >= 0 {
			d.Flip(name, int64(at), 1)
			return
		}
	}
	t.Fatalf("%q is not in the log", text)
}

// twoTopics is a store with a message to each of two topics, which have a
// subscriber each, and with something behind them.
func twoTopics(t *testing.T) *manual {
	m := newManual(t, diskfault.New(), newClock())
	for _, id := range []string{"a", "b"} {
		m.do(&Subscription{Ref: m.open(id).Ref, Topic: "to " + id, On: true})
	}
	for _, id := range []string{"a", "b"} {
		m.do(&Spread{Topic: "to " + id, Message: &Message{TTL: 3600, Payload: []byte("secret of " + id)}})
	}
	m.put("a", "", 10)
	m.put("b", "", 10)
	return m
}

// TestReceiversOfAnotherBody: when the body of a message to many is damaged its
// receivers get nothing, not the message before it, which was for others.
func TestReceiversOfAnotherBody(t *testing.T) {
	m := twoTopics(t)
	damage(t, m.disk, "secret of b")
	f, rec, err := OpenFile(FileOptions{FS: m.disk, Manual: true, Now: m.clock.now})
	if err != nil || rec.Lost == 0 {
		t.Fatalf("%+v, %v", rec, err)
	}
	for id, want := range map[string]int{"a": 2, "b": 1} {
		o, err := f.Open([]byte(id), Resume{})
		if err != nil {
			t.Fatal(err)
		}
		q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1 << 20}
		if f.Fetch(q); len(q.Items) != want {
			t.Errorf("%s: %+v", id, q)
		}
		for _, it := range q.Items {
			if text := string(it.Message.Payload); text == "secret of a" && id != "a" {
				t.Errorf("%s gets %q", id, text)
			}
		}
	}
	if p := f.Check(); len(p) > 0 {
		t.Error(p)
	}
}

// TestCleanReceiversWithoutBody: the cleaner meets receivers whose body is damaged,
// with a body before it that was for others, and with none.
func TestCleanReceiversWithoutBody(t *testing.T) {
	for _, damaged := range [][]string{{"secret of b"}, {"secret of a", "secret of b"}} {
		m := twoTopics(t)
		for _, text := range damaged {
			damage(t, m.disk, text)
		}
		f, _, err := OpenFile(FileOptions{FS: m.disk, Manual: true, Now: m.clock.now, SegmentBytes: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		m.File = f
		m.cleaner.slack, m.x.n.Bytes = 0, m.x.n.Bytes-100_000 // due
		for first := m.oldest(); m.oldest() == first; m.Step() {
			m.Tick() // it is tried again before it is given up
		}
		m.x.n.Bytes += 100_000
		left := m.Counts().InFlight
		if want := uint64(4 - len(damaged)); left != want || len(m.Check()) > 0 {
			t.Errorf("%q damaged: %d messages, want %d; %v", damaged, left, want, m.Check())
		}
		f, _, err = OpenFile(FileOptions{FS: m.disk, Manual: true, Now: m.clock.now})
		if err != nil || f.Counts().InFlight != left {
			t.Errorf("%q damaged: %d messages after a restart, want %d; %v", damaged, f.Counts().InFlight, left, err)
		}
	}
}

// TestNumberOfTheRemoved: a device is removed and another one gets its number. When
// damage takes the records that say so, neither gets what was for the other.
func TestNumberOfTheRemoved(t *testing.T) {
	for name, row := range map[string]struct {
		damaged []string
		a, b    int // messages that each gets
	}{
		"nothing":               {nil, 0, 2},
		"the first device":      {[]string{"device-a"}, 0, 2},
		"the second device":     {[]string{"device-b"}, 0, 0},
		"the removal, and both": {[]string{"device-a", "removal", "device-b"}, 0, 0},
		"the first and removal": {[]string{"device-a", "removal"}, 0, 2},
		"the removal":           {[]string{"removal"}, 0, 2},
		"removal and second":    {[]string{"removal", "device-b"}, 2, 0},
	} {
		m := newManual(t, diskfault.New(), newClock())
		m.open("device-a")
		m.put("device-a", "", 10)
		m.put("device-a", "", 10)
		m.do(&Removal{Device: "device-a"})
		m.open("device-b")
		m.Tick()
		m.Step()
		m.put("device-b", "", 20)
		m.put("device-b", "", 20)
		for _, text := range row.damaged {
			if text == "removal" {
				text = string([]byte{recRemove, 1 << 1, 0, 0, 0, 0, 0, 0}) // padded
			}
			damage(t, m.disk, text)
		}
		f, _, err := OpenFile(FileOptions{FS: m.disk, Manual: true, Now: m.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]int{"device-a": row.a, "device-b": row.b} {
			o, err := f.Open([]byte(id), Resume{})
			if err != nil {
				t.Fatal(err)
			}
			q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1 << 20}
			f.Fetch(q)
			for _, it := range q.Items {
				if foreign := len(it.Message.Payload) != map[string]int{"device-a": 10, "device-b": 20}[id]; foreign {
					t.Errorf("%s damaged: %s gets a message of %d bytes", name, id, len(it.Message.Payload))
				}
			}
			if len(q.Items) != want {
				t.Errorf("%s damaged: %s gets %d messages, want %d", name, id, len(q.Items), want)
			}
		}
		if p := f.Check(); len(p) > 0 {
			t.Errorf("%s damaged: %v", name, p)
		}
	}
}

// TestNumberOfTheLost: messages whose device is lost stay in the log; the device that
// gets its number does not get them after the next restart.
func TestNumberOfTheLost(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.open("device-a")
	m.put("device-a", "key", 10)
	m.put("device-a", "", 10)
	damage(t, m.disk, "device-a")
	for restart := range 2 {
		f, _, err := OpenFile(FileOptions{FS: m.disk, Manual: true, Now: m.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		m.File = f
		m.open("device-b")
		if p := m.put("device-b", "key", 20); restart == 0 && p.Verdict != Stored {
			t.Errorf("the other's key counts: %+v", p)
		}
		if i, _ := f.Lookup([]byte("device-b")); i.Messages != 1 || i.Last != 1 {
			t.Errorf("restart %d: %+v", restart, i)
		}
	}
}

// TestLyingDisk: a disk loses what it had called durable. The device that has got it
// must hear a new epoch, and gets all that is accepted after the restart, although
// that has the numbers which it knows already. So must a device that is lost itself.
func TestLyingDisk(t *testing.T) {
	for _, kept := range []int{3, 0} { // messages that the disk keeps; 0: not even the device
		m := newManual(t, diskfault.New(), newClock())
		m.open("other")
		m.Tick()
		m.Step()
		var o Opened
		for i := range 10 {
			if i == kept {
				m.disk.Lie(true)
			}
			if i == 0 {
				o = m.open("d")
			}
			m.put("d", "", 10)
		}
		m.disk.Crash(rand.New(rand.NewPCG(4, 0))) // which keeps nothing of that
		m.disk.Lie(false)
		m = m.again()
		if i, known := m.Lookup([]byte("d")); known != (kept > 0) || int(i.Last) != kept {
			t.Fatalf("%d kept: %+v", kept, i)
		}
		for range 12 {
			m.put("d", "", 20)
		}
		again, err := m.Open([]byte("d"), Resume{Given: true, Epoch: o.Epoch.Append(nil), Seq: 10})
		if err != nil || again.Epoch == o.Epoch || again.Resumed || again.Acked != 0 {
			t.Errorf("%d kept: %+v, %v", kept, again, err)
		}
		if i, _ := m.Lookup([]byte("d")); kept > 0 && i.Messages != kept+12 {
			t.Errorf("%d kept: %+v", kept, i)
		}
		next, err := m.Open([]byte("d"), Resume{Given: true, Epoch: again.Epoch.Append(nil), Seq: again.Last})
		if err != nil || next.Epoch != again.Epoch || !next.Resumed || next.Acked != again.Last {
			t.Errorf("%d kept, and then: %+v, %v", kept, next, err)
		}
		if p := m.Check(); len(p) > 0 {
			t.Error(p)
		}
	}
}

// TestKeyOfNobody: the id of a message to a topic that had no subscribers is known
// after its record was cleaned away, and after a restart.
func TestKeyOfNobody(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	spread := func() *Spread {
		return &Spread{Topic: "t", Message: &Message{TTL: 3600, ID: []byte("key"), Payload: []byte("x")}}
	}
	first := spread()
	m.do(first)
	m.fill("a", m.open("a"))
	m.cleanOldest()
	m = m.again()
	again := spread()
	if m.do(again); first.Verdict != Stored || again.Verdict != Duplicate {
		t.Errorf("first %+v, again %+v", first, again)
	}
}
