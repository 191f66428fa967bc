package coord

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"roost/loadgen/merge"
	"roost/loadgen/plan"
	"roost/loadgen/redact"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
	"roost/loadgen/validity"
)

// result puts the result together. Until the run is over (final) it is of what
// there is, refers to what still changes, and lacks what nobody asks for while
// it is under way.
func (r *run) result(final bool) *result.Result {
	res := &result.Result{Schema: result.Schema, ID: fmt.Sprintf("%08x%08x", uint32(r.began.UnixNano()>>10), r.id), Tool: r.o.Tool,
		Started: r.began.UTC(), Ended: time.Now().UTC(), Argv: redact.Argv(r.o.Argv), Labels: r.o.Labels,
		Series: r.series.points, Notes: r.notes}
	res.Scenario = result.Scenario{Name: r.s.Name, Seed: r.s.Seed}
	for _, g := range r.s.Groups {
		res.Scenario.Groups = append(res.Scenario.Groups, result.Group{Name: g.Name, Share: g.Share, Reads: Reads(g)})
	}
	for _, p := range r.phases {
		res.Phases = append(res.Phases, r.resultPhase(p))
	}
	for _, m := range r.members {
		res.Workers = append(res.Workers, m.result())
	}
	if r.o.Probe != nil {
		res.Servers = slices.Clone(r.o.Probe.Servers())
		for i := range min(len(res.Servers), len(r.before)) {
			res.Servers[i].Before = &r.before[i]
		}
	}
	res.Clock = r.resultClock()
	res.Validity = validity.Judge(r.observe(res), r.s.Validity)
	if !final {
		return res
	}
	res.Scenario.Text, res.Scenario.SHA256 = redact.Text(string(r.s.Text())), r.s.Hash()
	res.Environment = result.Environment{Host: r.env.host, Sysctl: r.env.sysctl, Before: r.env.before, During: r.env.during(r.ownProcesses())}
	r.slopes(res)
	steady(res)
	res.Comparability = r.comparability(res)
	res.Thresholds = r.thresholds(res)
	res.Verdict = r.verdict(res)
	if lost := r.lost(); lost > 0 && r.o.AllowLoss {
		res.Notes = append(slices.Clip(res.Notes), r.without(lost))
	}
	return res
}

func (r *run) resultPhase(p *phase) result.Phase {
	now := r.clock.Now()
	end := p.end
	if end == 0 {
		end = max(now, p.at)
	}
	rp := result.Phase{Name: p.spec.Name, Warmup: p.spec.Warmup, Start: time.Duration(p.at - r.started), Length: time.Duration(end - p.at),
		Outcome: p.outcome, PlannedDials: r.plannedDials(p), Tally: &p.tally, Errors: errorLines(p.tally.Errors),
		Connected: p.connected, Servers: p.servers, Workers: workerUse(p.uses)}
	if p.closed == 0 {
		rp.Connected = r.levels().Connected
	}
	if p.spec.Storm != nil {
		rp.Storm = merge.Storm(uint64(r.finalLevels(p).Cut), &p.tally, uint64(float64(p.dials.most)*float64(time.Second)/float64(r.series.interval)+.5))
		if p.end == 0 {
			soFar(rp.Storm, rp.Length)
		}
	}
	return rp
}

// soFar makes times of a storm under way that are not known yet as long as it
// has lasted: they will be longer. So a threshold fails when its time is over,
// and not before.
func soFar(s *result.Storm, lasted time.Duration) {
	for _, t := range []*time.Duration{&s.T50, &s.T90, &s.T99, &s.T100} {
		if *t < 0 {
			*t = lasted
		}
	}
}

// finalLevels are those at the phase's end, or now.
func (r *run) finalLevels(p *phase) levels {
	if p.closed == 0 && p.index == len(r.phases)-1 && !p.final.current {
		return r.levels()
	}
	return p.final
}

// planned is how much of the phase's plan was due: up to its end.
func (r *run) planned(p *phase) time.Duration {
	end := p.end
	if end == 0 {
		end = max(min(r.counted(), r.clock.Now()), p.at)
	}
	return time.Duration(end - p.at)
}

// counted is until when all workers have said what they did: what is planned
// behind it cannot be in any count yet.
func (r *run) counted() int64 {
	least := int64(math.MaxInt64)
	for _, m := range r.members {
		if m.alive() {
			least = min(least, m.slot)
		}
	}
	return least
}

// plannedDials are those that the phase was to make up to its end.
func (r *run) plannedDials(p *phase) uint64 {
	n := p.dialPlan.churn.until(r.planned(p), math.Inf(1))
	if ramp := p.spec.Ramp; ramp != nil {
		missing := float64(max(ramp.To-p.before, 0))
		switch {
		case ramp.Arrival.Rate > 0 || len(ramp.Arrival.Steps) > 0 || len(ramp.Arrival.Times) > 0:
			n += p.dialPlan.ramp.until(r.planned(p), missing)
		case p.spec.Until.Kind == scenario.UntilConnected: // at once, and so many are enough
			n += missing * p.spec.Until.Share
		default:
			n += missing
		}
	}
	return uint64(n + .5)
}

// errorLines words the classes of errors.
func errorLines(errors tally.Errors) (lines []result.ErrorLine) {
	for _, e := range errors.Lines() {
		lines = append(lines, result.ErrorLine{Stage: e.Stage, Class: e.Class, Text: redact.Text(e.Text), Count: e.N, Advice: plan.Advice(e.Stage, e.Class, e.Text)})
	}
	return lines
}

// workerUse sums up what workers used.
func workerUse(uses []selfUse) (w result.WorkerUse) {
	var delay, length time.Duration
	for _, u := range uses {
		if u.length <= 0 {
			continue
		}
		w.Cores += max(u.self.CPU, 0).Seconds() / u.length.Seconds()
		delay += max(u.self.RunDelay, 0)
		length += u.length
		w.RSS += u.self.RSS
	}
	if length > 0 {
		w.RunDelay = delay.Seconds() / length.Seconds()
	}
	return w
}

func (r *run) resultClock() result.Clock {
	c := result.Clock{Method: "one CLOCK_MONOTONIC, of one machine", Bound: r.bound}
	for _, m := range r.members {
		if !r.same(m) {
			c.Method = "CLOCK_MONOTONIC of several machines, by pings: half of the shortest of 16"
		}
	}
	for _, f := range r.env.host {
		if f.Name == "clocksource" {
			c.Source = f.Value
		}
	}
	return c
}

// thresholds are the conditions, and that phases did what they were for.
func (r *run) thresholds(res *result.Result) []result.Threshold {
	out := judge(r.conditions, res, true)
	for i := range out {
		out[i].Aborted = r.broken != "" && out[i].Text == r.broken
	}
	for _, p := range r.phases {
		if p.outcome == timeout {
			out = append(out, result.Threshold{Text: fmt.Sprintf("phase %s ends: %s", p.spec.Name, r.expectation(p).String()), State: "fail", Reason: p.why})
		}
	}
	for _, p := range r.phases {
		if n := r.neverUp(p); n > 0 {
			out = append(out, result.Threshold{Text: fmt.Sprintf("phase %s connects its clients", p.spec.Name), Value: float64(n), State: "fail",
				Reason: fmt.Sprintf("%d of %d never were, see its errors; a threshold on %s.failed or .connected takes the place of this one", n, p.final.Goal, p.spec.Name)})
		}
	}
	if r.hookFailed {
		out = append(out, result.Threshold{Text: "hooks succeed", State: "fail", Reason: "see the notes"})
	}
	return out
}

// neverUp counts the clients that a ramp of a given time was to connect and has
// not: where it has a condition, that has to come true. A connection that was
// there and was lost is another matter.
func (r *run) neverUp(p *phase) int {
	if p.spec.Ramp == nil || p.spec.Churn != nil || p.spec.Until.Kind != scenario.UntilTime || p.outcome != done || !p.final.current {
		return 0
	}
	if slices.ContainsFunc(r.conditions, func(c condition) bool {
		phase, _, metric := scopeOf(r.s, c.expr.Metric)
		return !c.implied && (metric == "failed" || metric == "connected") && (phase == "" || phase == p.spec.Name)
	}) {
		return 0
	}
	c := p.tally.Total()
	return max(p.final.Goal-p.connected-int(c.Lost+c.Cut), 0)
}

// verdict says what the run is worth.
func (r *run) verdict(res *result.Result) result.Verdict {
	switch {
	case r.interrupted:
		return result.Interrupted
	case r.crippled(), validity.Verdict(res.Validity) == result.Invalid:
		return result.Invalid
	}
	for _, t := range res.Thresholds {
		if t.State != "pass" {
			return result.Breached
		}
	}
	return result.Valid
}

// without says what a run without some of its workers is of.
func (r *run) without(lost int) string {
	var expected, planned uint64
	for i, p := range r.phases {
		expected += p.tally.Total().Expected
		planned += r.plans.Phases[i].Deliveries
	}
	return fmt.Sprintf("%d of %d workers lost: what they were to do, and what they had counted since their last tick, is in no number. %d deliveries were expected of those that are left; the plan of these phases has about %d.",
		lost, len(r.members), expected, planned)
}

// fact joins values that are one fact.
func fact(name string, values ...string) result.Fact {
	return result.Fact{Name: name, Value: strings.Join(values, " ")}
}
