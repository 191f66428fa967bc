package bench

import (
	"math"
	"slices"
)

// Spread is the median of some values and the smallest and largest of them.
type Spread struct {
	Median, Min, Max float64
	N                int // how many there were; with 0 the rest means nothing
}

// Summarize returns the spread of the values; those that are not a number (a
// round that does not count) are left out.
func Summarize(values []float64) Spread {
	var v []float64
	for _, x := range values {
		if !math.IsNaN(x) {
			v = append(v, x)
		}
	}
	if len(v) == 0 {
		return Spread{}
	}
	slices.Sort(v)
	mid := len(v) / 2
	median := v[mid]
	if len(v)%2 == 0 {
		median = (v[mid-1] + v[mid]) / 2
	}
	return Spread{Median: median, Min: v[0], Max: v[len(v)-1], N: len(v)}
}

// Ratios divides each round's value by the floor's of the same round: what the
// machine does to both cancels out. The result has a NaN where either does not
// count.
func Ratios(values, floor []float64) []float64 {
	r := make([]float64, len(values))
	for i := range r {
		r[i] = math.NaN()
		if i < len(floor) && floor[i] != 0 {
			r[i] = values[i] / floor[i]
		}
	}
	return r
}

// Order returns the order in which round takes n subjects: all of them, each
// round beginning with another one, so that none always comes first.
func Order(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		// A stride of a third of the list also changes who is whose neighbour.
		order[i] = (i + round*max(n/3, 1)) % n
	}
	return order
}
