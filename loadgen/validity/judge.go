// Package validity says whether a run tells something about the server, or
// only about the generator: a run that does not hold is INVALID, and its
// numbers are no result. Values in, values out.
//
// Each check is a number against a limit. The limits of a scenario can be
// changed and, by 0, switched off; those of this package cannot. Checks that
// are about a worker are about the worst one.
//
// # Two kinds of machines
//
// A generator with processors of its own hardly waits for one, and there waiting
// makes a run invalid. Where the server is on the same processors, waiting is
// part of the game: pressure, the collector's pauses and goroutines that wait
// are hints then, and run delay makes a run invalid only beyond sharedSlack
// times its limit. How late the generator does things because of all that is
// measured as well, and send lag and hiccup have the same limits everywhere. That
// it reads late (rx lag) is advice there: delivery_kernel has less of it.
//
// Measured with a process that wakes 3000 times a second, on two processors:
//
//	                        run delay   hiccup p99    p99.9      max
//	nearly alone                5 %       0.14 ms    0.2 ms     1.4 ms
//	with work for three     17-44 %      0.8-1.7     2.5-6.4    4-26
//	with two endless loops     80 %       4.7         24         52
//	pinned beside one       98-158 %     4.5-12       5-24      6-74
//
// So hiccups of a process that is starved can look like those of one that is
// not, and run delay, summed over its threads, tells them apart.
package validity

import (
	"fmt"
	"slices"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
)

// States of a check.
const (
	statePass    = "pass"
	stateFail    = "fail"
	stateUnknown = "unknown"
	stateAdvice  = "advice"
)

// must are the checks without which a run is worth nothing: if one of them
// could not be made, the run is INVALID.
var must = []string{nameRate, nameUnsent, nameSendLag, nameDials, nameHiccup, nameHiccupMax, nameCPU, nameRunDelay, nameClockErrors,
	nameClockBound, nameLost}

// Judge makes all checks that apply, in the order in which they are shown. It
// may be asked at any time during a run.
func Judge(o Observation, limits scenario.Validity) []result.Check {
	j := &judge{o: &o, limits: limits}
	j.plan()
	j.delays()
	j.processor()
	j.machine()
	j.network()
	j.clock()
	j.ceiling()
	return j.checks
}

// Verdict returns result.Invalid if a check failed, or one that must be made
// could not be, else result.Valid.
func Verdict(checks []result.Check) result.Verdict {
	for i := range checks {
		if Fatal(&checks[i]) {
			return result.Invalid
		}
	}
	return result.Valid
}

// Fatal reports whether a check makes its run INVALID.
func Fatal(c *result.Check) bool {
	return c.State == stateFail || c.State == stateUnknown && slices.Contains(must, c.Name)
}

type judge struct {
	o      *Observation
	limits scenario.Validity
	checks []result.Check
}

// check is a result.Check before it is judged.
type check struct {
	name, unit string
	value      float64
	limit      float64
	least      bool    // value must be at least limit
	slack      float64 // between limit and this it is advice; 0: there is no such zone
	advice     bool    // it never fails
	off        bool    // its limit is switched off
	unknown    string  // why it could not be read, or not everywhere
	means      string  // a sentence
	mend       string  // what to do if it does not hold
}

// add judges a check. One that is partly unknown and fails already, fails.
func (j *judge) add(c check) {
	out := result.Check{Name: c.name, Value: c.value, Limit: c.limit, Unit: c.unit, Least: c.least, State: c.state(), Text: c.means}
	if c.unknown != "" && (c.least || out.State != stateFail) {
		out.State = stateUnknown
	}
	switch {
	case c.off && c.unknown != "":
		return
	case c.off:
		out.State, out.Text = stateAdvice, c.means+" Not judged: its limit is switched off."
	case out.State == stateUnknown:
		out.Text = fmt.Sprintf("%s Unknown: %s.", c.means, c.unknown)
	case out.State != statePass:
		out.Text = c.means + " " + c.mend
	}
	if out.State == stateFail && c.slack != 0 {
		out.Limit = c.slack
	}
	j.checks = append(j.checks, out)
}

// state is that of the value, taken as known.
func (c *check) state() string {
	switch {
	case !c.beyond(c.limit):
		return statePass
	case c.advice || c.slack != 0 && !c.beyond(c.slack):
		return stateAdvice
	}
	return stateFail
}

// beyond reports whether the value does not hold a limit. What is no number
// holds none.
func (c *check) beyond(limit float64) bool {
	if c.least {
		return !(c.value >= limit)
	}
	return !(c.value <= limit)
}

// worst is the largest value of any worker, and whose it is.
type worst struct {
	value   float64
	whose   string // "worker 3 on b"
	unknown string // why there is no value of some or all workers
}

// none is the value of what did not happen at a worker, and is no reason for
// doubt.
const none = -2

// worst asks every worker that was not lost; read may return Unread or none.
func (j *judge) worst(read func(w *Worker) float64) (out worst) {
	asked, lacking := 0, 0
	for i := range j.o.Workers {
		w := &j.o.Workers[i]
		if w.Lost != "" {
			continue
		}
		v := read(w)
		if v == none {
			continue
		}
		asked++
		switch {
		case v < 0:
			lacking++
		case out.whose == "" || v > out.value:
			out.value, out.whose = v, fmt.Sprintf("worker %d", w.Index)
			if w.Host != "" {
				out.whose += " on " + w.Host
			}
		}
	}
	switch {
	case asked == 0:
		out.unknown = "no worker reported it"
	case j.o.Length <= 0:
		out.unknown = "nothing was measured, as every phase is a warm-up or has no length"
	case lacking > 0:
		out.unknown = fmt.Sprintf("%d of %d workers could not read it", lacking, asked)
	}
	if out.whose == "" {
		out.whose = "a worker"
	}
	return out
}
