package coord

import (
	"fmt"
	"math"
	"time"

	"roost/loadgen/link"
	"roost/loadgen/merge"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
	"roost/loadgen/worker"
)

// phase is one of the run, under way or over.
type phase struct {
	index int
	spec  *scenario.Phase
	state string // for people, see live.Frame

	at, end, closed int64 // begin, end of the plan, end of the accounts; 0: not yet
	deadline        int64 // by which the plan ends
	before          int   // connections at the begin
	outcome         string
	why             string // of an outcome other than done
	connected       int    // at the end

	tally  tally.Tally
	rounds *merge.Rounds
	final  levels // at the end
	hooked bool   // the storm's hook has been called and is done, or there is none
	failed string // how the hook failed; empty: it has not
	dials  peak   // of any interval

	dialPlan dialPlan

	servers []result.ServerUse
	uses    []selfUse
}

// Outcomes of a phase.
const (
	done    = "done"
	timeout = "timeout"
	aborted = "aborted"
)

// lead is how far ahead the begin of a phase, and an end that was not planned,
// are announced: many times what the message takes.
const lead = 200 * time.Millisecond

// drive runs the phases, one after the other, until one says that it was the
// last.
func (r *run) drive() {
	r.readServers()
	for i := range r.s.Phases {
		p := r.newPhase(i)
		goOn := r.runPhase(p)
		r.closePhase(p)
		if !goOn || i == len(r.s.Phases)-1 {
			break
		}
		r.show() // a phase may be over before a second is
	}
	r.lastPoint()
	r.show()
}

func (r *run) newPhase(i int) *phase {
	p := &phase{index: i, spec: &r.s.Phases[i], before: r.levels().Connected, state: "begin", hooked: true, outcome: done, dialPlan: newDialPlan(r.s, i)}
	p.rounds = merge.NewRounds(len(r.members), &p.tally.Hists)
	p.tally.Groups = make([]tally.Group, len(r.s.Groups))
	r.phases = append(r.phases, p)
	for _, m := range r.members {
		m.finished, m.settled, m.refused = false, false, nil
	}
	return p
}

// runPhase runs a phase to the end of its accounts, and reports whether there
// may be a further one.
func (r *run) runPhase(p *phase) (goOn bool) {
	p.at = r.clock.Now() + int64(lead)
	if r.started == 0 {
		r.started = p.at
	}
	length := p.spec.For
	if p.spec.Until.Kind != scenario.UntilTime && length == 0 {
		length = p.spec.Timeout
	}
	p.deadline = p.at + int64(length)
	r.tell(&link.Message{Begin: &link.Begin{Phase: p.index, At: p.at}})
	if why := r.await(never, p.at, true); why == crippled {
		p.end, p.outcome, p.why = max(r.clock.Now(), p.at), aborted, "a worker was lost"
		return false
	}
	p.state = "under way"
	r.hook(p)
	r.profile(p)
	goOn = r.underWay(p)
	if p.end == 0 {
		// Ahead, so that all know of it before: what somebody has already sent
		// cannot be taken out of the plan again.
		p.end = max(r.clock.Now()+int64(lead), p.at)
	}
	return r.account(p) && goOn
}

// underWay waits for the phase's end, and says how it came.
func (r *run) underWay(p *phase) (goOn bool) {
	e := r.expectation(p)
	idleSince := int64(0)
	hopeless := false
	why := r.await(func() bool {
		if p.failed != "" { // nothing was cut, or nobody is there to come back to
			return true
		}
		if p.spec.Until.Kind == scenario.UntilTime {
			return false
		}
		l := r.levels()
		e.over = p.hooked && r.clock.Now() >= p.at+e.lasts()
		if e.holds(l) {
			return true
		}
		// Where nobody has anything left to do, waiting does not help.
		if !l.idle || !p.hooked {
			idleSince = 0
		} else if now := r.clock.Now(); idleSince == 0 {
			idleSince = now
		} else if time.Duration(now-idleSince) > 2*time.Second {
			hopeless = true
		}
		return hopeless
	}, p.deadline, true)
	conditional := p.spec.Until.Kind != scenario.UntilTime
	switch {
	case why == met && p.failed != "":
		p.outcome, p.why = aborted, p.failed
	case why == met && !hopeless:
		return true
	case why == late && !conditional, why == late && p.spec.For > 0:
		p.end = p.deadline
		return true
	case why == late:
		p.outcome, p.why = timeout, fmt.Sprintf("after %v %s", p.spec.Timeout, e.remaining(r.levels()))
	case hopeless:
		p.outcome, p.why = timeout, e.remaining(r.levels())+", and nothing is left to do"
	case why == interrupted:
		p.outcome, p.why = aborted, "interrupted"
		r.interrupted = true
		r.log("interrupted: what was sent has up to %v to arrive; a second time ends it at once, without a result", r.s.Measure.Deadline)
	case why == broken:
		p.outcome, p.why = aborted, r.broken+" does not hold"
	case why == crippled:
		p.outcome, p.why = aborted, "a worker was lost"
	}
	r.note("phase %s ended early: %s: %s", p.spec.Name, p.outcome, p.why)
	return false
}

func (r *run) expectation(p *phase) expectation {
	return expectation{until: p.spec.Until, before: p.before, storm: p.spec.Storm}
}

// lasts is how long the storm takes.
func (e expectation) lasts() int64 {
	if e.storm == nil {
		return 0
	}
	return int64(e.storm.Over)
}

// answerGrace is how much longer than it is told a worker may take to say that
// it has finished.
const answerGrace = 10 * time.Second

// account waits for what is still to come, and closes the accounts.
func (r *run) account(p *phase) bool {
	if r.crippled() {
		return false
	}
	p.state = "answers"
	wait := r.s.Measure.Deadline
	for _, pub := range p.spec.Publish {
		wait = max(wait, r.s.Measure.Deadline+pub.Wait)
	}
	r.tell(&link.Message{Finish: &link.Finish{At: p.end, Wait: wait}})
	r.require("finished the phase", p.end+int64(wait+answerGrace), func(m *member) bool { return m.finished })
	p.state = "deliveries"
	r.awaitDeliveries(p)
	p.state = "accounts"
	p.final = r.levels()
	refused := r.refused(p)
	_ = worker.SendRefusals(refused, func(part []swarm.Refusal, more bool) error {
		r.tell(&link.Message{Settle: &link.Settle{Refused: part, More: more}})
		return nil
	})
	r.require("closed its accounts", r.clock.Now()+int64(answerGrace), func(m *member) bool { return m.settled })
	r.closeRounds(p, refused)
	return !r.crippled()
}

// awaitDeliveries waits until nothing more is to come, or the deadline of the
// last message is over. Whatever has ended the phase does not end this: what is
// on its way would be counted as lost.
//
// A lost worker's messages are expected by all others, and never come. Where
// there is one, the wait also ends when nothing has come for a while.
func (r *run) awaitDeliveries(p *phase) {
	const never = math.MaxUint64
	came, since := uint64(never), int64(0)
	quiet := max(2*r.s.Measure.Interval, leastQuiet)
	r.await(func() bool {
		if r.all(func(m *member) bool { return m.fresh && m.progress.Idle }) {
			return true
		}
		now, n := r.clock.Now(), p.tally.Total().Delivered
		if n != came {
			came, since = n, now
		}
		return r.lost() > 0 && time.Duration(now-since) > quiet
	}, p.end+int64(r.s.Measure.Deadline), false)
}

// leastQuiet is how long no delivery may come before none is expected of the
// workers that are left: two of the usual ticks.
const leastQuiet = 2 * time.Second

// require waits until every worker has done something. Those that have not when
// it is late are lost.
func (r *run) require(what string, by int64, f func(*member) bool) {
	if r.await(func() bool { return r.all(f) }, by, false) != late {
		return
	}
	for _, m := range r.members {
		if m.alive() && !f(m) {
			r.lose(m, "it has not "+what+" in time")
		}
	}
}

// closePhase takes what belongs to the phase as a whole.
func (r *run) closePhase(p *phase) {
	p.closed = r.clock.Now()
	if p.end == 0 {
		p.end = p.closed
	}
	p.connected = r.levels().Connected
	if !p.final.current { // nobody got so far
		p.final = r.levels()
	}
	for _, m := range r.members {
		p.uses = append(p.uses, m.use())
		m.nextUse()
	}
	r.readServers()
	p.state = "over"
}

// closeRounds records fan-outs that are still open, except of refused messages.
func (r *run) closeRounds(p *phase, refused []swarm.Refusal) {
	type message struct {
		stream uint16
		seq    uint32
	}
	not := make(map[message]bool, len(refused))
	for _, x := range refused {
		not[message{x.Publish, x.Number}] = true
	}
	p.rounds.Close(func(stream uint16, seq uint32) bool { return not[message{stream, seq}] })
}

// tell tells every worker that is there.
func (r *run) tell(msg *link.Message) {
	for _, m := range r.members {
		if !m.alive() {
			continue
		}
		if err := m.Tell(msg); err != nil {
			r.lose(m, err.Error())
		}
	}
}

// ping asks a worker for its clock, and tells it what is known of it.
func (r *run) ping(m *member, now int64) {
	shift, bound := r.shift(m)
	r.bound = max(r.bound, bound)
	if err := m.Tell(&link.Message{Ping: &link.Ping{At: now, Shift: shift}}); err != nil {
		r.lose(m, err.Error())
	}
}

// levels sums up where the workers are that are there.
func (r *run) levels() levels {
	ps := make([]swarm.Progress, 0, len(r.members))
	for _, m := range r.members {
		if m.alive() {
			ps = append(ps, m.progress)
		}
	}
	return sum(len(r.phases)-1, ps)
}
