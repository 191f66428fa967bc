package swarm

import (
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// What is due and finds no request free at its API waits for the server: its
// latency goes on, but the generator has done its part. So the lag of a message
// that cannot be sent is recorded when it is tried for the first time, and what
// never could be sent, though it was tried, is unknown and not unsent. The
// messages behind one that waits are tried with it.
//
//	send       tried                  due
//	 |-- wait --|-- not looked at yet --|

// try notes that what is due cannot be sent now, and has been tried.
func (w *Worker) try(s *stream, now int64) {
	if s.tried == nil {
		s.tried = &cursor{it: s.send.it.Clone(), n: s.send.n}
	}
	for range sendBudget {
		at, ok := s.tried.next(w.phase.begin, w.phase.end)
		if !ok || at > now {
			return
		}
		n := s.tried.n
		s.tried.pass()
		if !w.sends(s, n) || s.part > 0 && n == s.send.n {
			continue
		}
		w.rec.hist(histSendLag, now-at)
		if s.full > 0 {
			w.rec.wait(s.full-1, w.posts.most)
		}
	}
}

// wasTried reports whether the message that send is at could not be sent before.
func (s *stream) wasTried() bool { return s.tried != nil && s.send.n < s.tried.n }

// unanswered counts a message of which nobody knows whether it was accepted: it
// may come, and is owed.
func (w *Worker) unanswered(s *stream, n uint32, why error) {
	w.rec.failure(plan.StagePublish, why)
	if w.phase.refuse(s.index, n, 0) {
		w.rec.counts(0).Unknown++
	}
}

// unsent gives up the next message of a stream, if it is ours.
func (w *Worker) unsent(p *phase, s *stream) {
	n := s.send.n
	switch {
	case s.spec.To == scenario.ToSelf:
		i, own := w.local(s.of(n))
		switch {
		case !own:
		case w.speaks(i):
			c := w.rec.counts(w.clients[i].group)
			c.Planned++
			c.Unsent++
		default:
			w.sendAway(s, i, w.now())
		}
	case !w.sends(s, n):
	case s.part > 0: // some may have it
		w.unanswered(s, n, plan.ErrTimeout)
	case s.wasTried():
		w.rec.counts(0).Sent++
		w.unanswered(s, n, plan.ErrTimeout)
	default:
		w.rec.counts(0).Unsent++
		p.refuse(s.index, n, neverSent)
	}
}

// sendAway counts a message that a client would have sent to itself, had it not
// been cut off: the outage is in its latency. One that does not mean to come back
// sends nothing, and nothing is planned for it.
func (w *Worker) sendAway(s *stream, i uint32, due int64) {
	if i >= w.count {
		return
	}
	c := &w.clients[i]
	if c.flags&before == 0 || c.state != away && c.state != dialing || w.lenient(i) {
		return
	}
	w.rec.counts(c.group).Planned++
	w.sent(s, c.group, due, w.now(), 1, 0)
	w.lose(c.group, gap, 1)
}
