package coord

import (
	"math"
	"testing"
)

// TestMemoryOfAConnection: what a worker needs anyway, and what its first
// connections bring along, is not theirs.
func TestMemoryOfAConnection(t *testing.T) {
	const base, first, each = 16 << 20, 3 << 20, 200
	worker := func(connections int) int64 {
		if connections == 0 {
			return base
		}
		return int64(base + first + each*connections)
	}
	for _, c := range []struct {
		name string
		seen []int
		want float64
	}{
		{"nothing", nil, 0},
		{"nobody", []int{0, 0}, 0},
		{"a ramp", []int{0, 1000, 2000, 3000}, each},
		{"a ramp, and then load", []int{0, 1000, 2000, 3000, 3000, 3000, 500, 3000}, each},
		{"never without", []int{1000, 2000, 3000}, each},
		{"one number", []int{0, 3000}, each + first/3000.},
		{"one number, never without", []int{3000}, 0},
		{"numbers that are close", []int{0, 2800, 2900, 3000}, each + first/3000.},
	} {
		var m memory
		for _, n := range c.seen {
			m.note(n, worker(n))
		}
		if got := m.perConnection(); math.Abs(got-c.want) > 1e-6*c.want {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
	var long memory
	for n := range 100_000 {
		long.note(n, worker(n))
		long.note(n, 0) // not read
	}
	if got := long.perConnection(); math.Abs(got-each) > 1 || len(long.counts) > 900 {
		t.Errorf("%g of %d numbers", got, len(long.counts))
	}
}
