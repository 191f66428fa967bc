package server

import (
	"context"
	"time"

	"roost/poller"
)

// drainStep is the time between two batches of closes.
const drainStep = 50 * time.Millisecond

// Drain sends everybody away and ends the node: new connections are refused
// with 503; each device is told its slot, when to connect elsewhere, and is
// closed with 4001 a moment after it. The slots are spread evenly over
// Options.DrainOver, so that not all come to the next node at once. In a cluster it is told
// which node has it without this one. What remains is cut. Canceling ctx cuts at once.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	n := s.p.Conns()
	over := s.opt.DrainOver
	if over == 0 {
		over = min(time.Duration(max(1, n))*time.Millisecond, 30*time.Second)
	}
	s.opt.Log.Info("draining", "connections", n, "over", over)
	tick := time.NewTicker(drainStep)
	defer tick.Stop()
	began, grace := time.Now(), min(over/4, drainGrace)
	if s.cluster != nil {
		// Devices are elsewhere before they let go, and gone from here then: those who
		// follow take no time, and one that is late keeps its connection. A client that
		// was moved twice just before waits up to 4 s more (rule 7).
		grace = s.opt.timing.late
	}
	for _, h := range s.handlers {
		h.l.Post(poller.TaskFunc(func(*poller.Loop) { h.announce(over) }))
	}
	for late := false; !late && s.p.Conns() > 0; {
		due := time.Since(began) - grace
		late = due >= over
		for _, h := range s.handlers {
			h.l.Post(poller.TaskFunc(func(*poller.Loop) { h.drain(due, over) }))
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

// drainGrace is how long a connection stays at most after its slot: the device has
// been elsewhere since, if it could.
const drainGrace = 2 * time.Second

// announce tells the loop's devices their slots, in the order in which drain
// closes them.
func (h *handler) announce(over time.Duration) {
	began, i, n := h.l.Now(), 0, max(1, h.l.Conns())
	h.leaving, h.until = n, began+over
	h.startWalk("", 0, func(c poller.Conn) {
		i++
		st := h.conns.At(c.Slot())
		if !c.Alive() || st.kind != kindDevice {
			return
		}
		in := max(0, over*time.Duration(i)/time.Duration(n)-(h.l.Now()-began))
		h.away(c, st, CloseDrain, in, h.nextURL(st))
	}, func() {})
}

// nextURL is where a device of this node belongs without it; "" where nobody knows.
func (h *handler) nextURL(st *connState) string {
	k := h.s.cluster
	if k == nil {
		return ""
	}
	h.id = k.store.Name(h.id[:0], st.peer.Ref)
	place, ok := k.mesh.Route(h.id, k.silence.with(h.s.opt.Node))
	if !ok || place.URL == "" {
		return ""
	}
	return urlWithHop(place.URL, 1)
}

// sendOn tells a device that was claimed before the node began to go down, and is served since, its slot: some time
// in what is left of it. It is closed with the last ones.
func (h *handler) sendOn(c poller.Conn, st *connState) {
	if h.leaving == 0 {
		return // it is told with the others
	}
	st.set(flagLast, true)
	h.last++
	in := time.Duration(0)
	if left := h.until - h.l.Now(); left > 0 {
		in = time.Duration(h.sids.Uint64() % uint64(left))
	}
	h.away(c, st, CloseDrain, in, h.nextURL(st))
}

// drain closes the connections whose slots lie so far after the announcement, all
// of them at the end.
func (h *handler) drain(due, over time.Duration) {
	n, all := h.l.Conns(), due >= over
	if !all {
		n = surplus(h.leaving, n-int(h.n.kinds[kindOver].Load())-h.last, due, over)
	}
	if n <= 0 {
		return
	}
	h.l.Each(func(c poller.Conn) bool {
		st := h.conns.At(c.Slot())
		switch {
		case st.kind == kindOver:
			return true // it has left by itself, or was told before
		case !all && (st.is(flagLast) || st.kind == kindOpening):
			return true // its slot is still to come, or to be told
		case st.kind == kindHandshake || st.kind == kindOpening:
			h.answer(c, st, errDraining)
		default:
			h.close(c, st, CloseDrain, "draining")
		}
		n--
		return n > 0
	})
}

// surplus is how many of those that are here are closed now: of the leaving ones, whose slots lie one behind the other over
// a time, as many may be left as have theirs later than due. Who has gone by itself counts, so nobody is closed in
// the place of one that is not here any more.
func surplus(leaving, here int, due, over time.Duration) int {
	gone := int(int64(leaving) * int64(max(due, 0)) / int64(over)) // by their slots: whole ones
	return here - (leaving - gone)
}
