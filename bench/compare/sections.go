package compare

import (
	"fmt"
	"strings"
)

// title says what is compared.
func (c *Comparison) title() string {
	how := fmt.Sprintf("%d unpaired runs against %d", len(c.B.Runs), len(c.A.Runs))
	switch {
	case c.Paired && len(c.A.Runs) == 1:
		how = "1 pair"
	case c.Paired:
		how = fmt.Sprintf("%d pairs", len(c.A.Runs))
	}
	return fmt.Sprintf("%s: %s against %s, %s", c.Scenario, c.B.Label, c.A.Label, how)
}

// headline is the verdict in capitals with its reason.
func (c *Comparison) headline() string { return strings.ToUpper(string(c.Verdict)) + ": " + c.Reason }

// differences are facts, or parts of the environment.
func (c *Comparison) differences(list []Difference) *sheet {
	s := &sheet{head: []string{"differs", c.A.Label, c.B.Label}, left: 3}
	for _, d := range list {
		s.add(d.Name, d.A, d.B)
	}
	return s
}

// badRuns are those that are no result.
func (c *Comparison) badRuns() *sheet {
	s := &sheet{head: []string{"run", "is", "because of"}, left: 3}
	for _, side := range []*SideInfo{&c.A, &c.B} {
		for _, r := range side.Runs {
			if r.Verdict != "valid" && r.Verdict != "breached" {
				s.add(r.File, string(r.Verdict), strings.Join(r.Failed, "; "))
			}
		}
	}
	return s
}

// metrics is a table of rows. Judged ones have a verdict; of the others those
// that are the same in every run are left out.
func (c *Comparison) metrics(rows []Row, judged bool) *sheet {
	s := &sheet{head: []string{"metric", c.A.Label, c.B.Label, "B/A", "interval", "p"}, left: 1}
	if judged {
		s.head = append(s.head, "verdict")
	}
	for i := range rows {
		r := &rows[i]
		if !judged && r.constant() {
			continue
		}
		n := min(len(r.ValuesA), len(r.ValuesB))
		cells := []string{r.Metric, median(r.MedianA, r.ValuesA, r.Unit), median(r.MedianB, r.ValuesB, r.Unit), "-", "-", "-"}
		if n > 0 {
			cells[3] = Signed(float64(r.Ratio))
		}
		if n > 1 && !r.constant() {
			cells[4], cells[5] = r.change(), formatP(r.Holm)
		}
		if judged {
			cells = append(cells, r.word())
		}
		s.add(cells...)
	}
	return s
}

func median(m Number, values []Number, unit string) string {
	if len(values) == 0 {
		return "-"
	}
	return Format(float64(m), unit)
}

// word is the verdict with what would settle it.
func (r *Row) word() string {
	w := string(r.Verdict)
	if r.Role == Primary {
		w += " (primary)"
	}
	if r.Why != "" {
		w += ": " + r.Why
	}
	switch {
	case r.MorePairs == 1:
		w += "; 1 more pair"
	case r.MorePairs > 1:
		w += fmt.Sprintf("; ~%d more pairs", r.MorePairs)
	}
	return w
}

// floor is A against itself.
func (c *Comparison) floorRows() *sheet {
	s := &sheet{head: []string{"metric", "odd", "even", "A/A", "spread"}, left: 1}
	for i := range c.Floor {
		r := &c.Floor[i]
		if r.constant() {
			continue
		}
		s.add(r.Metric, median(r.MedianA, r.ValuesA, r.Unit), median(r.MedianB, r.ValuesB, r.Unit), Signed(float64(r.Ratio)), r.change())
	}
	return s
}

// latency is the table of one histogram.
func (c *Comparison) latency(l *Latency) *sheet {
	s := &sheet{head: []string{l.Name, "p50", "p90", "p99", "p99.9", "max", "misses", "count", "p99 of runs: least", "median", "most"}, left: 1}
	for _, side := range []struct {
		label string
		p     *Percentiles
	}{{c.A.Label, &l.A}, {c.B.Label, &l.B}} {
		ns := func(n Number) string { return Format(float64(n), "ns") }
		p := side.p
		s.add(side.label, ns(p.P50), ns(p.P90), ns(p.P99), ns(p.P999), ns(p.Max), fmt.Sprint(p.Misses), fmt.Sprint(p.Count),
			ns(p.P99Least), ns(p.P99Median), ns(p.P99Most))
	}
	return s
}

// legend explains the columns.
func (c *Comparison) legend() string {
	if c.Paired {
		coverage := 0.0
		if len(c.Tested) > 0 {
			coverage = c.Tested[0].Coverage
		}
		return fmt.Sprintf("The values are medians of runs, B/A is the median of the ratios of pairs, the interval has it in it with a chance of %.1f %%. "+
			"p is the exact signed-rank test's, of secondary metrics corrected by Holm's method. A difference counts from %s on for times, %s for the rest.",
			100*coverage, c.effect(true), c.effect(false))
	}
	return fmt.Sprintf("UNPAIRED: what the machine did between the runs is in the numbers. B/A is the ratio of medians, p is Mann and Whitney's, of secondary metrics "+
		"corrected by Holm's method. A difference counts from %s on for times, %s for the rest.", c.effect(true), c.effect(false))
}

// effect is the minimum effect of times, or of the rest, as it was used.
func (c *Comparison) effect(times bool) string {
	for _, rows := range [][]Row{c.Tested, c.Shown} {
		for i := range rows {
			if (rows[i].Unit == "ns") == times {
				return percent(rows[i].MinEffect)
			}
		}
	}
	if times {
		return percent(effectTimes)
	}
	return percent(effectOthers)
}
