package trend

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"roost/bench/compare"
	"roost/bench/stats"
	"roost/loadgen/result"
)

// Options says what to show. Zero fields mean their defaults.
type Options struct {
	Metrics   []string // default: those that comparisons test
	MinEffect float64  // default as in comparisons
	Alpha     float64  // of each split; default 0.01
}

// Trend is what a history says.
type Trend struct {
	Runs     int      `json:"runs"`
	Invalid  int      `json:"invalid"` // left out
	Series   []Series `json:"series"`
	Problems []string `json:"problems,omitempty"` // files that could not be read
}

// Series is one metric of results that can be compared.
type Series struct {
	Scenario string  `json:"scenario"`
	Server   string  `json:"server,omitempty"` // label of the runs
	Hash     string  `json:"comparability"`
	Metric   string  `json:"metric"`
	Unit     string  `json:"unit"`
	Better   string  `json:"better"`
	Points   []Point `json:"points"`
	Steps    []Step  `json:"steps,omitempty"`
}

// Point is one run.
type Point struct {
	File  string         `json:"file"`
	At    time.Time      `json:"at"`
	What  string         `json:"what,omitempty"` // version and labels of what was measured
	Value compare.Number `json:"value"`
}

// Step is where the level changed.
type Step struct {
	At     int             `json:"at"` // index in Points of the first behind it
	Before compare.Number  `json:"before"`
	After  compare.Number  `json:"after"`
	Ratio  compare.Number  `json:"ratio"`
	P      float64         `json:"p"`
	Is     compare.Verdict `json:"is"` // improved or regressed
}

// key is what runs of a series share.
type key struct{ scenario, hash, server string }

// Analyse looks for steps in runs that are in the order of time.
func Analyse(runs []Run, o Options) *Trend {
	t := &Trend{Runs: len(runs)}
	var order []key
	groups := map[key][]Run{}
	for _, run := range runs {
		if v := run.Result.Verdict; v != result.Valid && v != result.Breached {
			t.Invalid++
			continue
		}
		k := key{run.Result.Scenario.Name, run.Result.Comparability.Hash, run.Result.Labels["server"]}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], run)
	}
	for _, k := range order {
		t.Series = append(t.Series, series(k, groups[k], &o)...)
	}
	return t
}

// series makes those of one group of runs.
func series(k key, runs []Run, o *Options) (list []Series) {
	at := map[string]int{}
	names := o.Metrics
	if len(names) == 0 {
		names = compare.TestedMetrics()
	}
	for _, run := range runs {
		for _, m := range run.Result.Metrics() {
			if !slices.Contains(names, m.Name) || m.Better == "" || m.Value < 0 || math.IsNaN(m.Value) {
				continue
			}
			i, ok := at[m.Name]
			if !ok {
				i = len(list)
				at[m.Name] = i
				list = append(list, Series{Scenario: k.scenario, Server: k.server, Hash: k.hash, Metric: m.Name, Unit: m.Unit, Better: m.Better})
			}
			list[i].Points = append(list[i].Points, Point{File: run.File, At: run.Result.Started, What: what(run.Result), Value: compare.Number(m.Value)})
		}
	}
	slices.SortStableFunc(list, func(a, b Series) int { return slices.Index(names, a.Metric) - slices.Index(names, b.Metric) })
	for i := range list {
		list[i].findSteps(o)
	}
	return list
}

// findSteps fills in Steps.
func (s *Series) findSteps(o *Options) {
	values := make([]float64, len(s.Points))
	for i := range values {
		values[i] = float64(s.Points[i].Value)
	}
	effect := o.MinEffect
	if effect <= 0 {
		effect = compare.MinEffect(s.Unit)
	}
	for _, f := range stats.Steps(values, stats.StepOptions{Alpha: o.Alpha, MinEffect: effect}) {
		step := Step{At: f.At, Before: compare.Number(f.Before), After: compare.Number(f.After), Ratio: compare.Number(f.Ratio), P: f.P, Is: compare.Regressed}
		if (f.Ratio > 1) == (s.Better == "higher") {
			step.Is = compare.Improved
		}
		s.Steps = append(s.Steps, step)
	}
}

// what says what was measured: the server's version and the labels.
func what(r *result.Result) string {
	var parts []string
	if len(r.Servers) > 0 && r.Servers[0].Version != "" {
		parts = append(parts, r.Servers[0].Version)
	}
	var labels []string
	for k, v := range r.Labels {
		if k != "server" && k != "round" {
			labels = append(labels, k+"="+v)
		}
	}
	slices.Sort(labels)
	return strings.Join(append(parts, labels...), " ")
}

// level is what the series is at now.
func (s *Series) level() float64 {
	from := 0
	if n := len(s.Steps); n > 0 {
		from = s.Steps[n-1].At
	}
	var v []float64
	for _, p := range s.Points[from:] {
		v = append(v, float64(p.Value))
	}
	return stats.Median(v)
}

// constant says that nothing ever changed.
func (s *Series) constant() bool {
	for _, p := range s.Points {
		if p.Value != s.Points[0].Value {
			return false
		}
	}
	return true
}

// heading names the group that a series belongs to.
func (s *Series) heading() string {
	h := s.Scenario
	if s.Server != "" {
		h += ", server " + s.Server
	}
	return fmt.Sprintf("%s (comparability %.8s)", h, s.Hash)
}

// sentence words a step.
func (s *Series) sentence(step *Step) string {
	before, after := &s.Points[step.At-1], &s.Points[step.At]
	text := fmt.Sprintf("%s: %s %s, from %s to %s", after.At.UTC().Format("2006-01-02 15:04"), step.Is, compare.Signed(float64(step.Ratio)),
		compare.Format(float64(step.Before), s.Unit), compare.Format(float64(step.After), s.Unit))
	switch {
	case after.What != before.What:
		text += fmt.Sprintf(" (%s, before: %s)", orNothing(after.What), orNothing(before.What))
	case after.What != "":
		text += " (" + after.What + ", as before)"
	}
	return text
}

func orNothing(s string) string {
	if s == "" {
		return "not labelled"
	}
	return s
}
