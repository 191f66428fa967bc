package measure

import (
	"fmt"
	"math"
	"slices"

	"roost/bench/ringpeers/internal/timing"
)

// Spread is the median of some values with the smallest and the largest.
type Spread struct {
	Median, Min, Max float64
	N                int // with 0 the rest means nothing
}

// summarize returns the spread of the values that are numbers.
func summarize(values []float64) Spread {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	if len(v) == 0 {
		return Spread{}
	}
	slices.Sort(v)
	return Spread{(v[(len(v)-1)/2] + v[len(v)/2]) / 2, v[0], v[len(v)-1], len(v)}
}

// text is "median [min-max]" with so many decimals, the value alone if there is
// one, or "-".
func (s Spread) text(decimals int) string {
	switch s.N {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf("%.*f", decimals, s.Median)
	}
	return fmt.Sprintf("%.*f [%.*f-%.*f]", decimals, s.Median, decimals, s.Min, decimals, s.Max)
}

// ratios divides by round; a round that either lacks is NaN.
func ratios(values, by []float64) []float64 {
	all := make([]float64, len(values))
	for i := range all {
		all[i] = math.NaN()
		if i < len(by) && by[i] > 0 {
			all[i] = values[i] / by[i]
		}
	}
	return all
}

// order returns the order in which a round takes n subjects: another one first
// each time, and another neighbour.
func order(n, round int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = (i + round*max(n/3, 1)) % n
	}
	return all
}

// medians returns a row's median of each round in ns, NaN for a round in which
// no window was kept.
func (r *LookupRow) medians() []float64 {
	all := make([]float64, len(r.Rounds))
	for i, w := range r.Rounds {
		all[i] = medianOf(w.Nanos)
	}
	return all
}

// kept returns how many windows were kept and how many tried.
func (r *LookupRow) kept() (kept, tried int) {
	for _, w := range r.Rounds {
		kept += len(w.Nanos)
		tried += w.Tried
	}
	if r.Mode == ModeTwo {
		kept /= 2
	}
	return kept, tried
}

// medians returns a row's median of each round in microseconds of CPU.
func (r *TimeRow) medians() []float64 {
	all := make([]float64, len(r.Rounds))
	for i, round := range r.Rounds {
		all[i] = medianOf(cpuMicros(round))
	}
	return all
}

func cpuMicros(round []timing.Single) []float64 {
	all := make([]float64, len(round))
	for i, s := range round {
		all[i] = s.CPU / 1e3
	}
	return all
}

func medianOf(values []float64) float64 {
	if s := summarize(values); s.N > 0 {
		return s.Median
	}
	return math.NaN()
}
