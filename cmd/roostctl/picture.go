package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"roost/bench/chart"
	"roost/ring/verify"
)

// mostBars is up to how many nodes each gets a bar.
const mostBars = 64

// picture draws what each node has over its target: a bar each, or, where they are
// many, a line through them by rank.
func picture(w io.Writer, r *verify.Report) error {
	nodes := 0
	for i := range r.Placements {
		nodes += len(r.Placements[i].PerNode)
	}
	var err error
	if nodes <= mostBars {
		_, err = barsOf(r).WriteSVG(w)
	} else {
		_, err = linesOf(r).WriteSVG(w)
	}
	return err
}

// counted says what is drawn: the load if lines have counts, else the ids.
func counted(r *verify.Report) (what string, ratio func(n *verify.NodeRow) float64) {
	if r.Load != r.IDs && r.SampleOneIn == 1 {
		return "load", func(n *verify.NodeRow) float64 { return n.LoadRatio }
	}
	return "ids", func(n *verify.NodeRow) float64 { return n.IDRatio }
}

// barsOf draws each node, coloured by zone, or by placement if there are several.
func barsOf(r *verify.Report) chart.Bars {
	what, ratio := counted(r)
	b := chart.Bars{ValueLabel: fmt.Sprintf("%s / target", what), Reference: &chart.Mark{Name: "target", Value: 1}}
	var zones []string
	for i := range r.Placements {
		p := &r.Placements[i]
		for j := range p.PerNode {
			n := &p.PerNode[j]
			bar := chart.Bar{Name: n.ID, Value: ratio(n), Group: i}
			if len(r.Placements) > 1 {
				bar.Name = fmt.Sprintf("%s, %s", n.ID, p.Name)
			} else {
				if bar.Group = slices.Index(zones, n.Zone); bar.Group < 0 {
					bar.Group = len(zones)
					zones = append(zones, n.Zone)
				}
				if n.Zone != "" {
					bar.Name = fmt.Sprintf("%s (%s)", n.ID, n.Zone)
				}
			}
			b.Bars = append(b.Bars, bar)
		}
	}
	b.Title = title(r, what)
	return b
}

// linesOf draws the nodes of each placement by rank: what they have, and what the
// ring alone gives them.
func linesOf(r *verify.Report) chart.Lines {
	what, ratio := counted(r)
	panel := chart.Panel{YLabel: what + " / target", FromZero: true, Marks: []chart.Mark{{Name: "target", Value: 1}}}
	for i := range r.Placements {
		p := &r.Placements[i]
		panel.Series = append(panel.Series, ranked(fmt.Sprintf("%s: %s", p.Name, what), p, ratio))
		alone := ranked(p.Name+": the ring alone", p, func(n *verify.NodeRow) float64 { return n.Share / n.Target })
		alone.Dashed = true
		panel.Series = append(panel.Series, alone)
	}
	return chart.Lines{Title: title(r, what), XLabel: "nodes, the fullest first", Panels: []chart.Panel{panel}}
}

// ranked is a series of the nodes with a target, the largest first.
func ranked(name string, p *verify.PlacementReport, value func(n *verify.NodeRow) float64) chart.Series {
	s := chart.Series{Name: name}
	for i := range p.PerNode {
		if n := &p.PerNode[i]; n.Target > 0 {
			s.X = append(s.X, float64(len(s.X)+1))
			s.Y = append(s.Y, value(n))
		}
	}
	slices.SortFunc(s.Y, func(a, b float64) int { return cmp.Compare(b, a) })
	return s
}

func title(r *verify.Report, what string) string {
	total := r.IDs
	if what == "load" {
		total = r.Load
	}
	names := ""
	for i := range r.Placements {
		if i > 0 {
			names += " and "
		}
		names += r.Placements[i].Name
	}
	return fmt.Sprintf("%.0f %s over %d nodes, %s", total, what, len(r.Placements[0].PerNode), names)
}
