package inbox

import (
	"errors"
	"testing"
	"time"

	"roost/server/inbox/journal/diskfault"
)

// withLimits opens the store anew with other limits.
func (m *manual) withLimits(l Limits) *manual {
	m.t.Helper()
	f, rec, err := OpenFile(FileOptions{FS: m.disk, Manual: true, SegmentBytes: 8 << 10, Now: m.clock.now, Limits: l})
	if err != nil || rec.Lost != 0 {
		m.t.Fatalf("%v, %+v", err, rec)
	}
	return &manual{t: m.t, File: f, disk: m.disk, clock: m.clock}
}

// TestRefusedIsNotLogged: what others of the same batch leave no room for is refused
// for good.
func TestRefusedIsNotLogged(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m = m.withLimits(Limits{Topics: 1, Latest: 40})
	o := m.open("a")
	value := &Message{TTL: 3600, Payload: make([]byte, 20)}
	first, topics := &Latest{Topic: "t1", Message: value}, &Latest{Topic: "t2", Message: value}
	sub := &Subscription{Ref: o.Ref, Topic: "t3", On: true}
	m.do(first, topics, sub)
	if first.Err != nil || !errors.Is(topics.Err, ErrTopics) || !errors.Is(sub.Err, ErrTopics) {
		t.Errorf("%v, %v, %v", first.Err, topics.Err, sub.Err)
	}
	m = m.withLimits(Limits{Topics: 9, Latest: 60})
	if all := m.Topics("", 10); len(all) != 1 || len(m.Check()) > 0 {
		t.Errorf("%+v, %v", all, m.Check())
	}
	second, bytes := &Latest{Topic: "t2", Message: value}, &Latest{Topic: "t3", Message: value}
	m.do(second, bytes)
	if second.Err != nil || !errors.Is(bytes.Err, ErrTopics) || m.x.topics.reserved != 0 {
		t.Errorf("%v, %v, %d bytes are reserved", second.Err, bytes.Err, m.x.topics.reserved)
	}
	m = m.again()
	if all := m.Topics("", 10); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

// TestSetAndCleared: the last word on a latest value counts, within a batch too.
func TestSetAndCleared(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	set, clear := &Latest{Topic: "t", Message: &Message{TTL: 60}}, &Latest{Topic: "t"}
	if m.do(set, clear); set.Err != nil || clear.Err != nil || len(m.Topics("", 10)) != 0 {
		t.Errorf("%v, %v, %v", set.Err, clear.Err, m.Topics("", 10))
	}
}

// TestReplayedBeyondTopics: values that have expired make room for subscriptions, and
// do not take it back in a replay.
func TestReplayedBeyondTopics(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	m = m.withLimits(Limits{Topics: 1})
	o := m.open("a")
	m.do(&Latest{Topic: "t1", Message: &Message{TTL: 1}})
	m.clock.add(2 * time.Second)
	m.Tick()
	sub := &Subscription{Ref: o.Ref, Topic: "t2", On: true}
	m.do(sub)
	m.do(&Subscription{Ref: o.Ref, Topic: "t2"})
	m.do(&Subscription{Ref: o.Ref, Topic: "t3", On: true})
	if sub.Err != nil {
		t.Fatal(sub.Err)
	}
	m = m.withLimits(Limits{Topics: 1})
	if i, _ := m.Lookup([]byte("a")); len(i.Topics) != 1 || i.Topics[0] != "t3" {
		t.Errorf("%+v", i)
	}
}

// TestSubscriptionOfAnother: what a device has asked is not done for the next one
// that has got its number.
func TestSubscriptionOfAnother(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	memory := NewMemory(Limits{}, nil)
	for _, s := range []Store{m.File, memory} {
		do := func(op Op) {
			s.Commit(&Commit{Ops: []Op{op}, Done: func(*Commit) {}})
			m.Step()
		}
		a, _ := s.Open([]byte("a"), Resume{})
		do(&Removal{Device: "a"})
		b, _ := s.Open([]byte("b"), Resume{})
		if a.Ref != b.Ref {
			t.Fatalf("%+v, %+v", a, b)
		}
		late := &Subscription{Ref: a.Ref, Fence: a.Fence, Topic: "t", On: true}
		byID := &Subscription{Device: "a", Topic: "t", On: true}
		do(late)
		do(byID)
		if i, _ := s.Lookup([]byte("b")); !errors.Is(late.Err, ErrUnknown) || !errors.Is(byID.Err, ErrUnknown) || len(i.Topics) != 0 {
			t.Errorf("%v, %v, %+v", late.Err, byID.Err, i)
		}
		if _, err := s.Open([]byte("b"), Resume{}); err != nil { // it has come back: what it asked before holds
			t.Fatal(err)
		}
		own, byID := &Subscription{Ref: b.Ref, Fence: b.Fence, Topic: "t", On: true}, &Subscription{Device: "b", Topic: "u", On: true}
		do(own)
		do(byID)
		if i, _ := s.Lookup([]byte("b")); own.Err != nil || byID.Err != nil || byID.Ref != b.Ref || len(i.Topics) != 2 {
			t.Errorf("%v, %v, %+v", own.Err, byID.Err, i)
		}
	}
}
