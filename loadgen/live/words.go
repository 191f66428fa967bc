package live

import (
	"fmt"
	"strings"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
)

// CheckWords says what a check found and what it wants: send lag p99 42 ms, want
// at most 10 ms.
func CheckWords(c result.Check) string {
	if c.State == "unknown" {
		return c.Name + " unknown"
	}
	side := "at most"
	if c.Least {
		side = "at least"
	}
	unit := svg.Unit(c.Unit)
	return fmt.Sprintf("%s %s, want %s %s", c.Name, svg.Format(c.Value, unit), side, svg.Format(c.Limit, unit))
}

// ThresholdWords says a threshold and the value, which is in unit: lost == 0,
// now 3.
func ThresholdWords(t result.Threshold, unit string) string {
	if t.State == "unknown" {
		return t.Text + ": " + t.Reason
	}
	return t.Text + ", now " + svg.Format(t.Value, svg.Unit(unit))
}

// MetricOf returns the name of the metric that a threshold is about: its first
// word.
func MetricOf(threshold string) string {
	if i := strings.IndexAny(threshold, " <>=!"); i >= 0 {
		return threshold[:i]
	}
	return threshold
}
