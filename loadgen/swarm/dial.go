package swarm

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
	"roost/server/ws"
)

// dials are what is to be dialed: the ramp, and clients that come back or anew.
type dials struct {
	ramp     *plan.Arrivals // nil: none
	begin    int64          // of the ramp's phase
	end      int64          // what is due at it or later is not planned
	from     uint32         // client of the ramp's first due time, among those of all workers
	next     uint32         // of its next, counted on from there
	goal     uint32         // behind its last
	queue    timedHeap      // by client; those have flag queued
	inflight int            // handshakes under way
	freed    int64          // when there was a place for a further one again
}

// dialBudget is how many dials are made in one turn: one takes 30 us.
const dialBudget = 64

// dialAt plans a dial, if none is planned for the client.
func (w *Worker) dialAt(i uint32, at int64) {
	c := &w.clients[i]
	if c.flags&queued != 0 {
		return
	}
	c.flags |= queued
	w.dials.queue.push(timed{at, uint64(i)})
	w.pace.wake(at)
}

// pump dials what is due, as far as the window lets.
func (w *Worker) pump(now int64) {
	d := &w.dials
	for range dialBudget {
		if d.inflight >= w.window {
			return
		}
		queueAt, waiting := d.queue.peek()
		rampAt, planned := w.rampDue()
		switch {
		case waiting && queueAt <= now && (!planned || queueAt <= rampAt):
			i := uint32(d.queue.pop().key)
			c := &w.clients[i]
			c.flags &^= queued
			if c.flags&underway == 0 && (c.state == away || c.state == ready && c.flags&replacing != 0) {
				w.dial(i, queueAt)
			}
		case planned && rampAt <= now:
			w.rampNext(rampAt)
		default:
			return
		}
	}
}

// rampDue returns when the next dial of ours in the ramp is due, and passes over
// those before it: a turn for each dial of sixty workers is 120,000 turns a second
// on one machine.
func (w *Worker) rampDue() (at int64, ok bool) {
	d := &w.dials
	if d.ramp == nil {
		return 0, false
	}
	for ; d.next < d.goal; d.next++ {
		if _, own := w.local(w.rampClient(d.next)); own {
			break
		}
		d.ramp.Next()
	}
	if d.next >= d.goal {
		return 0, false
	}
	due, ok := d.ramp.Peek()
	at = d.begin + int64(due)
	return at, ok && at < d.end
}

// rampClient returns the client of the ramp's due time n. It is n itself, unless
// each worker has several in a row: as far as there are so many for each.
func (w *Worker) rampClient(n uint32) uint32 {
	workers, inARow := uint32(w.cfg.Workers), uint32(max(w.cfg.InARow, 1))
	if inARow == 1 {
		return n
	}
	round := workers * inARow
	first := w.dials.from + (n-w.dials.from)/round*round
	if w.dials.goal-first < round {
		return n
	}
	r := n - first
	return first + r%inARow*workers + r/inARow
}

// rampNext dials the client that rampDue has found, if it has no connection.
func (w *Worker) rampNext(at int64) {
	d := &w.dials
	d.ramp.Next()
	i, _ := w.local(w.rampClient(d.next))
	d.next++
	c := &w.clients[i]
	if c.state != idle {
		w.level.dialed.Add(1)
		return
	}
	c.flags |= ramping
	w.dial(i, at)
}

// leastStamped is how many clients of each worker are stamped whatever the
// share: without any nobody knows how late it reads.
const leastStamped = 10

// dial starts a connection of a client.
func (w *Worker) dial(i uint32, planned int64) {
	c, now := &w.clients[i], w.now()
	if c.no++; c.no == 0 {
		c.no = 1
	}
	c.flags = c.flags&^replacing | underway
	if c.state != ready {
		w.setState(c, dialing)
	}
	w.dials.inflight++
	w.level.dialing.Add(1)
	n := w.rec.counts(c.group)
	n.Dials++
	if c.flags&before != 0 {
		n.Redials++
	}
	if c.flags&stormed != 0 {
		n.StormRedials++
	}
	w.rec.hist(histDialLag, now-max(planned, w.dials.freed))
	global := w.global(i)
	t := &w.targets.urls[int(global)%len(w.targets.urls)]
	o := poller.DialOptions{Remote: t.addr, PortRange: w.targets.ports, RcvBuf: w.s.Clients.RcvBuf,
		Stamps: w.rec.stamped > 0 && (i < leastStamped || plan.Chosen(global, w.rec.stamped, w.rec.stampSeed))}
	if buf := w.groups.list[c.group].RcvBuf; buf > 0 {
		o.RcvBuf = buf
	} else if read := &w.groups.list[c.group].Read; read.Mode == scenario.ReadRate && o.RcvBuf == 0 {
		o.RcvBuf = rateBuffer(read.Rate)
	}
	if a := w.targets.pool.At(int(global)); a.IsValid() {
		o.Local = netip.AddrPortFrom(a, 0)
	}
	pc, err := w.l.DialWith(o)
	st := conn{at: planned, client: i, no: c.no}
	if err != nil {
		w.over(&st, err, byServer)
		return
	}
	*w.conns.At(pc.Slot()) = st
	pc.SetDeadline(w.s.Clients.Timeout)
}

// holdDials counts what a phase that is over was to dial and has not begun, where
// the server has left no place in the window. With a place it was the generator.
func (w *Worker) holdDials() {
	d := &w.dials
	if d.inflight < w.window {
		return
	}
	for _, ok := w.rampDue(); ok; _, ok = w.rampDue() {
		d.ramp.Next()
		if i, _ := w.local(w.rampClient(d.next)); w.clients[i].state == idle {
			w.rec.counts(w.clients[i].group).HeldDials++
		}
		d.next++
	}
	for i := range w.clients {
		if c := &w.clients[i]; c.state == away && c.flags&(queued|before) == queued && c.tries == 0 { // churn's
			w.rec.counts(c.group).HeldDials++
		}
	}
}

// unopened tells the dialect of a connection that has failed before its request
// was sent.
func (w *Worker) unopened(st *conn) {
	var r ws.ClientRequest
	w.d.Request(st.client, st.no, time.Duration(w.now()), &r)
}

// nonce is the random part of a connection's key (RFC 6455, 4.1). It is made
// anew when the answer is checked, instead of kept.
func (w *Worker) nonce(st *conn) (n [16]byte) {
	g := rand.NewPCG(w.s.Seed^uint64(w.cfg.Run), uint64(w.global(st.client))<<8|uint64(st.no))
	for i := 0; i < len(n); i += 8 {
		v := g.Uint64()
		for k := range 8 {
			n[i+k] = byte(v >> (8 * k))
		}
	}
	return n
}

// upgrade sends the opening handshake.
func (w *Worker) upgrade(pc poller.Conn, st *conn) {
	var key [24]byte
	i := st.client
	r := &w.request
	*r = ws.ClientRequest{Host: w.targets.urls[int(w.global(i))%len(w.targets.urls)].host, Key: ws.AppendKey(key[:0], w.nonce(st))}
	w.d.Request(i, st.no, time.Duration(w.now()), r)
	st.stage = stageUpgrading
	out, err := ws.AppendRequest(w.out[:0], r)
	if err != nil {
		w.abandon(pc, st, err)
		return
	}
	w.write(pc, out, poller.Reliable)
}

// answered takes the answer to the handshake and returns how many bytes it was,
// 0 while it is not whole.
func (w *Worker) answered(pc poller.Conn, st *conn, b []byte) int {
	var key [24]byte
	w.request.Key = ws.AppendKey(key[:0], w.nonce(st)) // the protocols offered are the same for all
	n, err := ws.ParseResponse(b, &w.request, &w.response)
	switch {
	case errors.Is(err, ws.ErrShort):
		return 0
	case errors.Is(err, ws.ErrRefused):
		seconds, _ := strconv.ParseUint(string(w.response.Get("retry-after")), 10, 31) // 0 for a date
		err = &refusedUpgrade{plan.StatusError{Status: w.response.Status}, time.Duration(seconds) * time.Second}
	}
	if err != nil {
		w.abandon(pc, st, err)
		return len(b)
	}
	st.stage = stageGreeting
	w.rec.counts(w.clients[st.client].group).Established++
	w.rec.hist(histConnect, w.now()-st.at)
	w.d.Opened(st.client, st.no, time.Duration(w.now()), w.sinkOf(pc, st))
	return n
}

// ready makes a greeted connection the client's.
func (w *Worker) ready(pc poller.Conn, st *conn, resumed bool) {
	c, now := &w.clients[st.client], w.now()
	n := w.rec.counts(c.group)
	w.rec.hist(histGreeting, now-st.at)
	st.stage, st.at = stageReady, 0
	pc.SetDeadline(0)
	n.Ready++
	w.through(c)
	if c.flags&before != 0 {
		n.Restored++
		if resumed {
			n.Resumed++
		}
	}
	if c.state == ready {
		w.replace(c.conn)
		c.conn, c.current, c.tries = pc.Handle(), st.no, 0
		w.arm(pc, st)
		return
	}
	if c.flags&before != 0 {
		w.rec.hist(histRestore, now-c.lost)
		if c.flags&stormed != 0 && w.phase != nil {
			c.flags &^= stormed
			w.level.restored.Add(1)
			if resumed {
				n.StormResumed++
			}
			w.rec.hist(histRestoreAt, now-w.phase.begin)
		}
	}
	w.setState(c, ready)
	c.flags |= before
	c.conn, c.current, c.tries = pc.Handle(), st.no, 0
	w.level.connected.Add(1)
	w.advance(now)
	w.subscribe(st.client, c, true)
	w.openAccounts(st.client)
	if w.global(st.client) >= w.wanted { // drained meanwhile
		w.end(st.client, scenario.CloseRST, byDrain)
		return
	}
	if w.reads(c) == scenario.ReadNever {
		pc.Pause()
	}
	w.arm(pc, st)
}

// replace gives the server time to end a connection that was replaced.
func (w *Worker) replace(old poller.Handle) {
	pc := w.l.Conn(old)
	if st := w.conns.At(old.Slot()); pc.Alive() {
		st.replaced = true
		pc.SetDeadline(replaceTime)
	}
}
