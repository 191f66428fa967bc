// Package threshold reads the conditions that a run must meet, such as
//
//	delivery.p99 < 50ms
//	lost == 0
//	hold.healthy.delivery.p99 < 50ms
//	hold.delivered_ratio >= 99.999% abort after 10s
//
// It knows the form alone. Which metrics there are is package result's affair.
package threshold

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Op compares a metric with a value.
type Op string

// Comparisons.
const (
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
	Equal        Op = "=="
)

// Expr is one condition: what has to hold.
type Expr struct {
	Metric string  // names joined by dots: [phase.][group.]metric[.quantile]
	Op     Op      // how the metric is compared with Value
	Value  float64 // durations in ns, sizes in bytes, percentages as a share of 1, else as written
	Unit   string  // as written, empty without one
	// Abort ends the run as soon as the condition does not hold, After after the
	// phase (or, without a phase, the first measured phase) has begun.
	Abort bool
	After time.Duration
}

// Holds reports whether the condition holds for a metric of value v. Nothing
// holds for NaN.
func (e Expr) Holds(v float64) bool {
	switch e.Op {
	case Less:
		return v < e.Value
	case LessEqual:
		return v <= e.Value
	case Greater:
		return v > e.Value
	case GreaterEqual:
		return v >= e.Value
	case Equal:
		return v == e.Value
	}
	return false
}

// String writes the condition so that Parse reads the same again.
func (e Expr) String() string {
	s := e.Metric + " " + string(e.Op) + " " + value(e.Value, e.Unit)
	if e.Abort {
		s += " abort"
		if e.After > 0 {
			s += " after " + e.After.String()
		}
	}
	return s
}

// unit is what a number may be followed by: x of it is x * 10^exp * mul. The
// power of ten is read with the digits, so that 99.999% is the float64 next to
// 0.99999 and not that of a division.
type unit struct {
	exp int
	mul float64
}

// units yield ns, bytes and shares.
var units = map[string]unit{
	"": {0, 1}, "ns": {0, 1}, "us": {3, 1}, "ms": {6, 1}, "s": {9, 1}, "m": {9, 60},
	"B": {0, 1}, "kB": {3, 1}, "MB": {6, 1}, "KiB": {0, 1 << 10}, "MiB": {0, 1 << 20}, "%": {-2, 1},
}

const unitNames = "ns, us, ms, s, m, B, kB, MB, KiB, MiB, %"

// scaled reads digits of a unit.
func scaled(digits string, u unit) (float64, error) {
	x, err := strconv.ParseFloat(digits+"e"+strconv.Itoa(u.exp), 64)
	return x * u.mul, err
}

// value writes v in a unit. Where the unit has a factor the quotient may be off
// by the last bit, and then one of its neighbours is what was written; what
// never was a number of that unit is written without it.
func value(v float64, name string) string {
	u := units[name]
	x := v / u.mul
	for _, try := range []float64{x, math.Nextafter(x, 0), math.Nextafter(x, math.Inf(1))} {
		digits := shifted(try, -u.exp)
		if back, err := scaled(digits, u); err == nil && back == v {
			return digits + name
		}
	}
	return shifted(v, 0)
}

// shifted writes x * 10^exp in decimal without rounding.
func shifted(x float64, exp int) string {
	mantissa, e, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	digits := strings.Replace(mantissa, ".", "", 1)
	point, _ := strconv.Atoi(e)
	point += exp + 1 // digits before the point
	switch {
	case x == 0:
		return "0"
	case point <= 0:
		return "0." + strings.Repeat("0", -point) + digits
	case point >= len(digits):
		return digits + strings.Repeat("0", point-len(digits))
	}
	return digits[:point] + "." + digits[point:]
}
