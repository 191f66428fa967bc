package live

import (
	"fmt"
	"math"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
)

// lamps say whether the run is valid so far: how many checks pass, and each that
// does not, with what to do.
func (p *picture) lamps() []line {
	n := states(p.s.Validity)
	if len(p.s.Validity) == 0 {
		return row("validity", []line{{{"not known yet", dim}}}, p.columns)
	}
	head := line{{fmt.Sprintf("%s valid so far", p.m.pass), good}}
	if n["fail"] > 0 {
		head = line{{fmt.Sprintf("%s INVALID so far", p.m.fail), bad}}
	}
	items := []line{head}
	add := func(mark, words string, count int, st style) {
		if count > 0 {
			items = append(items, line{{fmt.Sprintf("%s %d %s", mark, count, words), st}})
		}
	}
	add(p.m.fail, "fail", n["fail"], bad)
	add(p.m.pass, "pass", n["pass"], normal)
	add(p.m.unknown, "unknown", n["unknown"], dim)
	add(p.m.tip, "to know", n["advice"], odd)
	lines := row("validity", items, p.columns)
	for _, state := range []string{"fail", "advice"} {
		for _, c := range p.s.Validity {
			if c.State == state {
				lines = append(lines, p.lamp(c))
			}
		}
	}
	return lines
}

func (p *picture) lamp(c result.Check) line {
	mark, st := p.m.fail+" ", bad
	if c.State == "advice" {
		mark, st = p.m.tip+" ", odd
	}
	unit, side := svg.Unit(c.Unit), "at most"
	if c.Least {
		side = "at least"
	}
	return line{{text: "  "}, {mark + c.Name, st}, {text: fmt.Sprintf(": %s, want %s %s. ", p.number(c.Value, unit), side, p.number(c.Limit, unit))}, {c.Text, dim}}
}

// thresholds are what does not hold so far, and then the others.
func (p *picture) thresholds() (lines []line) {
	label := "thresholds"
	for _, failing := range []bool{true, false} {
		for i, t := range p.s.Thresholds {
			if (t.State == "fail") != failing {
				continue
			}
			mark, word, st := p.m.pass, "holds", good
			switch t.State {
			case "fail":
				mark, word, st = p.m.fail, "FAILS", bad
			case "unknown":
				mark, word, st = p.m.unknown, "unknown", dim
			}
			value := "unknown"
			if t.State != "unknown" {
				value = p.value(t.Value, svg.Unit(p.s.unit(i)))
			}
			lines = append(lines, line{{pad(label, labelWidth), dim}, {mark + " " + word, st}, {text: "  " + t.Text}, {"  now ", dim}, {text: value}})
			label = ""
		}
	}
	return lines
}

// value of a threshold: what never came has no number.
func (p *picture) value(v float64, unit svg.Unit) string {
	if math.IsInf(v, 1) {
		return "never"
	}
	return p.number(v, unit)
}

// errors are the kinds of the phase, the most frequent first, each with what
// to do about it.
func (p *picture) errors() (lines []line) {
	label := "errors"
	for _, e := range p.s.Errors {
		lines = append(lines, line{{pad(label, labelWidth), dim}, {svg.Thousands(float64(e.Count)) + " x ", bad}, {text: e.Stage + " " + e.Class}, {"  " + e.Text, dim}})
		label = ""
		if e.Advice != "" {
			lines = append(lines, line{{text: pad("", labelWidth+2)}, {p.m.tip + " ", odd}, {text: e.Advice}})
		}
	}
	return lines
}
