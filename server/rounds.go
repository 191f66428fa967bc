package server

// Which round is under way. All of it is runMoves' goroutine's.

// replace begins a round in the place of the one before. What that has not done is done later: newcomers are found
// again (measureOthers), emptying goes on (emptyFurther), and a ring is not settled (lookAtRing).
func (k *clustered) replace(r *round) {
	m := &k.moves
	k.settle()
	if was := m.round.Load(); was != nil {
		for id := range was.only {
			delete(m.alive, id)
		}
		if was.kind == emptying {
			m.emptied = nil
		}
		m.pace.forget()
	}
	k.begin(&m.round, r)
}

// callOff ends the round if it is of that kind.
func (k *clustered) callOff(kind roundKind) {
	if r := k.moves.round.Load(); r != nil && r.kind == kind {
		k.moves.round.CompareAndSwap(r, nil)
	}
}

// settle takes note of a round that is done.
func (k *clustered) settle() {
	m := &k.moves
	if r := m.round.Load(); r != nil && r.done.Load() {
		if r.ring != nil {
			m.settled = r.ring
		}
		m.round.CompareAndSwap(r, nil)
	}
}

// lookAtRing begins a round where there is a ring that not all have been told of.
func (k *clustered) lookAtRing() {
	m, now := &k.moves, k.opt.Rings.Load()
	k.settle()
	if m.emptying() && !k.cut.Load() {
		k.emptyFurther(now)
		return
	}
	told := m.settled
	if r := m.round.Load(); r != nil && r.ring != nil {
		told = r.ring // it is being told
	}
	if now.Pointer.Activation == told.Pointer.Activation || k.cut.Load() {
		return
	}
	m.pace.forget()
	k.replace(&round{kind: moving, code: CloseRebalance, ring: now, before: m.settled})
}
