package dawn

import (
	"fmt"
	"slices"
	"time"
)

// do makes a move. An error is a promise that is broken.
func (w *world) do(mv move) error {
	i := int(mv.node)
	n := &w.nodes[i]
	switch mv.kind {
	case pass:
		w.passTick()
	case fire:
		known := !slices.Contains(w.set.unsure, i) || w.set.variant.sure
		return w.give(i, Fired{Now: w.now(i), Known: known})
	case wake:
		return w.give(i, Tick{later(n.m.until, w.now(i))})
	case arrive, scarce:
		return w.arrive(i, mv.kind == scarce)
	case deliver:
		return w.deliver(i)
	case haunt:
		ghost := n.ghost
		n.ghost = nil
		_, err := w.apply(ghost, 0, false)
		return err
	case crash:
		w.left.crashes--
		n.giveUp(w)
		n.down, n.m = true, Machine{}
	case restart:
		return w.restart(i)
	case lost, late, unheard:
		return w.lose(i, mv.kind)
	case double:
		w.left.doubles--
		if _, err := w.apply(n.request, n.m.seq, false); err != nil {
			return err
		}
		return w.arrive(i, false)
	case reload:
		n.old = false
		return w.tell(i, Reloaded{w.now(i), w.set.night})
	case abort:
		w.ends--
		return w.tell(i, Abort{Now: w.now(i), Reason: "by an operator"})
	case expired:
		n.giveUp(w)
		return w.give(i, LeaseLost{w.now(i)})
	}
	return nil
}

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (w *world) passTick() {
	w.tick = min(w.tick+1, w.set.last)
	if w.lock.fence != 0 && !w.set.variant.eternal {
		if w.lock.age++; w.lock.age >= int(LockTTL/Alive) {
			w.lock = lock{}
		}
	}
}

// give hands an event to node i and keeps the request that it makes.
func (w *world) give(i int, ev Event) error {
	n := &w.nodes[i]
	n.request, n.answer = nil, nil
	if w.set.variant.deaf && w.rev != 0 { // its calendar is the record
		n.m.night.Openings = nil
		for j := range w.rec.Entries {
			n.m.night.Openings = append(n.m.night.Openings, w.rec.Entries[j].Opening)
		}
	}
	asked := n.m.abort != nil
	a := n.m.Handle(ev)
	if _, none := a.(None); none {
		return fmt.Errorf("node %d in state %v does nothing with %T", i, n.m.state, ev)
	}
	if asked && n.m.abort == nil {
		if err := w.checkAborted(i); err != nil {
			return err
		}
	}
	return w.take(i, a)
}

// tell hands over an event that is no answer: what is under way goes on.
func (w *world) tell(i int, ev Event) error {
	n := &w.nodes[i]
	a := n.m.Handle(ev)
	if _, none := a.(None); none {
		return nil
	}
	return w.take(i, a)
}

func (w *world) take(i int, a Action) error {
	n := &w.nodes[i]
	switch a := a.(type) {
	case Wait:
	case Stop:
		if !a.Refused && !w.doneFor(n) {
			return fmt.Errorf("node %d stops (%s) before the night is done", i, a.Reason)
		}
	default:
		n.request = a
	}
	return nil
}

// checkAborted: a node that takes an abort for done may do so.
func (w *world) checkAborted(i int) error {
	for j := range w.rec.Entries {
		if e := &w.rec.Entries[j]; !e.Stage.over() && !e.Aborted && w.now(i).Before(e.End) {
			return fmt.Errorf("node %d forgets the abort: window %s is %v", i, e.Window, e.Stage)
		}
	}
	return nil
}

// giveUp keeps the request, if it has not arrived: it may still.
func (n *member) giveUp(w *world) {
	if n.request != nil && n.answer == nil && n.ghost == nil && w.potent(n.request) {
		n.ghost = n.request
	}
	n.request, n.answer = nil, nil
}

// potent reports whether a request that arrives now can do anything.
func (w *world) potent(a Action) bool {
	switch a := a.(type) {
	case Lock:
		return a.Replace == 0 || a.Replace == w.lock.fence
	case Commit:
		return w.set.variant.ignoreRevision || a.IfRevision == w.rev
	case Release:
		return a.Fence == w.lock.fence
	}
	return false
}

func (w *world) restart(i int) error {
	n := &w.nodes[i]
	n.life++
	c := w.set.nodes[i]
	c.Life = n.life
	m, err := NewMachine(c, w.calendar(n))
	if err != nil {
		return err
	}
	n.m, n.down = *m, false
	return nil
}

// lose gives the node no answer.
func (w *world) lose(i int, how kind) error {
	w.left.losses--
	n := &w.nodes[i]
	_, commit := n.request.(Commit)
	switch how {
	case late:
		n.giveUp(w)
	case unheard:
		if _, err := w.apply(n.request, 0, false); err != nil {
			return err
		}
	}
	if commit && w.set.variant.believe {
		return w.give(i, CommitResult{Now: w.now(i), Seq: n.m.seq, Rev: w.rev})
	}
	return w.give(i, Failed{Now: w.now(i), Seq: n.m.seq})
}

// arrive lets the store do the request of node i.
func (w *world) arrive(i int, scarce bool) error {
	n := &w.nodes[i]
	ev, err := w.apply(n.request, n.m.seq, scarce)
	if err != nil {
		return err
	}
	if n.answer = ev; w.set.travel {
		return nil
	}
	return w.deliver(i)
}

// deliver brings the answer, and then brings it again, which must do nothing.
func (w *world) deliver(i int) error {
	n := &w.nodes[i]
	answer := stamp(n.answer, w.now(i))
	if err := w.give(i, answer); err != nil {
		return err
	}
	state, seq := n.m.state, n.m.seq
	if a, none := n.m.Handle(answer).(None); !none || n.m.state != state || n.m.seq != seq {
		return fmt.Errorf("node %d in state %v: an answer that comes twice makes it %T", i, state, a)
	}
	return nil
}

// stamp puts the time of arrival into an answer.
func stamp(ev Event, now time.Time) Event {
	switch e := ev.(type) {
	case RecordRead:
		e.Now = now
		return e
	case LockResult:
		e.Now = now
		return e
	case Assessed:
		e.Now = now
		return e
	case CommitResult:
		e.Now = now
		return e
	case Released:
		e.Now = now
		return e
	}
	panic("no answer")
}
