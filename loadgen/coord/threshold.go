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

// readConditions reads the thresholds of a scenario, and adds those that are
// implied.
func readConditions(s *scenario.Scenario) ([]condition, error) {
	var all []condition
	for _, text := range s.Thresholds {
		e, err := threshold.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("threshold: %w", err)
		}
		all = append(all, condition{text: text, expr: e})
	}
	for _, text := range impliedBeside(s, all) {
		e, err := threshold.Parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, condition{text: text, expr: e, implied: true})
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
