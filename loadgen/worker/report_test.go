package worker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestReportsAreAtTheEndOfEachInterval, whatever its length, and progress is
// never older than it should be.
func TestReportsAreAtTheEndOfEachInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := rapid.Int64Range(int64(100*time.Millisecond), int64(3*time.Second)).Draw(t, "interval")
		now := rapid.Int64Range(0, 1<<50).Draw(t, "begin")
		end := (now/interval + 1) * interval
		for range 100 {
			next := nextReport(now, interval, progressEach)
			if next <= now || next > now+int64(progressEach) {
				t.Fatalf("%d after %d", next, now)
			}
			if next > end {
				t.Fatalf("nothing at the end of the interval, %d: %d and then %d", end, now, next)
			}
			if next == end {
				end += interval
			}
			now = next
		}
	})
}

// TestStaggered: who shares a processor sends at a time of its own, before the
// next interval's first quarter is over; others at once.
func TestStaggered(t *testing.T) {
	const interval = 5 * time.Second
	for index := range 2 {
		if d := staggered(interval, index, 2, 2); d != 0 {
			t.Errorf("worker %d of 2 on two processors waits %v", index, d)
		}
	}
	before := time.Duration(-1)
	for index := range 54 {
		d := staggered(interval, index, 54, 2)
		if d <= before || d >= interval/4 {
			t.Errorf("worker %d waits %v, the one before it %v", index, d, before)
		}
		before = d
	}
}

// TestHiccupEvery: a look costs as many other processes as there are, so many look
// seldom, but ten times a second.
func TestHiccupEvery(t *testing.T) {
	for _, c := range []struct {
		workers, cores int
		want           time.Duration
	}{{1, 2, time.Millisecond}, {2, 2, time.Millisecond}, {6, 2, 9 * time.Millisecond}, {54, 2, 100 * time.Millisecond}, {3, 0, 9 * time.Millisecond}} {
		if got := hiccupEvery(c.workers, c.cores); got != c.want {
			t.Errorf("%d workers on %d: %v, want %v", c.workers, c.cores, got, c.want)
		}
	}
}
