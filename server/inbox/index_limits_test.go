package inbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// put publishes one message and returns what became of it.
func put(t testing.TB, s Store, device, id, payload string, ttl uint32) *Put {
	t.Helper()
	p := &Put{Device: device, Message: &Message{TTL: ttl, ID: []byte(id), Payload: []byte(payload)}}
	if c := commit(t, s, p); c.Err != nil {
		t.Fatal(c.Err)
	}
	return p
}

func mustOpen(t testing.TB, s Store, id string) Opened {
	t.Helper()
	o, err := s.Open([]byte(id), Resume{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestInboxBounds: 1,000 messages and 1 MiB a device, and the one that does not
// fit is refused, also when it is the only one.
func TestInboxBounds(t *testing.T) {
	clock := newClock()
	s := NewMemory(Limits{}, clock.now)
	mustOpen(t, s, "many")
	mustOpen(t, s, "large")
	for i := range 1000 {
		if p := put(t, s, "many", "", "1", 60); p.Verdict != Stored || p.Seq != uint64(i+1) {
			t.Fatalf("message %d: %+v", i, p)
		}
	}
	if p := put(t, s, "many", "", "1", 60); p.Verdict != Full {
		t.Errorf("message 1001: %+v", p)
	}
	if p := put(t, s, "large", "", strings.Repeat("x", 1<<20), 60); p.Verdict != Full {
		t.Errorf("more than 1 MiB at once: verdict %d", p.Verdict)
	}
	for i := range 17 {
		p := put(t, s, "large", "", strings.Repeat("x", 1<<16-16), 60)
		if full := p.Verdict == Full; full != (i == 16) {
			t.Errorf("64 KiB number %d: verdict %d", i+1, p.Verdict)
		}
	}
	clock.add(60 * time.Second)
	if p := put(t, s, "many", "", "1", 60); p.Verdict != Stored || p.Seq != 1001 {
		t.Errorf("after the others expired: %+v", p)
	}
}

// TestTotalBound: the node's total holds for single messages and for one that
// many wait for, which counts once.
func TestTotalBound(t *testing.T) {
	s := NewMemory(Limits{Total: 10_000}, newClock().now)
	for i := range 10 {
		mustOpen(t, s, fmt.Sprint("d", i))
	}
	one := &Spread{Message: &Message{TTL: 60, Payload: make([]byte, 9_900)}}
	if commit(t, s, one); one.Verdict != Stored || one.Receivers != 10 {
		t.Fatalf("it fits once: %+v", one)
	}
	if p := put(t, s, "d0", "", strings.Repeat("x", 100), 60); p.Verdict != Full {
		t.Errorf("above the total: %+v", p)
	}
	more := &Spread{Message: &Message{TTL: 60, Payload: make([]byte, 100)}}
	if commit(t, s, more); more.Verdict != Full {
		t.Errorf("above the total, to all: %+v", more)
	}
}

// TestKeysSurviveTheClock: a clock that is set back does not make the store
// forget its keys.
func TestKeysSurviveTheClock(t *testing.T) {
	clock := newClock()
	s := NewMemory(Limits{}, clock.now)
	mustOpen(t, s, "d")
	s.Tick()
	put(t, s, "d", "k", "1", 3600)
	for range 3 {
		clock.add(-time.Second)
		s.Tick()
	}
	if p := put(t, s, "d", "k", "1", 3600); p.Verdict != Duplicate || p.Seq != 1 {
		t.Errorf("after three seconds back: %+v", p)
	}
}

// TestKeyWindow: a key is remembered for 10 minutes or the ttl, whichever is
// shorter, and forgotten then.
func TestKeyWindow(t *testing.T) {
	for _, row := range []struct {
		ttl, known, unknown int
	}{{3600, 599, 600}, {5, 4, 5}} {
		clock := newClock()
		s := NewMemory(Limits{}, clock.now)
		mustOpen(t, s, "d")
		clock.add(599 * time.Second) // nearly a whole generation
		s.Tick()
		put(t, s, "d", "k", "1", uint32(row.ttl))
		for range row.known {
			clock.add(time.Second)
			s.Tick()
		}
		if p := put(t, s, "d", "k", "2", 3600); p.Verdict != Duplicate || p.Seq != 1 {
			t.Errorf("ttl %d, after %d s: %+v", row.ttl, row.known, p)
		}
		clock.add(time.Duration(row.unknown-row.known) * time.Second)
		if p := put(t, s, "d", "k", "3", 3600); p.Verdict != Stored {
			t.Errorf("ttl %d, after %d s: %+v", row.ttl, row.unknown, p)
		}
		for range 1201 {
			clock.add(3 * time.Second)
			s.Tick()
		}
		if n := s.Counts().Keys; n != 0 {
			t.Errorf("%d keys are left after an hour", n)
		}
	}
}

// TestKeysLimited: when as many keys are known as may be, a message that brings
// a new one is refused, not stored without.
func TestKeysLimited(t *testing.T) {
	s := NewMemory(Limits{Keys: 2}, newClock().now)
	mustOpen(t, s, "d")
	for i, want := range []Verdict{Stored, Stored, Limited} {
		if p := put(t, s, "d", fmt.Sprint("k", i), "1", 60); p.Verdict != want {
			t.Errorf("key %d: verdict %d, want %d", i, p.Verdict, want)
		}
	}
	if p := put(t, s, "d", "k1", "1", 60); p.Verdict != Duplicate {
		t.Errorf("a known one: %+v", p)
	}
	if p := put(t, s, "d", "", "1", 60); p.Verdict != Stored {
		t.Errorf("without one: %+v", p)
	}
	all := &Spread{Message: &Message{TTL: 60, ID: []byte("k9"), Payload: []byte("1")}}
	if commit(t, s, all); all.Verdict != Limited {
		t.Errorf("to all: %+v", all)
	}
}

// TestLatestLimits: bytes of latest values and numbers of topics are bounded; a
// value may always be replaced by one that is no larger.
func TestLatestLimits(t *testing.T) {
	s := NewMemory(Limits{Latest: 100, Topics: 3}, newClock().now)
	set := func(topic string, n int) error {
		l := &Latest{Topic: topic, Message: &Message{TTL: 60, Payload: make([]byte, n)}}
		commit(t, s, l)
		return l.Err
	}
	if err := set("a", 90); err != nil {
		t.Fatal(err)
	}
	if err := set("a", 90); err != nil {
		t.Errorf("replaced by one as large: %v", err)
	}
	if err := set("b", 90); !errors.Is(err, ErrTopics) {
		t.Errorf("above the bound: %v", err)
	}
	if err := set("a", 10); err != nil {
		t.Errorf("replaced by a small one: %v", err)
	}
	for _, topic := range []string{"b", "c"} {
		if err := set(topic, 10); err != nil {
			t.Errorf("%s: %v", topic, err)
		}
	}
	if err := set("d", 1); !errors.Is(err, ErrTopics) {
		t.Errorf("a fourth topic: %v", err)
	}
	gone := &Latest{Topic: "b"}
	if commit(t, s, gone); gone.Err != nil {
		t.Error(gone.Err)
	}
	if again := (&Latest{Topic: "b"}); commit(t, s, again) == nil || !errors.Is(again.Err, ErrUnknown) {
		t.Errorf("removed twice: %v", again.Err)
	}
	if err := set("d", 1); err != nil {
		t.Errorf("in the place of the one that went: %v", err)
	}
}

// TestSubscriptionLimits: 64 topics a device.
func TestSubscriptionLimits(t *testing.T) {
	s := NewMemory(Limits{}, newClock().now)
	o := mustOpen(t, s, "d")
	for i := range MaxSubscriptions + 1 {
		sub := &Subscription{Ref: o.Ref, Topic: fmt.Sprint("t", i), On: true}
		if commit(t, s, sub); (sub.Err != nil) != (i == MaxSubscriptions) {
			t.Errorf("topic %d: %v", i+1, sub.Err)
		}
	}
	again := &Subscription{Ref: o.Ref, Topic: "t0", On: true}
	if commit(t, s, again); again.Err != nil {
		t.Errorf("one that it has: %v", again.Err)
	}
}
