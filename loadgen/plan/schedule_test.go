package plan

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestScheduleIsEvenAndInBursts(t *testing.T) {
	s := Schedule{Rate: 4}
	for i, want := range []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond, time.Second} {
		if got := s.Due(i); got != want {
			t.Errorf("event %d of 4/s is due at %v, want %v", i, got, want)
		}
	}
	s.Burst = 3
	for i, want := range []time.Duration{0, 0, 0, 250 * time.Millisecond, 250 * time.Millisecond} {
		if got := s.Due(i); got != want {
			t.Errorf("event %d of 3 at a time, 4/s, is due at %v, want %v", i, got, want)
		}
	}
	if got := s.Count(time.Second); got != 12 {
		t.Errorf("%d events within 1 s, want 12: what is due at its end belongs to the next second", got)
	}
}

// TestScheduleCountIsWhatDueSays: Count is by definition the number of events
// whose Due is below the bound.
func TestScheduleCountIsWhatDueSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Schedule{Rate: rapid.Float64Range(0.01, 1e6).Draw(t, "rate"), Burst: rapid.IntRange(0, 9).Draw(t, "burst")}
		d := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "d"))
		n := s.Count(d)
		if n > 0 && s.Due(n-1) >= d {
			t.Fatalf("%+v: event %d is due at %v, not before %v", s, n-1, s.Due(n-1), d)
		}
		if s.Due(n) < d {
			t.Fatalf("%+v: event %d is due at %v, before %v, and not counted", s, n, s.Due(n), d)
		}
		if n%s.burst() != 0 {
			t.Fatalf("%+v: %d events within %v cut a burst", s, n, d)
		}
	})
}

// TestScheduleDoesNotOmit plays an open loop of 100/s against a server that
// answers within 1 ms but freezes once for 2 s within 60: measured from when
// each was due, p99 is near 1.4 s; a loop that waits for the answer would have
// said 1 ms.
func TestScheduleDoesNotOmit(t *testing.T) {
	s := Schedule{Rate: 100}
	const freeze, thaw, service = 10 * time.Second, 12 * time.Second, time.Millisecond
	free := time.Duration(0)
	slow := 0
	n := s.Count(time.Minute)
	for i := range n {
		start := max(s.Due(i), free)
		if start >= freeze && start < thaw {
			start = thaw
		}
		free = start + service
		if free-s.Due(i) > 1390*time.Millisecond {
			slow++
		}
	}
	if share := float64(slow) / float64(n); share < 0.009 || share > 0.015 {
		t.Errorf("%.2f %% of messages took longer than 1.39 s, want about 1 %%", 100*share)
	}
}
