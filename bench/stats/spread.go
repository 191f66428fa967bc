package stats

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
	return Spread{Median: Median(v), Min: slices.Min(v), Max: slices.Max(v), N: len(v)}
}
