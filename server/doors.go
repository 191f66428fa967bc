package server

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/presence"
	"roost/server/session"
	"roost/server/wire"
	"roost/server/ws"
)

// A device that connects to a node of a cluster is opened in the store that all nodes
// share, which may take a round trip, or never answer. So it is opened at a door, by a
// goroutine that may wait, and not on the loop:
//
//	loop    request whole, in order: kindOpening, nothing is read, the upgrade's deadline stays
//	door    claimed and opened (one script), or alone where the store is away
//	loop    registered, 101 and welcome; or refused; or, where the connection has gone
//	        meanwhile, given back
//
// The answer to an upgrade (101) is made when the request is there, since the request's
// bytes do not outlive the read that brought them.

const (
	// doorCount is how many devices are opened at once. A round trip of 1 ms would let
	// 64,000 through in a second, one of 20 ms 3,200.
	doorCount = 64
	// doorQueue is how many wait before a door. Further ones are told to try again.
	doorQueue = 4096
	// openWithin is how long a door waits for presence, before it asks the store.
	openWithin = 2 * time.Second
	// restFor is how long devices are opened alone without a question, after the store has
	// not answered one: until the keeper's beat has found out.
	restFor = time.Second
)

// Why an opening has no session that was not asked for at the store.
var (
	errGone    = errors.New("server: the connection has ended before its device was opened")
	errLeaving = errors.New("server: the node began to go down before the device was opened")
)

var errDoors = &ws.HandshakeError{Status: 503, Text: "as many devices are connecting as may: try again", RetryAfter: 2}

// opening is a device that connects.
type opening struct {
	// Set by the loop.
	h       *handler
	conn    poller.Handle
	q       connectQuery // its bytes are copies
	format  wire.Format
	variant uint8
	accept  []byte      // the 101 answer
	browser bool        // a refusal has to be told by a close code
	whole   bool        // nothing came behind the request
	gone    atomic.Bool // nobody waits for it any more

	// Set by the door.
	opened  inbox.Opened
	claimed presence.Claimed
	alone   bool
	err     error // why there is no session; nothing is to be given back then
}

// doors are where openings wait, and those whose loop has not taken them back.
type doors struct {
	// Static after init.
	queue chan *opening

	rest atomic.Int64 // Unix ns until which the store is not asked

	mu     sync.Mutex // covers the following
	posted map[*opening]struct{}
}

func (d *doors) init() {
	d.queue = make(chan *opening, doorQueue)
	d.posted = map[*opening]struct{}{}
}

// put adds an opening; it reports false when too many wait.
func (d *doors) put(o *opening) bool {
	select {
	case d.queue <- o:
		return true
	default:
		return false
	}
}

// close ends the doors. There are no loops any more that could put something in.
func (d *doors) close() { close(d.queue) }

// resting reports whether the store is not asked for the moment.
func (d *doors) resting(now time.Time) bool { return now.UnixNano() <= d.rest.Load() }

// failed notes that the store has not answered; it reports whether that is news.
func (d *doors) failed(now time.Time) bool {
	return d.rest.Swap(now.Add(restFor).UnixNano()) < now.UnixNano()
}

// took notes that the loop has an opening again.
func (d *doors) took(o *opening) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.posted, o)
}

// giveBack gives back all that loops have not taken, when there are none any more.
func (d *doors) giveBack(k *clustered) {
	d.mu.Lock()
	left := d.posted
	d.posted = map[*opening]struct{}{}
	d.mu.Unlock()
	for o := range left {
		k.giveBack(o, presence.Shutdown)
	}
}

// runDoor opens devices until the doors are closed.
func (k *clustered) runDoor() {
	for o := range k.doors.queue {
		if k.s.closing.Load() {
			continue // nothing was asked of anybody
		}
		if o.gone.Load() {
			// Its client is elsewhere by now, perhaps without a sid yet: the session of one that it has
			// given up would end its new one, as another client's, for good.
			o.err = errGone
		} else if k.s.draining.Load() {
			o.err = errLeaving // its session at another node, if it has one, goes on
		} else {
			k.open(o)
		}
		k.doors.mu.Lock()
		k.doors.posted[o] = struct{}{}
		k.doors.mu.Unlock()
		back := poller.TaskFunc(func(l *poller.Loop) { o.h.opened(l.Conn(o.conn), o) })
		for !o.h.l.Post(back) && !k.s.closing.Load() {
			time.Sleep(time.Millisecond) // its loop has 65,536 tasks to do first
		}
	}
}

// open claims and opens a device.
func (k *clustered) open(o *opening) {
	hello := &o.q.hello
	sid := k.sessionID(hello)
	ctx, cancel := context.WithTimeout(context.Background(), openWithin)
	defer cancel()
	a, err := k.keeper.Begin(ctx, string(hello.ID), sid)
	if err != nil {
		o.err = session.ErrID
		return
	}
	if a.Reachable() && !k.doors.resting(time.Now()) {
		done, err := k.openAs(o, a, sid)
		if done {
			o.err = err
			return
		}
		if now := time.Now(); k.doors.failed(now) {
			k.s.opt.Log.Warn("devices that connect are served without the store", "for", restFor, "err", err)
		}
	}
	o.claimed, o.alone = a.Provisional(), true
	if o.claimed.Late {
		o.err = delivery.ErrLate
		return
	}
	if o.opened, o.err = k.store.OpenAlone(hello.ID, hello.Resume, o.claimed.Fence); o.err != nil {
		k.keeper.Release(string(hello.ID), o.claimed.Fence, presence.Hangup)
		if errors.Is(o.err, inbox.ErrOvertaken) {
			o.err = delivery.ErrLate
		}
	}
}

// openAs opens a device in the store. done is false where the store does not answer: then
// the arrival is not ended.
func (k *clustered) openAs(o *opening, a *presence.Arrival, sid uint64) (done bool, err error) {
	hello := &o.q.hello
	opened, claim, err := k.store.OpenAs(hello.ID, hello.Resume, sid, a.Now)
	if errors.Is(err, inbox.ErrDevices) {
		a.Abandon()
		return true, err
	}
	if err != nil {
		return false, err
	}
	c, err := presence.DecodeClaim(claim)
	if err != nil {
		k.store.Leave(opened.Ref, opened.Fence)
		a.Abandon()
		k.s.opt.Log.Error("presence: a claim cannot be read", "device", string(hello.ID), "err", err)
		return true, err
	}
	o.opened, o.claimed = opened, a.Adopt(c)
	if o.claimed.Late {
		k.store.Leave(opened.Ref, opened.Fence)
		return true, delivery.ErrLate
	}
	return true, nil
}

// sessionID is the id that the session will have, by the rules of Registry.Register, and
// sets hello so that it gets it.
func (k *clustered) sessionID(hello *delivery.Hello) uint64 {
	if ref := k.store.Find(hello.ID); ref != 0 {
		if sid, connected := k.s.registry.Session(uint32(ref)); connected && sid != hello.SID {
			hello.SID = 0
		}
	}
	if hello.SID == 0 {
		return hello.Fresh
	}
	return hello.SID
}

// giveBack ends a session that has no connection.
func (k *clustered) giveBack(o *opening, why presence.Reason) {
	if o.err == nil {
		k.release(string(o.q.hello.ID), o.opened.Ref, o.opened.Fence, why)
	}
}

// knock has a device opened: from here on its connection waits for a door.
func (h *handler) knock(c poller.Conn, st *connState, f wire.Format, protocol string, q *connectQuery) *ws.HandshakeError {
	o := &opening{h: h, conn: c.Handle(), q: *q, format: f, browser: len(h.req.Origin) > 0, whole: h.whole && !h.req.HasBody()}
	o.q.hello.ID = bytes.Clone(q.hello.ID)
	o.q.hello.Resume.Epoch = bytes.Clone(q.hello.Resume.Epoch)
	o.q.hello.Conn, o.q.hello.Fresh = delivery.Conn(o.conn), h.sids.Uint64()|1
	var agreed ws.Deflate
	o.accept, agreed = h.appendAccept(nil, protocol)
	o.variant = variantOf(f, agreed)
	if !h.s.cluster.doors.put(o) {
		h.s.cluster.mesh.CountConnect(q.hello.ID, false)
		return errDoors
	}
	h.become(st, kindOpening)
	h.openings[o.conn] = o
	h.s.opening.Add(1)
	c.Pause()
	return nil
}

// opened takes a device back from its door.
func (h *handler) opened(c poller.Conn, o *opening) {
	k := h.s.cluster
	k.doors.took(o)
	h.abandon(o.conn)
	h.s.opening.Add(-1)
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindOpening {
		k.giveBack(o, presence.Hangup)
		return
	}
	refusal := h.enterOpened(c, st, o)
	// One that comes because it could not reach the node that the ring says is what a trial
	// is there to find.
	k.mesh.CountConnect(o.q.hello.ID, !o.q.failed && (refusal == nil || refusal.Status < 500))
	if refusal != nil {
		h.refuseOpening(c, st, o, refusal)
		return
	}
	if st.kind == kindDevice && !st.is(flagPaused) {
		c.Resume()
	}
}

// abandon has the door not open the device of a connection that waits for it no more.
func (h *handler) abandon(name poller.Handle) {
	if o := h.openings[name]; o != nil {
		o.gone.Store(true)
		delete(h.openings, name)
	}
}

// enterOpened makes the connection its device's, or says why not. A device that was claimed is served, also where the
// node is going down since: its claim has ended its session at the node that it comes from, so a refusal would leave it
// without a connection. It is told where to go next (sendOn).
func (h *handler) enterOpened(c poller.Conn, st *connState, o *opening) *ws.HandshakeError {
	k, got := h.s.cluster, &h.session
	err := o.err
	if err == nil {
		h.s.entered.Add(1)
		if *got, err = h.s.enter(&o.q.hello, &o.opened); err != nil {
			h.s.left.Add(1)
			k.giveBack(o, presence.Hangup)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, delivery.ErrLate):
		return errOvertaken
	case errors.Is(err, errLeaving):
		return errDraining
	default:
		return connectRefusal(err)
	}
	if o.alone {
		st.set(flagAlone, true)
		k.alone.Add(1)
	}
	h.out = append(h.out[:0], o.accept...)
	h.upgraded(st, kindDevice, o.variant)
	if h.serve(c, st, &o.q, got, k.ring(o.q.hello.ID)) {
		k.arrived(h, c, st, o)
	}
	return nil
}

// arrived does what follows a welcome: the node that had the device is told that it is
// here, and a device that belongs elsewhere is told so.
func (k *clustered) arrived(h *handler, c poller.Conn, st *connState, o *opening) {
	p := &o.claimed.Previous
	if p.Hold == presence.Held && p.Owner.Node != k.s.opt.Node {
		// Its store sees a fence above that of its session, and ends that (overtaken.go).
		k.tell(p.Owner.Node, &inbox.Notice{Device: o.q.hello.ID, Epoch: []byte(o.opened.Epoch.String()),
			Fence: o.opened.Fence, Seq: o.opened.Last})
		if p.SID != h.session.SID {
			k.s.entrance.overtook(o.q.hello.ID)
		}
	}
	if k.s.draining.Load() {
		h.sendOn(c, st)
		return
	}
	k.redirect(h, c, st, &o.q)
}

// refuseOpening says no to a device whose request was in order.
func (h *handler) refuseOpening(c poller.Conn, st *connState, o *opening, e *ws.HandshakeError) {
	h.n.refused.Add(1)
	h.frames = 1
	switch {
	case o.browser:
		code := refusalCode(e.Status)
		h.out = h.appendSlot(append(h.out[:0], o.accept...), o.format, code, e.RetryAfter)
		h.out = ws.AppendClose(h.out, code, e.Text)
		st.code = uint16(code)
		h.over(c, st, e)
	case o.whole:
		h.out = e.AppendResponse(h.out[:0])
		h.endAtOnce(c, st, e)
	default:
		h.out = e.AppendResponse(h.out[:0])
		h.over(c, st, e)
	}
}
