package coord

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/threshold"
)

// condition is a threshold of the run.
type condition struct {
	text    string
	expr    threshold.Expr
	implied bool // nobody wrote it
}

// implied are the thresholds of every run, unless one is given that is about
// the same metrics: a run that loses messages or connections is no success,
// whatever else is asked for.
var implied = []struct {
	text  string
	about []string
}{
	{"lost == 0", []string{"lost", "missing", "wrong", "delivered_ratio", "in_time_ratio"}},
	{"lost_connections == 0", []string{"lost_connections", "connected"}},
}

// readConditions reads thresholds, and adds those that are implied.
func readConditions(texts []string) ([]condition, error) {
	var all []condition
	for _, text := range texts {
		e, err := threshold.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("threshold: %w", err)
		}
		all = append(all, condition{text: text, expr: e})
	}
	given := slices.Clone(all)
	for _, i := range implied {
		about := func(c condition) bool {
			last := c.expr.Metric[strings.LastIndexByte(c.expr.Metric, '.')+1:]
			return slices.Contains(i.about, last)
		}
		if slices.ContainsFunc(given, about) {
			continue
		}
		e, err := threshold.Parse(i.text)
		if err != nil {
			return nil, err
		}
		all = append(all, condition{text: i.text, expr: e, implied: true})
	}
	return all, nil
}

// judge returns whether each condition holds of res. final says that the run is
// over: until then what there is no value of may still come.
func judge(all []condition, res *result.Result, final bool) (out []result.Threshold) {
	for _, c := range all {
		t := result.Threshold{Text: c.text}
		m, ok, reason := res.Lookup(c.expr.Metric)
		switch {
		case !ok && c.implied:
			continue // a run without messages loses none
		case !ok:
			t.State, t.Reason = "unknown", reason
		case c.expr.Holds(m.Value):
			t.Value, t.State = m.Value, "pass"
		default:
			t.Value, t.State = m.Value, "fail"
		}
		if c.implied && t.State == "fail" {
			t.Reason = "it holds for every run unless another threshold is about the same"
		}
		if !ok && !final {
			continue
		}
		out = append(out, t)
	}
	return out
}

// watch evaluates the thresholds that may end the run.
func (r *run) watch() {
	if r.broken != "" || r.started == 0 || !slices.ContainsFunc(r.conditions, func(c condition) bool { return c.expr.Abort }) {
		return
	}
	res := r.result(false)
	for _, c := range r.conditions {
		if !c.expr.Abort || !r.due(c) {
			continue
		}
		if t := judge([]condition{c}, res, true)[0]; t.State == "fail" {
			r.broken = c.text
			r.note("the run was ended after %v: %s does not hold, it is %g", r.since(r.clock.Now()).Round(time.Millisecond), c.text, t.Value)
			return
		}
	}
}

// due reports whether it is time to evaluate a condition: so long after its
// phase, or the first measured one, has begun.
func (r *run) due(c condition) bool {
	now := r.clock.Now()
	name, _, _ := strings.Cut(c.expr.Metric, ".")
	var own, measured *phase
	for _, p := range r.phases {
		if p.spec.Name == name && own == nil {
			own = p
		}
		if !p.spec.Warmup && measured == nil {
			measured = p
		}
	}
	named := slices.ContainsFunc(r.s.Phases, func(p scenario.Phase) bool { return p.Name == name })
	p := own
	if !named {
		p = measured
	}
	return p != nil && p.at != 0 && time.Duration(now-p.at) >= c.expr.After
}
