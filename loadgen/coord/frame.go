package coord

import (
	"fmt"
	"slices"
	"time"

	"roost/loadgen/live"
	"roost/loadgen/merge"
	"roost/loadgen/result"
)

// shownErrors is how many kinds of errors a frame has.
const shownErrors = 5

// show hands the view the state of the run.
func (r *run) show() {
	if r.o.View == nil || len(r.phases) == 0 {
		return
	}
	r.o.View.Show(r.frame())
}

func (r *run) frame() *live.Frame {
	now := r.clock.Now()
	p := r.phases[len(r.phases)-1]
	l := r.levels()
	f := &live.Frame{At: r.since(now), Scenario: r.s.Name, Workers: len(r.members),
		Phase: p.spec.Name, Index: p.index, Phases: len(r.s.Phases), Warmup: p.spec.Warmup, State: p.state,
		Elapsed: time.Duration(now - p.at), Until: r.expectation(p).String(),
		Clients: l.Clients, Connected: l.Connected, Dialing: l.Dialing, Goal: l.Goal, Cut: l.Cut, Restored: l.Restored, Away: l.Away, Pending: l.Pending,
		Counts: p.tally.Total(), Delivery: merge.Delivery(&p.tally, r.reads), Hists: &p.tally.Hists, ServerBase: r.serverBase()}
	if p.end == 0 {
		f.Left = max(time.Duration(p.deadline-now), 0)
	}
	f.Lost, f.Silent = r.lost(), r.silent(now)
	if n := len(r.series.points); n > 0 {
		f.Point = r.series.points[n-1]
	}
	for _, p := range r.phases {
		c := p.tally.Total()
		f.Total.Add(&c)
		f.AllErrors.Add(p.tally.Errors)
	}
	f.Errors = errorLines(p.tally.Errors)
	f.Errors = f.Errors[:min(len(f.Errors), shownErrors)]
	res := r.result(false)
	f.Validity = res.Validity
	f.Thresholds = judge(r.conditions, res, false)
	for _, t := range f.Thresholds {
		unit, _ := res.UnitOf(live.MetricOf(t.Text)) // empty where it is no metric
		f.Units = append(f.Units, unit)
	}
	return f
}

// noticed is how long a worker that ticks each second may say nothing before it
// is worth a word.
const noticed = 2500 * time.Millisecond

// silent names the worker that has said nothing for longest, if that is long.
func (r *run) silent(now int64) (words string) {
	longest := max(noticed, 2*r.s.Measure.Interval)
	for _, m := range r.members {
		if d := time.Duration(now - m.heard); m.ready && m.alive() && d > longest {
			longest = d
			words = fmt.Sprintf("worker %d silent for %.0fs", m.Index, d.Seconds())
		}
	}
	return words
}

// serverBase is the resident memory of all servers before the first connection;
// 0, not known, if one has been restarted since.
func (r *run) serverBase() (sum int64) {
	for _, p := range r.phases {
		if slices.ContainsFunc(p.servers, func(u result.ServerUse) bool { return u.Moved }) {
			return 0
		}
	}
	for _, u := range r.before {
		sum += max(u.RSS, 0)
	}
	return sum
}
