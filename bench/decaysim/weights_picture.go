package decaysim

import (
	"math"
	"path/filepath"
	"slices"

	"roost/bench/chart"
	"roost/decay/plant"
)

// weightsPanel is one panel of a scenario's picture: a line for each policy.
type weightsPanel struct {
	label    string
	log      bool
	line     func(t plant.Trace) []float64
	mark     *chart.Mark
	policies []string // nil is all
}

// Panels of the pictures, from top to bottom, and the minutes that are shown.
var weightsPictures = map[string]struct {
	from, to float64
	panels   []weightsPanel
}{
	"steady": {30, 60, []weightsPanel{
		{label: "deviation of load [%]", log: true, line: loadStd},
		{label: "weight of one node / capacity", log: true, line: firstWeight}}},
	"stale": {30, 120, []weightsPanel{
		{label: "deviation of load [%]", log: true, line: loadStd},
		{label: "load of one node / mean", line: firstLoad}}},
	"skew": {0, 120, []weightsPanel{{label: "deviation of load [%]", log: true, line: loadStd}}},
	"join": {40, 120, []weightsPanel{
		{label: "load of the joiner / mean", line: func(t plant.Trace) []float64 { return t.JoinerLoad }, mark: &chart.Mark{Name: "the others", Value: 1}},
		{label: "its share of new connections [%]", log: true, line: func(t plant.Trace) []float64 { return t.JoinerShare }, mark: &chart.Mark{Name: "twice its capacity", Value: 4}}}},
	"unknown": {0, 240, []weightsPanel{
		{label: "deviation of load [%]", log: true, line: loadStd},
		{label: "weight of one node", line: firstWeight}}},
	"moves": {0, 30, []weightsPanel{
		{label: "load of one node / mean", line: firstLoad},
		{label: "moved until now [% of all]", log: true, line: movedSoFar}}},
	"moves-unknown": {0, 120, []weightsPanel{
		{label: "deviation of load [%]", log: true, line: loadStd},
		{label: "moved until now [% of all]", log: true, line: movedSoFar}}},
	"storm": {40, 60, []weightsPanel{
		{label: "largest load / mean", log: true, line: func(t plant.Trace) []float64 { return t.MaxLoad }},
		{label: "placements/s", log: true, policies: []string{plant.Default}, line: func(t plant.Trace) []float64 { return t.Placements }}}},
	"storm-third": {40, 90, []weightsPanel{
		{label: "deviation of load [%]", log: true, line: loadStd},
		{label: "weight of one that lost all", line: firstWeight, policies: []string{plant.Static, plant.NoStorm, plant.Default, plant.Floored}}}},
}

func loadStd(t plant.Trace) []float64     { return t.LoadStd }
func firstLoad(t plant.Trace) []float64   { return t.Loads[0] }
func firstWeight(t plant.Trace) []float64 { return t.Weights[0] }

func movedSoFar(t plant.Trace) (sum []float64) {
	total := 0.0
	for _, v := range t.Moved {
		total += v
		sum = append(sum, total)
	}
	return sum
}

// picture draws the scenario's traces of the first seed.
func (x *weightsReport) picture(c weightsCase) error {
	plan := weightsPictures[c.Name]
	l := chart.Lines{Title: c.Name + ": " + c.Text, XLabel: "time [min]"}
	for k, panel := range plan.panels {
		p := chart.Panel{YLabel: panel.label, LogY: panel.log, Height: 260}
		for _, policy := range c.Policies {
			var s chart.Series // an empty one keeps its colour for the others
			if panel.policies == nil || slices.Contains(panel.policies, policy.Name) {
				s.X, s.Y = clip(c.Results[policy.Name][0].Trace, panel.line, plan.from, plan.to, panel.log)
			}
			if k == 0 {
				s.Name = policy.Name // colours are the same below
			}
			p.Series = append(p.Series, s)
		}
		if panel.mark != nil {
			p.Marks = []chart.Mark{*panel.mark}
		}
		l.Panels = append(l.Panels, p)
	}
	if at := c.Settings.Join.At; at > 0 {
		l.Bands = []chart.Band{{From: at.Minutes(), To: at.Minutes() + 1./6, Label: "blackout"}}
	}
	if d := c.Settings.Drop; d.Share > 0 {
		l.Bands = []chart.Band{{From: d.At.Minutes(), To: d.At.Minutes() + c.Results[plant.Default][0].Storms/60, Label: "storm"}}
	}
	return writePicture(filepath.Join(x.opt.Out, c.Name+".svg"), l)
}

// clip returns the part of a line between two minutes. On a log axis zeros are
// gaps.
func clip(t plant.Trace, line func(plant.Trace) []float64, from, to float64, log bool) (x, y []float64) {
	values := line(t)
	for i, minute := range t.Minute {
		if minute < from || minute > to || i >= len(values) {
			continue
		}
		v := values[i]
		if log && v <= 0 {
			v = math.NaN()
		}
		x, y = append(x, minute), append(y, v)
	}
	return x, y
}
