package compare

import (
	"fmt"
	"math"

	"roost/loadgen/report/svg"
)

// Format writes a value with its unit, as reports of runs do. +Inf is a miss:
// never.
func Format(v float64, unit string) string { return svg.Format(v, svg.Unit(unit)) }

// Signed writes a ratio as a change: +3.1 %.
func Signed(ratio float64) string {
	switch {
	case math.IsInf(ratio, 1):
		return "+inf"
	case ratio >= 10:
		return "x " + svg.Digits(ratio)
	}
	s := fmt.Sprintf("%+.1f %%", 100*(ratio-1))
	if s == "-0.0 %" {
		s = "+0.0 %"
	}
	return s
}

// formatP writes a p value.
func formatP(p float64) string {
	if p < 0.001 {
		return fmt.Sprintf("%.1e", p)
	}
	return fmt.Sprintf("%.3f", p)
}

// change is the interval as changes: +2.2 % to +4.0 %.
func (r *Row) change() string { return Signed(float64(r.Lo)) + " to " + Signed(float64(r.Hi)) }

// test names the test behind a p value.
func test(paired bool) string {
	if paired {
		return "exact signed-rank of pairs"
	}
	return "Mann-Whitney, unpaired"
}

// sentence says what was found of a tested metric.
func (r *Row) sentence(paired bool) string {
	n := min(len(r.ValuesA), len(r.ValuesB))
	if n == 0 {
		return r.Metric + ": " + r.Why
	}
	s := fmt.Sprintf("%s %s, %s against %s", r.Metric, Signed(float64(r.Ratio)), Format(float64(r.MedianB), r.Unit), Format(float64(r.MedianA), r.Unit))
	if n > 1 {
		s += fmt.Sprintf(" (%.1f %% interval %s; p = %s, %s)", 100*r.Coverage, r.change(), formatP(r.Holm), test(paired))
	}
	if r.Why != "" {
		s += ": " + r.Why
	}
	switch {
	case r.MorePairs == 1:
		s += "; about 1 more pair would tell"
	case r.MorePairs > 1:
		s += fmt.Sprintf("; about %d more pairs would tell", r.MorePairs)
	}
	return s
}
