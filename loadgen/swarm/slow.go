package swarm

import (
	"io"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
)

// reads returns how a client reads in this phase.
func (w *Worker) reads(c *client) scenario.ReadMode {
	if m := w.reading(c).Mode; m != "" {
		return m
	}
	return scenario.ReadDrain
}

func (w *Worker) reading(c *client) *scenario.Read {
	if c.flags&slowed != 0 && w.phase != nil && w.phase.spec.Slow != nil {
		return &w.phase.spec.Slow.Read
	}
	return &w.groups.list[c.group].Read
}

// chooseSlow makes a share of the clients, or of a group, slow or silent for the
// phase, connected or not. A silent client's kernel goes on taking what comes, and what
// is in it is thrown away: of a socket that is not read nobody would see the
// server's FIN.
func (w *Worker) chooseSlow(p *phase) {
	choose := func(group string, share float64, purpose uint64, flag clientFlags) {
		seed := plan.Seed(w.s.Seed, uint64(p.index), purpose)
		for i := range w.clients {
			c := &w.clients[i]
			if group != "" && w.groups.list[c.group].Name != group || !plan.Chosen(w.global(uint32(i)), share, seed) {
				continue
			}
			if c.state == ready {
				w.subscribe(uint32(i), c, false)
			}
			c.flags |= flag
			if c.state == ready && w.reads(c) == scenario.ReadNever {
				w.l.Conn(c.conn).Pause()
			}
		}
	}
	if s := p.spec.Slow; s != nil {
		choose(s.Group, s.Share, seedSlow, slowed)
	}
	if h := p.spec.HalfOpen; h != nil {
		choose(h.Group, h.Share, seedHalfOpen, silenced)
	}
}

// leave ends a client's part in a phase that is settled.
func (w *Worker) leave(i uint32, c *client) {
	was := c.flags & (slowed | silenced)
	c.flags &^= stormed | slowed | silenced
	if was == 0 || c.state != ready {
		return
	}
	pc := w.l.Conn(c.conn)
	if w.reads(c) == scenario.ReadNever {
		pc.Pause()
	} else {
		pc.Resume()
	}
	w.arm(pc, w.conns.At(pc.Slot()))
}

// Bounds of rateBuffer: the kernel has no less, and one read takes no more.
const (
	leastBuffer = 1 << 10
	mostBuffer  = 64 << 10
)

// rateBuffer is the receive buffer of a client that reads at a rate, in bytes: what
// it may read in a second. With the kernel's own, of some hundred KiB, it would
// read a minute's worth at once, and the server would hear nothing of it for long.
func rateBuffer(rate float64) int { return int(min(max(rate, leastBuffer), mostBuffer)) }

// ration pauses a client that reads at a rate until it may read on.
func (w *Worker) ration(pc poller.Conn, st *conn, n int) {
	if st.stage != stageReady {
		return
	}
	r := w.reading(&w.clients[st.client])
	if r.Mode != scenario.ReadRate || !(r.Rate > 0) {
		return
	}
	pc.Pause()
	at := w.now() + int64(float64(n)/r.Rate*1e9)
	w.resumes.push(timed{at, uint64(pc.Handle())})
	w.pace.wake(at)
}

// resumeDue lets clients that read at a rate read on.
func (w *Worker) resumeDue(now int64) {
	for {
		at, ok := w.resumes.peek()
		if !ok || at > now {
			return
		}
		pc := w.l.Conn(poller.Handle(w.resumes.pop().key))
		if !pc.Alive() {
			continue
		}
		c := &w.clients[w.conns.At(pc.Slot()).client]
		if w.reads(c) != scenario.ReadNever {
			pc.Resume()
		}
	}
}

// pausedPeriod is how often connections that nobody reads are looked at.
const pausedPeriod = int64(time.Second)

// lookAtPaused ends connections that are never read and that the server has
// ended: of a FIN nobody else would know.
func (w *Worker) lookAtPaused(now int64) {
	if now < w.pausedAt {
		return
	}
	w.pausedAt = now + pausedPeriod
	for i := range w.clients {
		c := &w.clients[i]
		if c.state != ready || w.reads(c) != scenario.ReadNever {
			continue
		}
		if pc := w.l.Conn(c.conn); pc.Alive() && pc.Ended() {
			w.abandon(pc, w.conns.At(pc.Slot()), io.EOF)
		}
	}
}
