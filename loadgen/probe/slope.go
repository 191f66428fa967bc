package probe

import (
	"roost/loadgen/plan"
	"roost/loadgen/result"
)

// minCounts is how many different numbers of connections a slope needs: two
// always lie on a line.
const minCounts = 3

// Slope returns bytes per connection by kind (heap, stacks, rss, pss, slab,
// sock): the least-squares line through what a server occupied with each number
// of connections, so that what it occupies without any drops out. A kind that
// was not known each time is left out; with fewer than three different numbers
// there is nothing.
func Slope(connections []int, uses []result.ServerUse) map[string]float64 {
	n := min(len(connections), len(uses))
	different := map[int]bool{}
	x := make([]float64, n)
	for i := range n {
		different[connections[i]] = true
		x[i] = float64(connections[i])
	}
	if len(different) < minCounts {
		return nil
	}
	slopes := map[string]float64{}
	for kind, level := range map[string]func(*result.ServerUse) int64{
		"heap":   func(u *result.ServerUse) int64 { return u.Heap },
		"stacks": func(u *result.ServerUse) int64 { return u.Stacks },
		"rss":    func(u *result.ServerUse) int64 { return u.RSS },
		"pss":    func(u *result.ServerUse) int64 { return u.PSS },
		"slab":   func(u *result.ServerUse) int64 { return u.Slab },
		"sock":   func(u *result.ServerUse) int64 { return u.Sock },
	} {
		y := make([]float64, n)
		known := true
		for i := range n {
			y[i] = float64(level(&uses[i]))
			known = known && y[i] >= 0
		}
		if slope, _, ok := plan.Fit(x, y); ok && known {
			slopes[kind] = slope
		}
	}
	return slopes
}
