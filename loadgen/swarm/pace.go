package swarm

import (
	"runtime"
	"time"

	"roost/poller"
)

// Periods of the loop's turns. They come when something is due, but not more
// often than each quarter of a millisecond: half of that later on average at high rates,
// where each turn costs more than it is worth.
const (
	shortest = 250 * time.Microsecond
	longest  = 10 * time.Millisecond
)

// pacer gives the loop a turn when something is due, by the loop's alarm: a thread
// of its own that slept would take two wake-ups a turn more. Only the loop touches
// it.
type pacer struct {
	w       *Worker
	due     int64         // when the next turn is wanted, by the run's clock
	last    int64         // the turn before
	longest time.Duration // between two turns
	quit    bool
}

// start makes turns come, or has the loop spin. Where many workers share a
// processor, those that have nothing to do look for it less often.
func (p *pacer) start(w *Worker) {
	p.w = w
	p.longest = longest * time.Duration(min(max(w.cfg.Here/runtime.NumCPU(), 1), 10))
	if w.s.Clients.Spin {
		w.l.Post(&spinner{p})
		return
	}
	w.l.Post(p)
}

// Run is one turn. What it says is due counts for the next, and what is wanted
// meanwhile.
func (p *pacer) Run(*poller.Loop) {
	if p.quit {
		return
	}
	p.last = p.w.now()
	p.due = p.last + int64(p.longest)
	p.w.turn()
	p.set()
}

// wake asks for a turn at a time, if none is wanted earlier.
func (p *pacer) wake(at int64) {
	if at < p.due {
		p.due = at
		p.set()
	}
}

func (p *pacer) set() {
	if !p.quit && p.w != nil && !p.w.s.Clients.Spin {
		p.w.l.SetAlarm(time.Duration(max(p.due, p.last+int64(shortest))-p.w.now()), p)
	}
}

// stop ends the turns.
func (p *pacer) stop() { p.quit = true }

// spinner keeps the loop from sleeping: a task that posts itself again makes
// the next epoll_wait return at once.
type spinner struct{ p *pacer }

// Run is one turn.
func (s *spinner) Run(l *poller.Loop) {
	if !s.p.quit {
		s.p.w.turn()
		l.Post(s)
	}
}
