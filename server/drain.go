package server

import (
	"context"
	"time"

	"roost/poller"
)

// drainStep is the time between two batches of closes.
const drainStep = 50 * time.Millisecond

// Drain sends everybody away and ends the node: new connections are refused
// with 503, those that are here are closed with 4001, evenly over
// Options.DrainOver so that they do not all come to the next node at once, and
// what remains is cut. Canceling ctx cuts at once.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	n := s.p.Conns()
	over := s.opt.DrainOver
	if over == 0 {
		over = min(time.Duration(n)*time.Millisecond, 30*time.Second)
	}
	s.opt.Log.Info("draining", "connections", n, "over", over)
	steps := max(1, int(over/drainStep))
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	for left := steps; left > 0 && s.p.Conns() > 0; left-- {
		for _, h := range s.handlers {
			h.l.Post(poller.TaskFunc(func(*poller.Loop) { h.drain(left) }))
		}
		if !wait(ctx, tick) {
			break
		}
	}
	// The last ones have been told; give them the time that Finish gives.
	for end := time.Now().Add(lingerAfterDrain); s.p.Conns() > 0 && time.Now().Before(end); {
		if !wait(ctx, tick) {
			break
		}
	}
	s.opt.Log.Info("drained", "cut", s.p.Conns())
	return s.Close()
}

// lingerAfterDrain is how long Drain waits for the last close handshakes.
const lingerAfterDrain = 2500 * time.Millisecond

// wait waits for the next tick; it reports false when ctx is over.
func wait(ctx context.Context, tick *time.Ticker) bool {
	select {
	case <-ctx.Done():
		return false
	case <-tick.C:
		return true
	}
}

// drain closes one left-th of the loop's connections that have not been told.
func (h *handler) drain(left int) {
	told := int(h.n.kinds[kindOver].Load())
	n := (h.l.Conns() - told + left - 1) / left
	h.l.Each(func(c poller.Conn) bool {
		st := h.conns.At(c.Slot())
		switch st.kind {
		case kindOver:
			return true
		case kindHandshake:
			h.answer(c, st, errDraining)
		default:
			h.close(c, st, CloseDrain, "draining")
		}
		n--
		return n > 0
	})
}
