package verify

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteText writes the report for people: a table for each kind of cells, with the
// limits, and a sentence to each number that is judged.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s lines, %s ids", group(float64(r.Lines)), group(r.IDs))
	if r.SampleOneIn > 1 {
		fmt.Fprintf(b, " (estimated from 1 in %s)", group(float64(r.SampleOneIn)))
	}
	if r.Load != float64(r.Lines) {
		fmt.Fprintf(b, ", load %s", group(r.Load))
	}
	if r.CommonPrefix != "" {
		fmt.Fprintf(b, ", common prefix %q", r.CommonPrefix)
	}
	fmt.Fprintln(b)
	for _, note := range r.Notes {
		fmt.Fprintln(b, note)
	}
	table(b, "\nthe ids themselves", r.own)
	for _, h := range r.HotIDs[:min(len(r.HotIDs), mostListed)] {
		fmt.Fprintf(b, "      id %q: %.2f %% of the load", h.ID, 100*h.LoadShare)
		for i := range r.Placements {
			if node, ok := h.Nodes[r.Placements[i].Name]; ok {
				fmt.Fprintf(b, ", %s on %q", r.Placements[i].Name, node)
			}
		}
		fmt.Fprintln(b)
	}
	for _, p := range r.HotPrefixes {
		fmt.Fprintf(b, "      prefix %q: %.2f %% of the ids, %.2f %% of the load\n", p.Prefix, 100*p.IDShare, 100*p.LoadShare)
	}
	for i := range r.Placements {
		r.Placements[i].write(b)
	}
	verdict := r.Verdict.String()
	if r.Verdict == Info {
		verdict = "none, there are no ids"
	}
	fmt.Fprintf(b, "\nverdict: %s\n", verdict)
	for i := 1; i < len(r.Placements); i++ {
		fmt.Fprintf(b, "for comparison, %s: %s\n", r.Placements[i].Name, r.Placements[i].Verdict)
	}
	return b.Flush()
}

func (r *PlacementReport) write(b *bufio.Writer) {
	fmt.Fprintf(b, "\n%s: %s", r.Name, r.Hash)
	if r.Nodes != nil {
		fmt.Fprintf(b, ", %s nodes", group(float64(len(r.PerNode))))
	}
	fmt.Fprintln(b)
	r.Slots.write(b, "slots")
	if r.Nodes != nil {
		r.Nodes.write(b, "nodes")
		table(b, "  the ring itself", r.own)
	}
	table(b, "  prefixes", func(f func(string, *Measure)) { f("excess below the worst", &r.Uneven) })
	for _, p := range r.UnevenPrefixes {
		fmt.Fprintf(b, "      prefix %q: %.2f %% of the ids, excess %s\n", p.Prefix, 100*p.IDShare, number(p.Excess))
	}
}

func (v *Views) write(b *bufio.Writer, cells string) {
	for _, view := range []struct {
		of string
		s  *Spread
	}{{"ids", v.IDs}, {"load", v.Load}} {
		if s := view.s; s != nil {
			s.write(b, view.of, cells)
		}
	}
}

func (s *Spread) write(b *bufio.Writer, of, cells string) {
	head := fmt.Sprintf("  %s %s over %s %s, %s of them empty", group(s.Total), of, group(float64(s.Cells)), cells, group(float64(s.Empty)))
	if of == "load" {
		head += fmt.Sprintf("; it scatters as %s equal ids would", group(math.Round(s.Effective)))
	}
	table(b, head, s.each)
	e := &s.Entropy
	fmt.Fprintf(b, "      entropy %.4f bits of %.4f, %.2f %%; %.4f with Miller and Madow's correction\n", e.Bits, e.Most, 100*e.Share, e.Corrected)
	fmt.Fprintf(b, "      chi-square p %.3g with %s degrees of freedom, excess %.2f %%\n", s.Chi.P, group(float64(s.Chi.Freedom)), 100*s.Chi.Excess)
	if t := s.ChiTarget; t != nil {
		fmt.Fprintf(b, "      against the weights' targets: chi-square %s, p %.3g with %s degrees of freedom, excess %.2f %%\n",
			number(t.Value), t.P, group(float64(t.Freedom)), 100*t.Excess)
	}
}

// table writes the figures that rows calls its argument for.
func table(b *bufio.Writer, head string, rows func(func(name string, m *Measure))) {
	fmt.Fprintln(b, head)
	fmt.Fprintf(b, "  %-6s%-30s%14s%14s%14s%14s\n", "", "", "value", "perfect hash", "look above", "bad above")
	rows(func(name string, m *Measure) {
		known := func(v float64) string {
			if v == 0 {
				return "-"
			}
			return number(v)
		}
		fmt.Fprintf(b, "  %-6s%-30s%14s%14s%14s%14s\n", m.Verdict, name, number(m.Value), known(m.Perfect), known(m.Look), known(m.Bad))
		if m.Says != "" {
			fmt.Fprintf(b, "        %s\n", m.Says)
		}
	})
}

// number writes v with four digits that count.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a >= 1000:
		return group(math.Round(v))
	case a < 1e-4:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(v, 'f', 4, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// group writes a whole number with commas.
func group(v float64) string {
	s := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	begin := 0
	if strings.HasPrefix(s, "-") {
		begin = 1
	}
	for i := len(s) - 3; i > begin; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
