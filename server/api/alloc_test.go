//go:build !race

package api

import "testing"

// TestPublishAllocs: what a publish allocates does not grow with the lines of a
// batch. The bounds are what was measured; three of them are the context's.
func TestPublishAllocs(t *testing.T) {
	for _, tt := range []struct {
		typ  string
		n    int
		want float64
	}{
		{"application/json", 1, 10},
		{"application/x-ndjson", 1, 10},
		{"application/x-ndjson", 100, 13},
	} {
		if got := testing.AllocsPerRun(100, publisher(tt.typ, tt.n)); got > tt.want {
			t.Errorf("%d messages as %s: %v allocations, want %v", tt.n, tt.typ, got, tt.want)
		}
	}
}
