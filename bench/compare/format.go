package compare

import (
	"fmt"
	"math"
	"strconv"
)

// Format writes a value with its unit, in three digits: 41.2 ms, 3.98 KB/conn.
// +Inf is a miss: never.
func Format(v float64, unit string) string {
	if math.IsInf(v, 1) {
		return "never"
	}
	switch unit {
	case "ns", "ns/msg":
		rest := unit[2:]
		switch a := math.Abs(v); {
		case a >= 1e9:
			return digits3(v/1e9) + " s" + rest
		case a >= 1e6:
			return digits3(v/1e6) + " ms" + rest
		case a >= 1e3:
			return digits3(v/1e3) + " µs" + rest
		}
		return digits3(v) + " ns" + rest
	case "B", "B/conn":
		rest := unit[1:]
		switch a := math.Abs(v); {
		case a >= 1e9:
			return digits3(v/1e9) + " GB" + rest
		case a >= 1e6:
			return digits3(v/1e6) + " MB" + rest
		case a >= 1e4:
			return digits3(v/1e3) + " KB" + rest
		}
		return digits3(v) + " B" + rest
	case "1", "":
		return digits3(v)
	case "share":
		return digits3(100*v) + " %"
	case "1/s":
		return digits3(v) + "/s"
	}
	return digits3(v) + " " + unit
}

// digits3 writes three digits, or all of those before the point.
func digits3(v float64) string {
	switch a := math.Abs(v); {
	case a == math.Trunc(a) && a < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// signed writes a ratio as a change: +3.1 %.
func signed(ratio float64) string {
	switch {
	case math.IsInf(ratio, 1):
		return "+inf"
	case ratio >= 10:
		return "x " + digits3(ratio)
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
func (r *Row) change() string { return signed(float64(r.Lo)) + " to " + signed(float64(r.Hi)) }

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
	s := fmt.Sprintf("%s %s, %s against %s", r.Metric, signed(float64(r.Ratio)), Format(float64(r.MedianB), r.Unit), Format(float64(r.MedianA), r.Unit))
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
