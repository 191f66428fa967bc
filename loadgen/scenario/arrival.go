package scenario

import (
	"math"
	"sort"
	"time"
)

// Planned returns how many events are due before t in a phase of a length, as a
// mean where due times are random. A phase that ends by a condition has length
// 0. At_once is one burst: a ramp's is as large as what it has to dial, which
// is not known here.
func (a Arrival) Planned(t, length time.Duration) float64 {
	if t <= 0 {
		return 0
	}
	if length > 0 {
		t = min(t, length)
	}
	return a.dues(t.Seconds(), length.Seconds()) * float64(max(a.Burst, 1))
}

// dues returns how many due times are before t; seconds.
func (a Arrival) dues(t, length float64) float64 {
	switch a.Kind {
	case Constant, Poisson:
		return a.Rate * t
	case Linear:
		if length == 0 {
			return a.Rate * t
		}
		return a.Rate*t + (a.To-a.Rate)*t*t/(2*length)
	case Step:
		return a.steps(t, length)
	case Spike:
		from, to := a.At.Seconds(), (a.At + a.For).Seconds()
		in := max(0, min(t, to)-from)
		return a.Rate*(t-in) + a.To*in
	case Replay:
		return a.replayed(t)
	case AtOnce:
		return 1
	}
	return 0
}

func (a Arrival) steps(t, length float64) (n float64) {
	if len(a.Steps) == 0 {
		return 0
	}
	if length == 0 {
		return a.Steps[0] * t
	}
	part := length / float64(len(a.Steps))
	for i, rate := range a.Steps {
		n += rate * min(max(t-float64(i)*part, 0), part)
	}
	return n
}

// replayed counts the times before t. A replay that loops has a period of its
// length and one mean gap.
func (a Arrival) replayed(t float64) float64 {
	n := len(a.Times)
	if n == 0 {
		return 0
	}
	before := func(t float64) float64 {
		return float64(sort.Search(n, func(i int) bool { return a.Times[i].Seconds() >= t }))
	}
	first, span := a.Times[0].Seconds(), (a.Times[n-1] - a.Times[0]).Seconds()
	if !a.Loop || span == 0 || t <= first {
		return before(t)
	}
	period := span + span/float64(n-1)
	rounds := math.Floor((t - first) / period)
	return rounds*float64(n) + before(t-rounds*period)
}
