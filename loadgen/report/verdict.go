package report

import (
	"fmt"

	"roost/loadgen/report/svg"
	"roost/loadgen/result"
)

// finding is something to be said at once.
type finding struct {
	State string
	Name  string
	Text  string
}

// headline is the verdict in words.
func headline(r *result.Result) (title, meaning string) {
	loss, losses := withoutWorkers(r)
	switch r.Verdict {
	case result.Valid:
		return "VALID" + loss, "The generator kept up with its plan" + held(r) + losses
	case result.Breached:
		return "THRESHOLD BREACHED" + loss, "The generator kept up with its plan. What was asked of the server does not hold." + losses
	case result.Interrupted:
		return "INTERRUPTED", "Somebody ended the run. These numbers are of a part of it."
	}
	return "INVALID", "These numbers are not a result: what was measured is the generator, not the server."
}

// withoutWorkers says for headline and meaning that workers were lost in a run
// that was told to go on.
func withoutWorkers(r *result.Result) (title, meaning string) {
	lost := 0
	for _, w := range r.Workers {
		if w.Lost != "" {
			lost++
		}
	}
	if lost == 0 {
		return "", ""
	}
	return fmt.Sprintf(" WITHOUT %d OF %d WORKERS", lost, len(r.Workers)),
		" Workers were lost on the way: that holds for what is left of the plan, and not for all of it."
}

// held says what became of the thresholds of a valid run.
func held(r *result.Result) string {
	unknown := 0
	for _, t := range r.Thresholds {
		if t.State == "unknown" {
			unknown++
		}
	}
	switch {
	case len(r.Thresholds) == 0:
		return "."
	case unknown > 0:
		return fmt.Sprintf(". No threshold fails, but of %d of %d it is not known.", unknown, len(r.Thresholds))
	}
	return ", and every threshold holds."
}

// judged are the thresholds of a run that is a result.
func judged(r *result.Result) []result.Threshold {
	if r.Verdict == result.Invalid {
		return nil
	}
	return r.Thresholds
}

// checksOf lists the checks of a state.
func checksOf(r *result.Result, state string) (list []result.Check) {
	for _, c := range r.Validity {
		if c.State == state {
			list = append(list, c)
		}
	}
	return list
}

// missing are the checks that could not be read, where that may be why the
// run is invalid.
func missing(r *result.Result) []result.Check {
	if r.Verdict != result.Invalid {
		return nil
	}
	return checksOf(r, "unknown")
}

// findings are what the banner says: what failed, and what could not be known.
func findings(r *result.Result) (list []finding) {
	for _, c := range append(checksOf(r, "fail"), missing(r)...) {
		value := svg.Format(c.Value, svg.Unit(c.Unit))
		if c.State == "unknown" {
			value = "unknown"
		}
		list = append(list, finding{c.State, c.Name, fmt.Sprintf("%s, want %s. %s", value, limit(c), c.Text)})
	}
	for _, t := range judged(r) {
		switch t.State {
		case "fail":
			list = append(list, finding{"fail", t.Text, found(r, t)})
		case "unknown":
			list = append(list, finding{"unknown", t.Text, sentences(t.Reason, "")})
		}
	}
	list = append(list, worstErrors(r)...)
	for _, w := range r.Workers {
		if w.Lost != "" {
			list = append(list, finding{"fail", fmt.Sprintf("worker %d on %s was lost", w.Index, w.Host), sentences(w.Lost, "")})
		}
	}
	for _, c := range checksOf(r, "advice") {
		list = append(list, finding{"advice", c.Name, fmt.Sprintf("%s, better %s. %s", svg.Format(c.Value, svg.Unit(c.Unit)), limit(c), c.Text)})
	}
	return list
}

// worstErrors are the most frequent errors, for the verdict: a run that came
// to nothing has its reason there.
func worstErrors(r *result.Result) (list []finding) {
	const most = 2
	t := errorTable(r)
	for _, e := range t.rows[:min(len(t.rows), most)] {
		list = append(list, finding{"errors", fmt.Sprintf("%s %s in phase %s, %s times", e.cells[1], e.cells[2], e.cells[0], e.cells[3]), e.text})
	}
	if more := len(t.rows) - most; more > 0 {
		list[most-1].Text += fmt.Sprintf(" (And %s.)", plural(more, "more kind"))
	}
	return list
}
