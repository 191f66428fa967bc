package server

import "time"

// A device that was told where it belongs, and may stay, stays where its dial fails, or comes back with failed: the owner refused
// it for a moment, or a packet was lost. It is served, at the price of a hop a message. It is told again later, for as long as
// its owner is there, ever more seldom, and mostTold times on a connection:
//
//	told, by its connect or a round --> astray --> aged, at the next look --> told again, at the one after that
//	                                       ^_______________________________________|
//
// so that nobody is told again within less than a look of the last time. Where slots at the owner are given out for a while
// ahead, its own may be among them: it is not told again before all of them have passed.

const (
	// againFirst is until the first look at those that are astray, and between it and the next: longer than a dial takes until it
	// has failed (10 s at the reference client).
	againFirst = 15 * time.Second
	// homeFirst is until sessions without the store are told once more to come back for one with it: longer than a round's last
	// slot and what follows that, where all go well.
	homeFirst = 15 * time.Second
	// backoffMost is how many times as long as the first wait the longest one is: 2 minutes.
	backoffMost = 8
)

// backoff says when devices are told what they have been told before: at once, and then ever more seldom, for as long as
// there are some. A store that answers beats and opens nothing, because its memory is full, must not have all devices
// connect again and again.
type backoff struct {
	wait time.Duration
	next time.Time
}

// due reports whether it is time, and then takes note of that; the next time is first later, or twice as late as this was.
func (b *backoff) due(now time.Time, first time.Duration) bool {
	if now.Before(b.next) {
		return false
	}
	b.wait = min(max(2*b.wait, first), backoffMost*first)
	b.next = now.Add(b.wait)
	return true
}

// recall has those without a session in the store told to come back for one, now: the store has lost streams of devices
// that are here, and all of those are known.
func (k *clustered) recall() {
	k.moves.recall.Store(true)
	k.moves.signal()
}

// lookAtAlone begins a round of those that are without a session in the store, when it is time, and the store answers. One that
// was recalled begins in the place of one that is under way: whose streams are lost again do not wait for its end.
func (k *clustered) lookAtAlone(now time.Time) {
	m := &k.moves
	switch {
	case !k.keeper.Up() || k.doors.resting(now):
		return
	case m.recall.Swap(false):
		m.home = backoff{}
		m.home.due(now, homeFirst)
	case k.alone.Load() == 0:
		m.home = backoff{}
		return
	case m.homing.Load() != nil || !m.home.due(now, homeFirst):
		return
	}
	k.begin(&m.homing, &round{kind: comingBack, code: CloseRebalance, force: true})
}

// stray notes whether a device was told where it belongs and has not gone yet.
func (k *clustered) stray(st *connState, is bool) {
	if st.is(flagAstray) != is {
		st.set(flagAstray, is)
		n := int64(-1)
		if is {
			n = 1
		}
		k.moves.astray.Add(n)
	}
	st.set(flagAged, false)
}

// lookAtStray begins a round of those that are to be told again, when it is time.
func (k *clustered) lookAtStray(now time.Time) {
	m, first := &k.moves, k.s.opt.timing.again
	switch {
	case m.astray.Load() == 0:
		m.again = backoff{}
	case m.again.next.IsZero():
		m.again.next = now.Add(first)
	case m.round.Load() == nil && !m.emptying() && !k.cut.Load() && m.again.due(now, first):
		k.replace(&round{kind: again, code: CloseRebalance})
	}
}

// due reports whether a device that is astray is told again now, by this look.
func (k *clustered) due(st *connState, owner string, now time.Time) bool {
	if !st.is(flagAged) {
		st.set(flagAged, true)
		return false
	}
	return !k.moves.pace.ahead(owner, now.Add(tellBefore))
}
