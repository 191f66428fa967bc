package dawn

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// variant is a rule that is broken on purpose: explore has to find out.
type variant struct {
	name string

	ignoreRevision    bool // the store does not compare the record's revision
	ignoreFence       bool // the store does not compare the lock
	ignoreEnvironment bool // the store does not compare the environment
	believe           bool // a commit without an answer is taken for made
	forget            bool // the record is not read: the lock is all there is
	begunIsDone       bool // a record that exists is taken for a night that is done
	given             bool // the given rule: go on only with a lock that is there, with more than 300 s left
	deaf              bool // an opening that the record lacks is not looked for
	replaces          bool // who adds openings writes the record anew
	sure              bool // everybody is told that its clock is right
	eternal           bool // the lock has no TTL and its holder never counts as dead
}

// apply is the store. It returns an error if the request breaks what the plan
// promises.
func (w *world) apply(a Action, seq uint64, scarce bool) (Event, error) {
	v := &w.set.variant
	switch a := a.(type) {
	case Read:
		ev := RecordRead{Seq: seq, Rev: w.rev, Record: w.rec}
		if v.forget {
			ev.Rev, ev.Record = 0, Record{}
		}
		if v.begunIsDone && w.rev != 0 {
			ev.Record.Entries = slices.Clone(w.rec.Entries)
			for i := range ev.Record.Entries {
				ev.Record.Entries[i].Stage = Skipped
			}
		}
		return ev, nil
	case Lock:
		return w.applyLock(a, seq), nil
	case Assess:
		return Assessed{Seq: seq, Loads: loadsFor(scarce)}, nil
	case Release:
		if w.lock.fence == a.Fence {
			w.lock = lock{}
		}
		return Released{Seq: seq}, nil
	case Commit:
		return w.applyCommit(a, seq)
	}
	return nil, fmt.Errorf("the store cannot do %T", a)
}

func (w *world) applyLock(a Lock, seq uint64) Event {
	v := &w.set.variant
	put := a.Replace == w.lock.fence
	if v.given {
		put = w.lock.fence != 0 && w.lock.age == 0
	}
	if put {
		w.top++
		_, node, life, _ := ParseLockValue(a.Value)
		w.lock = lock{fence: w.top, value: a.Value, node: node, life: life}
		return LockResult{Seq: seq, Taken: true, Fence: w.top}
	}
	age := time.Duration(w.lock.age) * Alive
	return LockResult{Seq: seq, Fence: w.lock.fence, Value: w.lock.value, Age: age}
}

func (w *world) applyCommit(a Commit, seq uint64) (Event, error) {
	v := &w.set.variant
	switch {
	case a.IfEnvironment != w.set.env && !v.ignoreEnvironment:
		return CommitResult{Seq: seq, Refusal: WrongEnvironment}, nil
	case a.IfFence != w.lock.fence && !v.ignoreFence:
		return CommitResult{Seq: seq, Refusal: LockMoved}, nil
	case a.IfRevision != w.rev && !v.ignoreRevision:
		return CommitResult{Seq: seq, Refusal: RecordMoved}, nil
	}
	if v.replaces && len(a.Record.Entries) > len(w.rec.Entries) {
		a.Record.Entries = a.Record.Entries[len(w.rec.Entries):]
	}
	if err := w.checkCommit(a); err != nil {
		return nil, err
	}
	w.top++
	w.rev, w.rec = w.top, a.Record
	return CommitResult{Seq: seq, Rev: w.rev}, nil
}

// checkCommit is what the plan promises of everything that takes effect.
func (w *world) checkCommit(a Commit) error {
	r := &a.Record
	switch {
	case w.set.night.Environment != w.set.env:
		return errors.New("a step takes effect in the wrong environment")
	case r.Step <= w.rec.Step:
		return fmt.Errorf("step %d takes effect twice", r.Step)
	case r.Step != w.rec.Step+1:
		return fmt.Errorf("step %d is left out", w.rec.Step+1)
	case w.lock.fence != a.IfFence || w.lock.node != r.Holder || w.lock.life != r.Life || r.Fence != a.IfFence:
		return fmt.Errorf("%s commits step %d under lock %d, but lock %d of %q holds", r.Holder, r.Step, r.Fence, w.lock.fence, w.lock.value)
	}
	for i := range r.Entries {
		e := &r.Entries[i]
		known := i < len(w.rec.Entries) && w.rec.Entries[i].Stage == Skipped
		if e.Stage == Skipped && !known && strings.HasPrefix(e.Reason, "too late") && !w.clockNow().After(e.Last()) {
			return fmt.Errorf("window %s is skipped as too late before its time", e.Window)
		}
	}
	return checkStep(&w.rec, r)
}

// checkStep checks what a step may do: put openings into the record, move one
// entry along an arrow of Stage, or end what an operator wants to be ended. All
// else of what is recorded stays.
func checkStep(old, next *Record) error {
	if len(next.Entries) < len(old.Entries) {
		return fmt.Errorf("step %d loses openings", next.Step)
	}
	moved, ended, added := 0, 0, len(next.Entries)-len(old.Entries)
	for i := range next.Entries {
		n := &next.Entries[i]
		if err := n.validate(n.Aborted); err != nil {
			return fmt.Errorf("window %s: %w", n.Window, err)
		}
		if i >= len(old.Entries) {
			if n.Stage != Planned && n.Stage != Skipped {
				return fmt.Errorf("an opening begins with %v", n.Stage)
			}
			if old.has(&n.Opening) {
				return fmt.Errorf("window %s is added twice", n.Window)
			}
			continue
		}
		change, err := checkEntry(&old.Entries[i], n)
		if err != nil {
			return err
		}
		moved += b2i(change == moves)
		ended += b2i(change == aborts)
	}
	if !(moved == 1 && ended+added == 0 || moved == 0 && ended+added > 0) {
		return fmt.Errorf("step %d changes %d openings, adds %d and ends %d", next.Step, moved, added, ended)
	}
	return nil
}

// checkEntry says what a step has done with an entry.
func checkEntry(o, n *Entry) (change step, err error) {
	if n.Window != o.Window || !n.Start.Equal(o.Start) {
		return 0, fmt.Errorf("a step changes what is recorded of window %s: it is %s", o.Window, n.Window)
	}
	put := n.Postponed == o.Postponed+1 && o.Stage == Planned && n.Stage == Planned
	same := *n
	same.Stage, same.Reason = o.Stage, o.Reason
	switch {
	case n.Aborted && !o.Aborted && n.Stage == Rising && o.falls() && !n.End.After(o.End):
		change, same.End, same.Aborted = aborts, o.End, false
	case n.Stage == Skipped && o.Stage == Planned && strings.HasPrefix(n.Reason, "aborted"):
		change = aborts
	case put:
		change, same.Begin, same.Postponed = moves, o.Begin, o.Postponed
	case o.Stage == Planned && n.Stage == Falling:
		change, same.Begin = moves, o.Begin
	case n.Stage == o.Stage+1 && n.Stage != Skipped, o.Stage == Planned && n.Stage == Skipped:
		change = moves
	case n.Stage != o.Stage:
		return 0, fmt.Errorf("window %s goes from %v to %v", n.Window, o.Stage, n.Stage)
	}
	if !reflect.DeepEqual(&same, o) {
		return 0, fmt.Errorf("a step changes what is recorded of window %s: %+v becomes %+v", n.Window, o, n)
	}
	return change, nil
}

// loadsFor is a cluster of three with room for one to go, or without.
func loadsFor(scarce bool) []Load {
	used := 10.0
	if scarce {
		used = 90
	}
	return []Load{
		{Node: Node{ID: "a"}, Used: used, Capacity: 100},
		{Node: Node{ID: "b"}, Used: used, Capacity: 100},
		{Node: Node{ID: "c"}, Used: used, Capacity: 100},
	}
}
