package stats

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Step is a place at which a series has changed its level.
type Step struct {
	At     int     // index of the first value of the new level
	Before float64 // median of the level before
	After  float64 // median of the level after
	Ratio  float64 // After/Before
	P      float64 // of the split, by permutation
}

// StepOptions says what counts as a step. Zero fields mean their defaults.
type StepOptions struct {
	Alpha     float64 // of each split; default 0.01
	MinEffect float64 // least |Ratio - 1|; default 0.02
	MinRun    int     // least values in a level; default 4
}

// permutations is how many are drawn for a p value: the least is 1/2000.
const permutations = 1999

// Steps finds where a series changes its level. Values are 0 to +Inf, in the
// order of time. A stretch has a step if Pettitt's statistic, the largest |U(k)| of
// U(k) = 2 (sum of the first k ranks) - k (n+1), is reached by fewer than Alpha of
// its permutations, and if the medians on both sides differ by MinEffect; then
// each part is looked at by itself. As permutations too have their largest k, it
// is accounted for that there are many places to choose from. What
// has happened within the last MinRun values is not seen yet.
func Steps(series []float64, o StepOptions) []Step {
	setDefault(&o.Alpha, 0.01)
	setDefault(&o.MinEffect, 0.02)
	if o.MinRun <= 0 {
		o.MinRun = 4
	}
	var cuts []Step
	split(series, 0, o, &cuts)
	slices.SortFunc(cuts, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	// Levels are those between neighbouring cuts, not what the search saw first.
	for i := range cuts {
		from, to := 0, len(series)
		if i > 0 {
			from = cuts[i-1].At
		}
		if i+1 < len(cuts) {
			to = cuts[i+1].At
		}
		c := &cuts[i]
		c.Before, c.After = Median(series[from:c.At]), Median(series[c.At:to])
		c.Ratio = Ratio(c.Before, c.After)
	}
	return cuts
}

func setDefault(p *float64, v float64) {
	if *p <= 0 {
		*p = v
	}
}

// split looks for a step in series, whose first value is number offset.
func split(series []float64, offset int, o StepOptions, cuts *[]Step) {
	ranks := midRanks(series)
	far := pettitt(ranks, o.MinRun)
	if far == 0 {
		return
	}
	at := place(series, o.MinRun)
	ratio := Ratio(Median(series[:at]), Median(series[at:]))
	if ratio < 1+o.MinEffect && ratio > 1-o.MinEffect {
		return
	}
	// The seed follows from the place: the same series, the same answer.
	random := rand.New(rand.NewPCG(uint64(offset), uint64(len(series))))
	reached := 1
	for range permutations {
		random.Shuffle(len(ranks), func(i, j int) { ranks[i], ranks[j] = ranks[j], ranks[i] })
		if pettitt(ranks, o.MinRun) >= far {
			reached++
		}
	}
	p := float64(reached) / (permutations + 1)
	if p >= o.Alpha {
		return
	}
	*cuts = append(*cuts, Step{At: offset + at, P: p})
	split(series[:at], offset, o, cuts)
	split(series[at:], offset+at, o, cuts)
}

// pettitt returns the largest |U| of all splits that leave least values on both
// sides, 0 if there are none. ranks are twice as large.
func pettitt(ranks []int, least int) (far int) {
	n, u := len(ranks), 0
	for k := 1; k <= n-least; k++ {
		u += ranks[k-1] - (n + 1)
		if k >= least {
			far = max(far, u, -u)
		}
	}
	return far
}

// place returns the split at which the values are least far, in sum, from the
// medians of both sides. |U| says that there is a step, and not well where: it
// likes the middle. Infinite values are as far as the largest other one again.
func place(series []float64, least int) (at int) {
	v := slices.Clone(series)
	top := 0.0
	for _, x := range v {
		if !math.IsInf(x, 0) {
			top = max(top, x)
		}
	}
	for i, x := range v {
		v[i] = min(x, 2*top)
	}
	best := math.Inf(1)
	for k := least; k <= len(v)-least; k++ {
		if d := deviation(v[:k]) + deviation(v[k:]); d < best {
			at, best = k, d
		}
	}
	return at
}

// deviation is the sum of the distances from the median.
func deviation(v []float64) (sum float64) {
	m := Median(v)
	for _, x := range v {
		sum += math.Abs(x - m)
	}
	return sum
}

// midRanks returns twice the rank of each value; equal ones share the middle.
func midRanks(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(v[i], v[j]) })
	ranks := make([]int, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			ranks[order[k]] = i + 1 + j
		}
		i = j
	}
	return ranks
}
