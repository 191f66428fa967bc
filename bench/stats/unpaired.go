package stats

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Unpaired is what two samples without an order say.
type Unpaired struct {
	A, B     float64 // medians
	Ratio    float64 // B/A
	Interval Interval
	P        float64 // two-sided, Mann-Whitney
	Remarks  []string
}

// CompareUnpaired is the test of Mann and Whitney by golang.org/x/perf, exact
// for small samples. The interval of the ratio is the lowest of B over the
// highest of A to the highest over the lowest, of the intervals of both medians:
// wider than need be, and right. Values are 0 to +Inf.
func CompareUnpaired(a, b []float64, confidence float64) Unpaired {
	u := Unpaired{A: Median(a), B: Median(b), P: 1}
	u.Ratio = Ratio(u.A, u.B)
	ia, ib := MedianInterval(a, confidence), MedianInterval(b, confidence)
	u.Interval = Interval{Lo: Ratio(ia.Hi, ib.Lo), Hi: Ratio(ia.Lo, ib.Hi), Coverage: min(ia.Coverage, ib.Coverage)}
	if len(a) == 0 || len(b) == 0 {
		return u
	}
	c := benchmath.AssumeNothing.Compare(sample(a), sample(b))
	if !math.IsNaN(c.P) {
		u.P = c.P
	}
	for _, w := range c.Warnings {
		u.Remarks = append(u.Remarks, w.Error())
	}
	return u
}

// sample copies the values, which benchmath sorts in place.
func sample(v []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(v), &benchmath.DefaultThresholds)
}
