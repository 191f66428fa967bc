package inbox

import (
	"errors"
	"fmt"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// TestOpenAfterClose: a store that is closed begins no session.
func TestOpenAfterClose(t *testing.T) {
	for _, store := range stores {
		s := store.open(t, Limits{})
		mustOpen(t, s, "a")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if o, err := s.Open([]byte("a"), Resume{}); !errors.Is(err, ErrFailed) {
			t.Errorf("%s: %+v, %v", store.name, o, err)
		}
	}
}

// TestMemoryGivesUp: after a burst the list of messages' bytes is as short as before.
func TestMemoryGivesUp(t *testing.T) {
	s := NewMemory(Limits{Messages: 5000}, newClock().now)
	o := mustOpen(t, s, "a")
	for range 3000 {
		put(t, s, "a", "", "x", 60)
	}
	s.Ack(o.Ref, o.Fence, 3000)
	if n := len(s.content.bytes); n != 0 {
		t.Errorf("%d places for nothing", n)
	}
	put(t, s, "a", "", "x", 60)
	q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 1, Bytes: 1}
	if s.Fetch(q); len(q.Items) != 1 || string(q.Items[0].Message.Payload) != "x" {
		t.Errorf("%+v", q)
	}
}

// TestManyRemovals: numbers that many devices had one after the other, with messages
// of each of them in the log.
func TestManyRemovals(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m.cleaner.slack = 1 << 30
	for i := range 300 {
		id := fmt.Sprint("d", i)
		m.open(id)
		m.put(id, "k", 10)
		m.put(id, "", 10)
		if i%3 > 0 {
			m.do(&Removal{Device: id})
		}
	}
	m = m.again()
	if n := m.Counts(); n.Devices != 100 || n.Recovered != 200 || n.InFlight != 200 || len(m.Check()) > 0 {
		t.Errorf("%+v, %v", n, m.Check())
	}
	for i := range 300 {
		if info, known := m.Lookup(fmt.Append(nil, "d", i)); known != (i%3 == 0) || known && info.Messages != 2 {
			t.Errorf("d%d: %v, %+v", i, known, info)
		}
	}
}

// TestKeyTurns: keys are remembered for the window and hardly longer, whenever the
// store began; refusals by their number are counted.
func TestKeyTurns(t *testing.T) {
	clock := newClock()
	s := NewMemory(Limits{Keys: 4}, clock.now)
	mustOpen(t, s, "a")
	for i := range 5 {
		s.Tick()
		if p := put(t, s, "a", fmt.Sprint(i), "x", 3600); (p.Verdict == Limited) != (i == 4) {
			t.Errorf("key %d: %+v", i, p)
		}
		clock.add(Window / 8)
	}
	if n := s.Counts(); n.Limited != 1 || n.Refused != 1 {
		t.Errorf("%+v", n)
	}
	clock.add(Window / 2) // 9/8 since the first, 6/8 since the fourth
	s.Tick()
	if p := put(t, s, "a", "3", "x", 3600); p.Verdict != Duplicate {
		t.Errorf("within the window: %+v", p)
	}
	clock.add(Window / 2)
	s.Tick()
	if p := put(t, s, "a", "4", "x", 3600); p.Verdict != Stored {
		t.Errorf("with room again: %+v", p)
	}
}
