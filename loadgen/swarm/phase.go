package swarm

import (
	"fmt"
	"math"

	"roost/loadgen/dialect"
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// phase is the phase that is under way.
//
//	set up by Begin --its begin has come--> started --Finish--> finishing --Settle--> gone
type phase struct {
	// Static.
	spec  *scenario.Phase
	index int
	begin int64

	end         int64 // what is due at it or later is not planned
	streams     []*stream
	disconnects disconnects
	churn       *cursor              // nil: none
	refusals    map[messageKey]uint8 // how many APIs have said no; 0: nobody knows
	overflow    bool                 // more refusals than may be listed
	started     bool
	finishing   bool
	conceded    bool // what is not sent and answered now will not be
	settled     bool
	finished    chan struct{} // closed when Finish need not wait any more; nil before Finish
	complete    uint32        // finishing: the clients before this one have got everything
}

// messageKey names a message of the phase.
type messageKey struct {
	publish uint16
	number  uint32
}

// Begin sets up phase i, which starts at the instant at.
func (w *Worker) Begin(i int, at int64) error {
	if i < 0 || i >= len(w.s.Phases) {
		return fmt.Errorf("swarm: phase %d: the scenario has %d", i, len(w.s.Phases))
	}
	spec := &w.s.Phases[i]
	p := &phase{spec: spec, index: i, begin: at, end: math.MaxInt64}
	if spec.For > 0 && spec.Until.Kind == scenario.UntilTime {
		p.end = at + int64(spec.For)
	}
	before, goal := levels(w.s.Phases[:i]), levels(w.s.Phases[:i+1])
	for k := range spec.Publish {
		p.streams = append(p.streams, w.newStream(i, k, max(before, goal)))
	}
	ramp, churn := Dials(w.s, i)
	if churn != nil {
		p.churn = &cursor{it: churn}
	}
	if s := spec.Storm; s != nil && s.How != scenario.CloseServer {
		p.disconnects = w.newStorm(s, min(before, w.total), i)
	}
	err := fmt.Errorf("swarm: phase %d: the worker is closed", i)
	w.do(func() {
		if err = nil; w.phase != nil {
			err = fmt.Errorf("swarm: phase %d begins before phase %d is settled", i, w.phase.index)
			return
		}
		w.beginPhase(p, ramp, before, goal)
	})
	return err
}

// levels returns how many clients are meant to be connected after some phases.
func levels(phases []scenario.Phase) (level uint32) {
	for i := range phases {
		if r := phases[i].Ramp; r != nil {
			level = max(level, uint32(max(r.To, 0)))
		}
		if d := phases[i].Drain; d != nil {
			level = min(level, uint32(max(d.To, 0)))
		}
	}
	return level
}

func (w *Worker) beginPhase(p *phase, ramp *plan.Arrivals, before, goal uint32) {
	w.phase, w.begun = p, p.index
	w.cache.forget()
	w.wanted = min(goal, w.total)
	w.dials.ramp = nil
	if ramp != nil {
		w.dials.ramp, w.dials.begin, w.dials.end = ramp, p.begin, p.end
		w.dials.from, w.dials.next, w.dials.goal = before, before, w.wanted
	}
	g := &w.level
	g.phase.Store(int32(p.index))
	g.goal.Store(int32(plan.Shard(int(w.wanted), w.cfg.Worker, w.cfg.Workers)))
	g.dialed.Store(0)
	g.cut.Store(0)
	g.restored.Store(0)
	g.idle.Store(false)
	g.planDone.Store(false)
	for i := range w.clients {
		w.enter(uint32(i), &w.clients[i])
	}
	w.deliverEarly(p)
	w.pace.wake(p.begin)
}

// enter gives a client its part in a phase that begins.
func (w *Worker) enter(i uint32, c *client) {
	c.flags &^= stormed | slowed | silenced
	switch {
	case c.state == ready:
		w.subscribe(i, c, true)
		w.openAccounts(i)
	case c.flags&before != 0 && (c.state == away || c.state == dialing):
		w.eachAccount(i, func(s *stream, a *account, _ uint32, _ subject) {
			if a.state = accountAway; s.kept { // waits for it
				a.state, a.parted = accountOpen, true
			}
		})
	}
}

// turn does what is due.
func (w *Worker) turn() {
	now := w.now()
	if p := w.phase; p != nil && now >= p.begin && !p.settled {
		if !p.started {
			w.startPhase(p)
		}
		w.advance(now)
		w.disconnectDue(now)
		w.churnDue(now)
		w.sendDue(now)
	}
	w.pump(now)
	w.resumeDue(now)
	w.lookAtPaused(now)
	w.judge(now)
	w.pace.wake(w.nextDue())
}

// nextDue returns when the next turn has something to do. What is due and could
// not be done has passed already.
func (w *Worker) nextDue() int64 {
	next := int64(math.MaxInt64)
	sooner := func(at int64, ok bool) {
		if ok {
			next = min(next, at)
		}
	}
	sooner(w.rampDue())
	sooner(w.dials.queue.peek())
	sooner(w.resumes.peek())
	p := w.phase
	switch {
	case p == nil:
		return next
	case !p.started:
		return min(next, p.begin)
	}
	for _, s := range p.streams {
		if s.spec.To != scenario.ToSelf {
			sooner(s.due.next(p.begin, p.end))
		}
		sooner(s.send.next(p.begin, p.end))
		if len(s.again) > 0 {
			sooner(s.again[0].at, true)
		}
	}
	if p.churn != nil {
		sooner(p.churn.next(p.begin, p.end))
	}
	if !w.disconnectsDone(p) {
		sooner(p.disconnects.dueAt(p.begin), true)
	}
	sooner(p.end, p.finished != nil && p.end > w.now()) // later, answers are waited for and not turns
	return next
}

// startPhase does what is done once, at the begin: before anything that comes is looked at, so that of those who are slow
// in the phase nothing of it is expected.
func (w *Worker) startPhase(p *phase) {
	p.started = true
	w.chooseSlow(p)
	w.chooseDisconnects(p)
	for _, s := range p.streams {
		if s.way == dialect.ByHTTP {
			w.warmPosts()
			break
		}
	}
}

// judge says how far the phase is.
func (w *Worker) judge(now int64) {
	p := w.phase
	if p == nil {
		return
	}
	_, ramping := w.rampDue()
	sent := w.allSent(p)
	done := p.started && sent && !ramping && w.disconnectsDone(p) && w.churnDone(p)
	quiet := w.level.pending.Load() == 0
	w.level.planDone.Store(done)
	w.level.idle.Store(done && quiet && w.dials.inflight == 0 && w.level.away.Load() == 0 && (!p.finishing || w.allCame(p, now)))
	if p.finished != nil && sent && quiet && (now >= p.end || done) {
		close(p.finished)
		p.finished = nil
	}
}

// allCame reports whether everything that was planned has come to all who read.
// When the plan has ended, who has got everything stays so: all calls together
// look at each client once.
func (w *Worker) allCame(p *phase, now int64) bool {
	if now < p.end {
		return false
	}
	for ; p.complete < w.count; p.complete++ {
		i := p.complete
		c := &w.clients[i]
		if c.state != ready || !w.groups.healthy(c.group) || w.lenient(i) {
			continue
		}
		came := true
		w.eachAccount(i, func(_ *stream, a *account, planned uint32, _ subject) {
			came = came && a.complete(planned)
		})
		if !came {
			return false
		}
	}
	return true
}

// allSent reports whether no message is left in the plan.
func (w *Worker) allSent(p *phase) bool {
	for _, s := range p.streams {
		if _, ok := s.send.next(p.begin, p.end); ok {
			return false
		}
	}
	return true
}
