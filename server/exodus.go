package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/ring"
	"roost/server/cluster"
	"roost/server/wire"
	"roost/server/ws"
)

// roundKind says what a round is for.
type roundKind uint8

const (
	moving     roundKind = iota // by another ring
	emptying                    // the node is being emptied
	comingBack                  // sessions without a store come back for one with it
	shedding                    // the node is cut off
	again                       // those that were told where they belong and have not gone
	roundKinds
)

// roundNames are as logs and metrics have them.
var roundNames = [...]string{moving: "moving", emptying: "emptying", comingBack: "coming_back", shedding: "shedding", again: "again"}

// round is one walk over all devices of the node: who has to go is told when, and, where it must go, closed if
// it has not gone.
//
//	begin -> on each loop: telling, in slots -> the last slot and lateAfter have passed:
//	closing those that were here when it began (force) -> done
//
// A round that is not the current one any more ends at its next step.
type round struct {
	// Static after begin.
	kind         roundKind
	code         ws.StatusCode
	over         time.Duration   // emptying, shedding: evenly over that time; 0: as fast as nodes take them
	force        bool            // those that have not gone are closed
	ring, before *cluster.Active // moving: by that ring, and what the devices were told by last
	only         map[string]bool // moving: to these nodes
	current      *atomic.Pointer[round]
	began        time.Time

	loops atomic.Int32 // under way
	told  atomic.Int64
	done  atomic.Bool
}

// tellBefore is how long before its slot a device is told at the latest: it has to be
// there in time, and one that was told goes, also when the round is called off.
const tellBefore = 5 * time.Second

// begin begins a round in the place of the one before.
func (k *clustered) begin(current *atomic.Pointer[round], r *round) {
	r.current, r.began = current, time.Now()
	r.loops.Store(int32(len(k.s.handlers)))
	current.Store(r)
	for _, h := range k.s.handlers {
		if !h.l.Post(poller.TaskFunc(func(*poller.Loop) { k.beginOn(h, r) })) {
			k.finish(r)
		}
	}
}

// beginOn lists the devices of one loop.
func (k *clustered) beginOn(h *handler, r *round) {
	e := &exodus{k: k, h: h, r: r, todo: make([]poller.Handle, 0, h.l.Conns())}
	h.l.Each(func(c poller.Conn) bool {
		st := h.conns.At(c.Slot())
		if st.kind == kindDevice && r.concerns(st) {
			e.todo = append(e.todo, c.Handle())
		}
		return true
	})
	e.all = len(e.todo)
	e.Run(h.l)
}

// concerns reports whether a device may be one of the round.
func (r *round) concerns(st *connState) bool {
	switch r.kind {
	case comingBack:
		return st.is(flagAlone)
	case again:
		return st.is(flagAstray)
	}
	return true
}

// finish ends a round on one loop; the last one ends it.
func (k *clustered) finish(r *round) {
	if r.loops.Add(-1) > 0 {
		return
	}
	level := slog.LevelInfo
	if r.kind == again && r.told.Load() == 0 {
		level = slog.LevelDebug // a look
	}
	k.s.opt.Log.Log(context.Background(), level, "devices have been sent elsewhere", "why", roundNames[r.kind], "told", r.told.Load(),
		"called off", r.current.Load() != r, "took", time.Since(r.began).Round(time.Millisecond))
	r.done.Store(true)
	if r.kind != moving { // that one's ring is noted first
		r.current.CompareAndSwap(r, nil)
	}
	k.moves.signal()
}

// together is how much longer than it has to a round waits, so that a loop is not woken for
// each device.
const together = 20 * time.Millisecond

// exodus is a round on one loop.
type exodus struct {
	k *clustered
	h *handler
	r *round

	todo    []poller.Handle
	all     int       // of them at the begin
	at      time.Time // slot of the first of todo, if it has one
	url     string    // and where it goes
	last    time.Time // the last slot that was given
	told    []poller.Handle
	closing bool // the second part
}

// Run tells a slice of devices, and comes back when the next one has to be told.
func (e *exodus) Run(l *poller.Loop) {
	for n := 0; ; n++ {
		switch {
		case e.r.current.Load() != e.r || e.k.s.closing.Load():
			e.k.finish(e.r)
			return
		case len(e.todo) == 0:
			e.end(l)
			return
		case n == walkSlice:
			e.again(l, 0)
			return
		}
		if wait := e.step(l.Conn(e.todo[0])); wait > 0 {
			e.again(l, wait)
			return
		}
		e.todo, e.at = e.todo[1:], time.Time{}
	}
}

// again comes back after wait.
func (e *exodus) again(l *poller.Loop, wait time.Duration) {
	post := func() {
		if !l.Post(e) {
			e.k.finish(e.r) // the loop is full of tasks, or over; the next round sees to the rest
		}
	}
	if wait > 0 {
		time.AfterFunc(wait, post)
		return
	}
	post()
}

// step deals with one device; it returns how long it is too early for that.
func (e *exodus) step(c poller.Conn) time.Duration {
	st := e.h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		return 0
	}
	now := time.Now()
	switch {
	case e.closing:
		if e.at.IsZero() {
			e.at = e.k.moves.pace.slot("", now, acceptRate)
		}
		if wait := e.at.Sub(now); wait > 0 {
			return wait + together
		}
		e.h.closeFor(c, st, e.r)
	case e.r.kind == shedding:
		if wait := e.even().Sub(now); wait > 0 {
			return wait + together
		}
		e.count()
		e.h.closeFor(c, st, e.r)
	default:
		return e.tell(c, st, now)
	}
	return 0
}

// tell sends a device away once its slot is near.
func (e *exodus) tell(c poller.Conn, st *connState, now time.Time) time.Duration {
	if e.at.IsZero() {
		e.h.id = e.k.store.Name(e.h.id[:0], st.peer.Ref)
		place, goes := e.k.elsewhere(e.r, e.h.id)
		if !goes && place.Mine {
			e.k.stray(st, false)
		}
		if !goes || e.r.kind == again && !e.k.due(st, place.Node, now) {
			return 0
		}
		if (e.r.kind == moving || e.r.kind == again) && st.told() >= mostTold {
			e.k.moves.deaf.Add(1)
			e.k.stray(st, false)
			return 0
		}
		if e.r.kind == comingBack {
			self := e.k.s.opt.Node
			e.at, e.url = e.k.moves.pace.slot(self, e.even(), e.k.budget(self)), ""
		} else {
			e.at = e.k.moves.pace.slot(place.Node, e.even(), e.k.rate(place.Node))
			e.url = urlWithHop(place.URL, 1)
		}
	}
	if wait := e.at.Sub(now) - tellBefore; wait > 0 {
		return wait + together
	}
	e.h.away(c, st, e.r.code, max(0, e.at.Sub(now)), e.url)
	st.tell()
	if e.r.kind == comingBack {
		e.h.id = e.k.store.Name(e.h.id[:0], st.peer.Ref)
		e.k.s.entrance.expect(e.h.id)
	}
	if e.r.kind == moving || e.r.kind == again {
		e.k.stray(st, true)
	}
	e.count()
	if e.last = e.at; e.r.force {
		e.told = append(e.told, c.Handle())
	}
	return 0
}

// count counts a device that was told, or closed where nobody is told.
func (e *exodus) count() {
	e.r.told.Add(1)
	e.k.moves.told[e.r.kind].Add(1)
}

// even is the time at which the first of todo is due where all go evenly over a time.
func (e *exodus) even() time.Time {
	if e.r.over == 0 {
		return e.r.began
	}
	return e.r.began.Add(e.r.over * time.Duration(e.all-len(e.todo)) / time.Duration(e.all))
}

// end begins the second part, or ends the round on this loop.
func (e *exodus) end(l *poller.Loop) {
	if e.closing || !e.r.force || len(e.told) == 0 {
		e.k.finish(e.r)
		return
	}
	e.closing, e.todo, e.told = true, e.told, nil
	e.again(l, time.Until(e.last.Add(e.k.s.opt.timing.late)))
}

// closeFor closes a device that has to go.
func (h *handler) closeFor(c poller.Conn, st *connState, r *round) {
	h.out, h.frames = h.out[:0], 0
	text := "you were told to connect elsewhere"
	if r.kind == shedding {
		text = "this node is cut off from its store"
	}
	h.close(c, st, r.code, text)
}

// appendAway appends the message that sends a device away.
func (h *handler) appendAway(dst []byte, st *connState, code ws.StatusCode, in time.Duration, url string) []byte {
	f, _ := splitVariant(st.variant)
	return wire.AppendAway(dst, f, uint16(code), int(in/time.Millisecond), url)
}

// newlyOwned reports whether a device of this node has to be told about a ring: its owner is another node, and
// by what it was told last it was this node, or another version's.
func newlyOwned(before, now *cluster.Active, self string, device []byte) bool {
	hash := ring.HashBytes(device)
	owner, version := ownerOf(now, hash)
	was, told := ownerOf(before, hash)
	return owner != self && (was == self || version != told)
}

// ownerOf returns the id of a key's owner, and the version of the ring that says so.
func ownerOf(a *cluster.Active, hash uint64) (id string, version uint64) {
	r, i := a.Routes.Owner(hash)
	if n := r.Node(i); n != nil {
		id = n.ID
	}
	if r != a.Routes.Stable() {
		return id, a.Pointer.Canary
	}
	return id, a.Pointer.Stable
}
