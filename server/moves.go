package server

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/ring"
	"roost/server/cluster"
	"roost/server/mesh"
	"roost/server/ws"
)

// Who should be elsewhere, and when they are told.
//
//	at connect     the device's owner is another node: away, in the owner's next free slot (redirect)
//	ring changed   those whose owner is another node by the new ring, once for each version
//	node is back   those whose owner it is, by the same ring
//	again          those that were told so, may stay and have not gone (again.go)
//	emptied        all (Evacuate), until StayHere, as soon as a ring without this node is in force
//	store is back  those whose session began without it, or whose stream it has lost: they come back for another
//	cut off        all, with 4101 (shed.go)
//
// Each but the first is a round: an exodus on every loop (exodus.go), which tells devices not
// long before their slots, so that a round that is called off has not sent away more than those of the next
// seconds. There is one round of moving or emptying, the newest, and one of coming back beside it. One that another has
// taken the place of before it was done is begun anew when that is over.

const (
	// mostHops is how often in a row a device is sent on at once: rings of nodes may differ for a moment,
	// and must not make it go round in circles. Who has come that far is told again with those that could not go (again.go).
	mostHops = 3
	// longestSlot is how far ahead a slot at connect may lie. Where more are before it, the device
	// stays, and is told when there are fewer (again.go).
	longestSlot = 10 * time.Minute
	// lateAfter is how long after its slot a device that must go is closed.
	lateAfter = 10 * time.Second
	// withoutWithin is how long a node that is to be emptied waits for a ring without it: the planner makes one as soon as
	// it hears of the order, within a second. Who is told before, by the ring that is, may be told again by that.
	withoutWithin = 3 * time.Second
	// mostTold is how often one connection is told by rounds to go where its device does not go. From then on it is left
	// alone where it may stay: its client does not know "away", or cannot reach the owner.
	mostTold = toldMost
)

// moves is what the goroutine of runMoves knows of who should be elsewhere.
type moves struct {
	// Static after init.
	wake chan struct{}

	// Shared.
	pace   pacer
	drain  atomic.Pointer[drainWish]
	round  atomic.Pointer[round] // moving or emptying; nil: none
	homing atomic.Pointer[round] // of those that come back for the store
	recall atomic.Bool           // those are told at once, whoever was told already

	redirected atomic.Uint64             // told at connect
	astray     atomic.Int64              // devices here that know where they belong, and may stay
	deaf       atomic.Uint64             // not told any more: they were mostTold times, and have not gone
	told       [roundKinds]atomic.Uint64 // told in rounds

	// Owned by runMoves.
	served   *drainWish      // the wish that a round was begun for
	emptied  *cluster.Active // by which ring the last round of emptying was begun; nil: it was called off
	settled  *cluster.Active // for which all have been told
	alive    map[string]bool // members that were there when it was looked last
	cutSince time.Time
	home     backoff
	again    backoff
	up       bool // the store took what it was given, when it was looked last
	wasDown  bool // it was said that it did not
}

// drainWish is an operator's wish that the node be emptied.
type drainWish struct {
	over  time.Duration
	began time.Time
	begun atomic.Bool // the first round; until then nobody is told
}

func (m *moves) init() { m.wake = make(chan struct{}, 1) }

func (m *moves) emptying() bool { return m.drain.Load() != nil }

// waits reports whether the node is to be emptied and its devices are not told yet.
func (m *moves) waits() bool {
	wish := m.drain.Load()
	return wish != nil && !wish.begun.Load()
}

func (m *moves) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Evacuate empties the node: its devices are told, evenly over that time, to connect to the nodes that
// have them by the ring without this one, and those that do not go are closed with 4001
// afterwards. Devices that connect meanwhile are served and told the same. It lasts until StayHere. A
// node by itself does nothing.
func (s *Server) Evacuate(over time.Duration) {
	k := s.cluster
	if k == nil {
		return
	}
	if was := k.moves.drain.Load(); was != nil && was.over == over {
		return
	}
	k.moved.Store(0)
	k.moves.drain.Store(&drainWish{over: max(over, time.Second), began: time.Now()})
	k.moves.signal()
}

// StayHere takes Evacuate back. Devices that were told to go in the next seconds still
// do.
func (s *Server) StayHere() {
	if k := s.cluster; k != nil && k.moves.drain.Swap(nil) != nil {
		k.moves.signal()
	}
}

// Left returns how many devices are here, and how many have gone since Evacuate.
func (s *Server) Left() (left, moved int) {
	if s.cluster == nil {
		return s.registry.Len(), 0
	}
	return s.registry.Len(), int(s.cluster.moved.Load())
}

// runMoves looks who should be elsewhere, until the node ends.
func (k *clustered) runMoves() {
	t := time.NewTicker(k.s.opt.timing.tick)
	defer t.Stop()
	k.moves.settled = k.opt.Rings.Load()
	for {
		select {
		case <-k.s.stopTick:
			return
		case <-k.opt.Changed:
		case <-k.moves.wake:
			k.lookAtAlone(time.Now())
		case <-t.C:
			k.lookAround(time.Now())
		}
		k.lookAtDrain()
		k.lookAtRing()
	}
}

// lookAround does what is due every second.
func (k *clustered) lookAround(now time.Time) {
	k.askSilent()
	k.measureOthers()
	up := k.keeper.Up()
	if up {
		k.ready.Store(true)
	}
	k.sayWhether(up)
	if cut := k.sight(now).sheds(k.s.opt.timing.cut); cut != k.cut.Load() {
		k.cut.Store(cut)
		if cut {
			k.s.opt.Log.Error("cut off from the store, which other nodes reach: devices are sent away", "over", k.opt.ShedOver)
			k.replace(&round{kind: shedding, code: CloseOverloaded, over: k.opt.ShedOver})
		} else {
			k.callOff(shedding)
		}
	}
	k.lookAtAlone(now)
	k.lookAtStray(now)
}

// sayWhether logs that the store does not take what it is given any more, and that it does again. It may answer
// all the while: full, or read-only.
func (k *clustered) sayWhether(up bool) {
	m, log := &k.moves, k.s.opt.Log
	switch {
	case m.up && !up:
		m.wasDown = true
		log.Warn("the store takes nothing: kept messages are refused, devices that connect get live ones alone")
	case up && !m.up && m.wasDown:
		log.Info("the store takes what it is given again")
	}
	m.up = up
}

// measureOthers adds up what the other nodes take, and sees who is back.
func (k *clustered) measureOthers() {
	v, sum := k.opt.Members.View(), 0.0
	own := k.budget(k.s.opt.Node)
	here := k.s.registry.Len()
	crowd := crowd{devices: here, budget: own, largest: own}
	free := k.moves.round.Load() == nil && !k.moves.emptying()
	alive, back := map[string]bool{}, map[string]bool{}
	for id := range v.Members {
		w, weighs := v.Weights[id]
		if id == k.s.opt.Node || !v.Has(id) || weighs && w.Value == 0 || k.silence.is(id) {
			continue
		}
		budget := k.budget(id)
		sum += budget
		crowd.add(&w, budget)
		is := k.moves.alive == nil || k.moves.alive[id]
		if !is && free {
			back[id] = true
		}
		if is || free { // else it is back the next time
			alive[id] = true
		}
	}
	k.s.entrance.budget.Store(int64(own))
	k.absorb.Store(max(int64(sum), acceptRate))
	k.beside.Store(int64(crowd.devices - here))
	k.wide.Store(int64(crowd.window() / time.Millisecond))
	k.others.Store(int64(len(alive)))
	k.moves.alive = alive
	if len(back) > 0 {
		k.replace(&round{kind: moving, code: CloseRebalance, only: back})
	}
}

// lookAtDrain begins or ends emptying the node.
func (k *clustered) lookAtDrain() {
	wish := k.moves.drain.Load()
	switch {
	case wish == k.moves.served && !k.moves.waits():
		return
	case wish == nil:
		k.s.opt.Log.Info("the node is not emptied any more", "devices", k.s.registry.Len())
		k.moves.served = nil
		k.callOff(emptying)
		k.moves.pace.forget()
		return
	case wish != k.moves.served:
		k.moves.served = wish
		k.s.opt.Log.Info("the node is being emptied", "devices", k.s.registry.Len(), "over", wish.over)
	}
	if !k.without() && time.Since(wish.began) < k.s.opt.timing.without && k.opt.Members.View().Stale.IsZero() {
		return // it is looked again with the next ring, and every second
	}
	wish.begun.Store(true)
	k.empty(wish.over)
}

// without reports whether the rings in force give this node nothing.
func (k *clustered) without() bool {
	routes := k.opt.Rings.Load().Routes
	canary, _ := routes.Canary()
	for _, r := range []*ring.Ring{routes.Stable(), canary} {
		if r == nil {
			continue
		}
		if n := r.Node(r.Find(k.s.opt.Node)); n != nil && n.Weight > 0 {
			return false
		}
	}
	return true
}

// empty begins a round of emptying.
func (k *clustered) empty(over time.Duration) {
	k.replace(&round{kind: emptying, code: CloseDrain, over: over, force: true})
	k.moves.emptied = k.opt.Rings.Load()
}

// emptyFurther begins another one where the last was called off, or by another ring, for those who had nowhere to go: the others may
// all have been without weight until this node's was gone.
func (k *clustered) emptyFurther(now *cluster.Active) {
	m := &k.moves
	switch {
	case m.served == nil || m.waits() || m.round.Load() != nil || k.s.registry.Len() == 0:
		return
	case m.emptied != nil && now.Pointer.Activation == m.emptied.Pointer.Activation:
		return
	}
	k.empty(max(time.Until(m.served.began.Add(m.served.over)), time.Second))
}

// redirect tells a device that has connected that it belongs elsewhere.
func (k *clustered) redirect(h *handler, c poller.Conn, st *connState, q *connectQuery) {
	if st.is(flagAlone) {
		return
	}
	code := CloseMoved
	place, ok := k.mesh.Owner(q.hello.ID), true
	switch {
	case k.moves.waits():
		return // it is told with the others
	case k.moves.emptying():
		code = CloseDrain
		place, ok = k.mesh.Route(q.hello.ID, k.silence.with(k.s.opt.Node))
	}
	if !ok || !k.takes(&place) {
		return
	}
	if k.stray(st, true); q.failed || q.hop >= mostHops {
		return // it has tried just now, or was sent on often enough for the moment: it is told again later
	}
	now := time.Now()
	earliest := now
	if k.s.entrance.stormy() { // its dial would be one more for a node that has enough of them
		earliest = now.Add(time.Duration(k.wide.Load()) * time.Millisecond)
	}
	in := k.moves.pace.slot(place.Node, earliest, k.rate(place.Node)).Sub(now)
	if in <= longestSlot {
		k.moves.redirected.Add(1)
		h.away(c, st, code, in, urlWithHop(place.URL, q.hop+1))
	}
}

// takes reports whether devices can be sent to a place: another node, which shows signs of life.
func (k *clustered) takes(p *mesh.Place) bool {
	return !p.Mine && p.Alive && p.URL != "" && !k.silence.is(p.Node)
}

// rate is how many devices a second this node sends to another one: what it takes, divided among those
// that may send.
func (k *clustered) rate(node string) float64 {
	return k.budget(node) / float64(max(1, k.others.Load()))
}

// away tells a device to connect elsewhere; url "" is where it would go anyway.
func (h *handler) away(c poller.Conn, st *connState, code ws.StatusCode, in time.Duration, url string) {
	h.text = h.appendAway(h.text[:0], st, code, in, url)
	f, _ := splitVariant(st.variant)
	h.frame = ws.AppendFrame(h.frame[:0], opcodes[f], h.text)
	c.Write(h.frame, poller.Control)
}

// urlWithHop is a node's address for devices with the number of the hop that leads there.
func urlWithHop(url string, hop int) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	separator := "?"
	switch {
	case strings.Contains(rest, "?"):
		separator = "&"
	case path == "":
		url = scheme + "://" + host + "/v1/connect"
	}
	return url + separator + "hop=" + strconv.Itoa(hop)
}

// elsewhere says where a device of a round belongs; ok is false if it stays.
func (k *clustered) elsewhere(r *round, device []byte) (place mesh.Place, ok bool) {
	switch {
	case r.kind == emptying:
		place, ok = k.mesh.Route(device, k.silence.with(k.s.opt.Node))
		return place, ok && place.URL != ""
	case r.kind != moving && r.kind != again:
		return place, true
	}
	place = k.mesh.Owner(device)
	if !k.takes(&place) {
		return place, false
	}
	if r.kind == again {
		return place, true
	}
	if r.only != nil {
		return place, r.only[place.Node]
	}
	return place, newlyOwned(r.before, r.ring, k.s.opt.Node, device)
}
