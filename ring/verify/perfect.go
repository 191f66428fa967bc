package verify

import (
	"cmp"
	"math"
	"slices"
)

// chance is how something scatters that sums many small parts: mean, standard
// deviation and skewness. Its distribution is taken for a gamma distribution that
// is shifted (Pearson's type III), which is exact for chi-square and good to a few
// percent for counts of collisions. Source: Pearson, Philosophical Transactions
// A 186, 1895.
type chance struct {
	mean, sd, skew float64
	// grain is the step between neighbouring values, where few ids can make few.
	grain float64
}

// above returns the chance of v or more.
func (c chance) above(v float64) float64 {
	z := v - c.grain/2 - c.mean
	switch {
	case c.sd <= 0 && z > 1e-9*math.Abs(c.mean):
		return 0
	case c.sd <= 0:
		return 1
	}
	z /= c.sd
	if c.skew < 1e-4 {
		return normalTail(z)
	}
	shape := 4 / (c.skew * c.skew)
	if g := shape + z*math.Sqrt(shape); g > 0 {
		return gammaQ(shape, g)
	}
	return 1
}

// limit returns the value that is passed with a chance of p.
func (c chance) limit(p float64) float64 {
	if c.sd <= 0 {
		return c.mean
	}
	lo, hi := c.mean, c.mean+c.sd
	for c.above(hi) > p {
		lo, hi = hi, hi+2*(hi-c.mean)
	}
	for range 60 {
		if mid := (lo + hi) / 2; c.above(mid) > p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// bins is what a perfect hash fills: the bins of each group get a number of ids
// that is Poisson distributed around mean, and are judged by its ratio to want.
type bins []binGroup

type binGroup struct {
	mean, want float64
	n          float64 // bins
}

// mostBins is up to how many bins are each looked at by itself.
const mostBins = 1024

// roundMeans rounds the means to half a percent, so that many bins are few groups.
func (b bins) roundMeans() {
	for i := range b {
		if b[i].mean > 0 {
			b[i].mean = math.Exp(math.Round(200*math.Log(b[i].mean)) / 200)
		}
	}
}

// merge puts equal bins into one group.
func (b bins) merge() bins {
	slices.SortFunc(b, func(x, y binGroup) int { return cmp.Or(cmp.Compare(x.want, y.want), cmp.Compare(x.mean, y.mean)) })
	out := b[:0]
	for _, g := range b {
		if n := len(out); n > 0 && out[n-1].mean == g.mean && out[n-1].want == g.want {
			out[n-1].n += g.n
			continue
		}
		out = append(out, g)
	}
	return out
}

// below returns the chance that no bin's ratio is above t.
func (b bins) below(t float64) float64 {
	sum := 0.0
	for _, g := range b {
		sum += g.n * math.Log1p(-poissonAbove(math.Floor(t*g.want+1e-9), g.mean))
		if sum < -50 {
			return 0
		}
	}
	return math.Exp(sum)
}

// aboveAll returns the chance that every bin's ratio is above t.
func (b bins) aboveAll(t float64) float64 {
	sum := 0.0
	for _, g := range b {
		over := poissonAbove(math.Floor(t*g.want+1e-9), g.mean)
		if over <= 0 {
			return 0
		}
		if sum += g.n * math.Log(over); sum < -50 {
			return 0
		}
	}
	return math.Exp(sum)
}

// highest returns the expected largest ratio, lowest the smallest.
func (b bins) highest() float64 { return b.expected(func(t float64) float64 { return 1 - b.below(t) }) }
func (b bins) lowest() float64  { return b.expected(b.aboveAll) }

// expected integrates the chance that something is above t, which falls from 1 to
// 0: its expected value.
func (b bins) expected(above func(t float64) float64) float64 {
	lo, hi := b.between(above, 1-1e-9), b.between(above, 1e-9)
	steps := min(max(8192/max(len(b), 1), 96), 2048)
	sum, step := 0.0, (hi-lo)/float64(steps)
	for i := range steps {
		sum += above(lo + (float64(i)+0.5)*step)
	}
	return lo + sum*step
}

// highLimit returns the ratio that the largest passes with a chance of p;
// lowLimit the one that the smallest falls below.
func (b bins) highLimit(p float64) float64 {
	// The last digits may hide that it is a whole number of ids.
	return b.between(func(t float64) float64 { return 1 - b.below(t) }, p) * (1 + 1e-7)
}
func (b bins) lowLimit(p float64) float64 { return b.between(b.aboveAll, 1-p) }

// between returns where a chance that falls with t passes p.
func (b bins) between(above func(t float64) float64, p float64) float64 {
	if above(0) <= p {
		return 0
	}
	lo, hi := 0.0, 1.0
	for above(hi) > p && hi < 1e12 {
		lo, hi = hi, 2*hi
	}
	for range 45 {
		if mid := (lo + hi) / 2; above(mid) > p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}
