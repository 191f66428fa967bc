package dawn

import (
	"errors"
	"fmt"
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
			ev.Record.Entries = nil
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
	return checkStep(&w.rec, r)
}

// checkStep checks that one entry has made one step along an arrow of Stage.
func checkStep(old, next *Record) error {
	if len(old.Entries) == 0 {
		for i := range next.Entries {
			if s := next.Entries[i].Stage; s != Planned && s != Skipped {
				return fmt.Errorf("a night begins with %v", s)
			}
		}
		return nil
	}
	changed := 0
	for i := range next.Entries {
		o, n := &old.Entries[i], &next.Entries[i]
		put := n.Postponed == o.Postponed+1 && o.Stage == Planned && n.Stage == Planned
		switch {
		case n.Stage == o.Stage && n.Postponed == o.Postponed:
		case put, n.Postponed == o.Postponed && (n.Stage == o.Stage+1 && n.Stage != Skipped || o.Stage == Planned && n.Stage == Skipped):
			changed++
		default:
			return fmt.Errorf("window %s goes from %v to %v", n.Window, o.Stage, n.Stage)
		}
	}
	if changed != 1 {
		return fmt.Errorf("step %d changes %d openings", next.Step, changed)
	}
	return nil
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
