package swarm

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"roost/loadgen/dialect"
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
	"roost/server/ws"
)

// intent is why a connection ends.
type intent uint8

const (
	byServer intent = iota // or by the network: nobody here has meant it
	byStorm                // its client comes back
	byChurn                // another client comes in its place
	byDrain                // for good
)

// Why connections end that end here.
var (
	errEnd      = errors.New("end of the run")
	errReplaced = errors.New("replaced by a newer connection")
	errPlanned  = errors.New("ended as planned")
)

// refusedUpgrade is an answer to the upgrade that is not 101.
type refusedUpgrade struct {
	plan.StatusError
	after time.Duration // Retry-After
}

// Unwrap makes it a class of errors.
func (e *refusedUpgrade) Unwrap() error { return &e.StatusError }

// over counts the end of a client's connection, once, and plans what follows.
func (w *Worker) over(st *conn, why error, by intent) {
	was := st.stage
	st.stage = stageOver
	if was == stageOver || w.ending {
		return
	}
	i := st.client
	c := &w.clients[i]
	if was == stageConnecting {
		w.unopened(st)
	}
	wait := w.d.Closed(i, st.no, time.Duration(w.now()), endOf(was, why))
	switch {
	case was < stageReady:
		w.failed(i, c, was, why, wait)
	case c.state != ready || st.no != c.current: // replaced
		w.rec.counts(c.group).Ended++
	default:
		w.lost(i, c, why, by, wait)
	}
}

// endOf tells the dialect how a connection ended.
func endOf(was stage, why error) dialect.End {
	end := dialect.End{Greeted: was == stageReady, Nobody: was == stageConnecting && errors.Is(why, unix.ECONNREFUSED)}
	var closed *plan.CloseError
	var no *refusedUpgrade
	switch {
	case errors.As(why, &closed):
		end.Code, end.Reason = closed.Code, closed.Reason
	case errors.As(why, &no):
		end.Status, end.RetryAfter = no.Status, no.after
	}
	return end
}

// failed counts a dial that came to nothing.
func (w *Worker) failed(i uint32, c *client, was stage, why error, wait time.Duration) {
	w.rec.counts(c.group).Failed++
	w.rec.failure([...]string{stageConnecting: plan.StageDial, stageUpgrading: plan.StageUpgrade, stageGreeting: plan.StageGreeting}[was], why)
	w.through(c)
	c.tries = min(c.tries+1, 254)
	if c.state == ready { // a replacement; the old one is still good
		if wait >= 0 && w.s.Reconnect.Policy == scenario.PolicyDialect {
			c.flags |= replacing
			w.dialAt(i, w.now()+int64(wait))
		}
		return
	}
	w.comeBack(i, c, wait)
}

// through ends the handshake of a client.
func (w *Worker) through(c *client) {
	c.flags &^= underway
	if w.dials.inflight == w.window {
		w.dials.freed = w.now()
	}
	w.dials.inflight--
	w.level.dialing.Add(-1)
	if c.flags&ramping != 0 {
		c.flags &^= ramping
		w.level.dialed.Add(1)
	}
}

// lost counts the end of a ready connection.
func (w *Worker) lost(i uint32, c *client, why error, by intent, wait time.Duration) {
	now := w.now()
	w.advance(now) // what is due was due to it
	w.subscribe(i, c, false)
	c.state, c.conn, c.lost = idle, 0, now
	w.level.connected.Add(-1)
	n := w.rec.counts(c.group)
	storm := w.phase != nil && w.phase.started && w.phase.spec.Storm != nil
	switch {
	case by != byServer:
		n.Ended++
	case c.flags&silenced != 0 || !w.groups.list[c.group].AnswerPing || w.reads(c) != scenario.ReadDrain:
		n.Cut++
		if c.flags&silenced != 0 {
			w.rec.hist(histSilence, c.lost-w.phase.begin)
		}
	case storm && w.phase.spec.Storm.How == scenario.CloseServer:
		n.Ended++
		by = byStorm
	default:
		n.Lost++
		w.rec.failure(plan.StageOpen, why)
	}
	if by == byStorm && c.flags&stormed == 0 {
		c.flags |= stormed
		w.level.cut.Add(1)
	}
	switch by {
	case byDrain:
		w.partAccounts(i, by, false)
		return
	case byChurn:
		w.d.Forget(i)
		c.flags &^= before
		w.partAccounts(i, by, true)
		w.dialAt(i, c.lost)
		w.setAway(c)
		return
	}
	w.comeBack(i, c, wait)
	w.partAccounts(i, by, c.state != idle)
	c.flags &^= silenced // one that comes back speaks
}

// comeBack plans the next dial of a client that has no connection.
func (w *Worker) comeBack(i uint32, c *client, wait time.Duration) {
	switch {
	case c.flags&underway != 0: // that which was to replace this one
		c.state = dialing
		return
	case c.flags&queued != 0:
		w.setAway(c)
		return
	}
	r := &w.s.Reconnect
	if r.Policy != scenario.PolicyDialect {
		wait = plan.Backoff(string(r.Policy), r.Base, r.Cap, int(c.tries), w.rng)
	}
	if wait < 0 || w.global(i) >= w.wanted {
		w.setState(c, idle)
		return
	}
	w.setAway(c)
	w.dialAt(i, w.now()+int64(wait))
}

func (w *Worker) setAway(c *client) { w.setState(c, away) }

// setState keeps the number of those that are away.
func (w *Worker) setState(c *client, s clientState) {
	if c.state == away {
		w.level.away.Add(-1)
	}
	if s == away {
		w.level.away.Add(1)
	}
	c.state = s
}

// closeComingBack is the code of a close frame of a client that means to come
// back. 4000 and on are for applications (RFC 6455, 7.4.2); roost knows this one.
const closeComingBack ws.StatusCode = 4000

// sayClose sends a close frame.
func (w *Worker) sayClose(pc poller.Conn, comingBack bool) {
	code := ws.StatusCode(1000)
	if comingBack {
		code = closeComingBack
	}
	w.write(pc, ws.AppendMaskedClose(w.out[:0], w.mask(), code, ""), poller.Control)
}

// end ends the connection of a client as planned.
func (w *Worker) end(i uint32, how scenario.Close, by intent) {
	c := &w.clients[i]
	if c.state != ready {
		return
	}
	pc := w.l.Conn(c.conn)
	st := w.conns.At(c.conn.Slot())
	pc.Resume() // or the peer's FIN would not be seen
	switch how {
	case scenario.CloseFrame:
		w.sayClose(pc, by == byStorm)
		pc.Finish(errPlanned)
	case scenario.CloseFIN:
		pc.Finish(errPlanned)
	default:
		pc.Reset(errPlanned)
	}
	w.over(st, errPlanned, by)
}
