package swarm

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRampDialsEachOnce: whatever the number of dials in a row, all workers
// together dial every client of the ramp once, and each full round gives a worker
// that many at a stretch.
func TestRampDialsEachOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers, inARow := rapid.IntRange(1, 9).Draw(t, "workers"), rapid.IntRange(0, 9).Draw(t, "in a row")
		from, n := rapid.IntRange(0, 50).Draw(t, "from"), rapid.IntRange(0, 500).Draw(t, "n")
		w := &Worker{cfg: Config{Workers: workers, InARow: inARow}, dials: dials{from: uint32(from), goal: uint32(from + n)}}
		seen := map[uint32]bool{}
		for k := from; k < from+n; k++ {
			c := w.rampClient(uint32(k))
			if c < uint32(from) || c >= uint32(from+n) || seen[c] {
				t.Fatalf("dial %d is client %d: twice, or of no ramp from %d to %d", k, c, from, from+n)
			}
			seen[c] = true
			if r := k - from; inARow > 1 && r%inARow > 0 && n-r/(workers*inARow)*workers*inARow >= workers*inARow {
				if before := w.rampClient(uint32(k - 1)); before%uint32(workers) != c%uint32(workers) {
					t.Fatalf("dials %d and %d are of workers %d and %d", k-1, k, before%uint32(workers), c%uint32(workers))
				}
			}
		}
	})
}
