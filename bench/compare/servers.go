package compare

import (
	"fmt"
	"io"
	"slices"
)

// Servers writes a table over several servers that were compared with one, in
// Markdown: a row for each, a column for each metric that any of them was tested
// in, as the change against the first.
func Servers(w io.Writer, cs []*Comparison) {
	if len(cs) == 0 {
		return
	}
	var metrics []string
	for _, c := range cs {
		for i := range c.Tested {
			if r := &c.Tested[i]; !r.constant() && !slices.Contains(metrics, r.Metric) {
				metrics = append(metrics, r.Metric)
			}
		}
	}
	s := &sheet{head: append([]string{"server", "is"}, metrics...), left: 2}
	for _, c := range cs {
		cells := []string{c.B.Label, string(c.Verdict)}
		for _, name := range metrics {
			cells = append(cells, c.cell(name))
		}
		s.add(cells...)
	}
	fmt.Fprintf(w, "## %s: %d servers against %s, %d rounds\n\n", cs[0].Scenario, len(cs), cs[0].A.Label, len(cs[0].A.Runs))
	s.markdown(w)
	fmt.Fprintf(w, "\nA change in bold is beyond chance and the minimum effect.\n")
}

// cell is the change in a metric.
func (c *Comparison) cell(metric string) string {
	for _, rows := range [][]Row{c.Tested, c.Shown} {
		for i := range rows {
			r := &rows[i]
			switch {
			case r.Metric != metric:
			case len(r.Ratios) == 0:
				return "-"
			case r.Verdict == Improved || r.Verdict == Regressed:
				return "**" + Signed(float64(r.Ratio)) + "**"
			default:
				return Signed(float64(r.Ratio))
			}
		}
	}
	return "-"
}
