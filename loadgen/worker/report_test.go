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
			next := nextReport(now, interval)
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
