package stats

import (
	"math"
	"slices"
)

// Median returns the median, 0 of nothing. The middle of a number and an infinity
// is the infinity, of both infinities 0. NaN must not be among the values.
func Median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	switch {
	case n == 0:
		return 0
	case n%2 == 1 || v[n/2-1] == v[n/2]:
		return v[n/2]
	case math.IsInf(v[n/2-1], -1) && math.IsInf(v[n/2], 1):
		return 0
	}
	return v[n/2-1]/2 + v[n/2]/2 // their sum may overflow
}

// Interval is of a median.
type Interval struct {
	Lo, Hi float64
	// Coverage is the chance that such an interval has the true median in it, for
	// any distribution: at least what was asked for, or less if there are too few
	// values; then Lo and Hi are the extremes.
	Coverage float64
}

// MedianInterval returns the narrowest interval between two order statistics of
// the same distance from the ends that covers the median with a chance of at
// least confidence: the k-th smallest to the k-th largest of n, which misses it
// with a chance of 2 P(Binomial(n, 1/2) < k). 0.95 takes 6 values.
func MedianInterval(values []float64, confidence float64) Interval {
	v := slices.Sorted(slices.Values(values))
	n := len(v)
	if n == 0 {
		return Interval{}
	}
	k, coverage := 1, 1-2*binomialHalf(n, 0)
	for k < (n+1)/2 {
		c := 1 - 2*binomialHalf(n, k)
		if c < confidence {
			break
		}
		k, coverage = k+1, c
	}
	return Interval{Lo: v[k-1], Hi: v[n-k], Coverage: max(coverage, 0)}
}

// binomialHalf is P(Binomial(n, 1/2) <= k).
func binomialHalf(n, k int) float64 {
	sum := 0.0
	lnN, _ := math.Lgamma(float64(n + 1))
	for i := 0; i <= k; i++ {
		a, _ := math.Lgamma(float64(i + 1))
		b, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(lnN - a - b - float64(n)*math.Ln2)
	}
	return min(sum, 1)
}
