package dawn

import (
	"bytes"
	"slices"
	"time"
)

// keyer writes a world as bytes, such that two worlds from which the same things
// can happen have the same ones. What no rule will look at again is left out:
//
//   - Of a revision or fence only whether it is none, the current one, or an old
//     one: an old one never becomes current again.
//   - Of a time only in how many ticks it will have come.
//   - What a machine knows of the record, except between reading and committing.
//   - Which node is which, if their clocks agree.
type keyer struct {
	w     *world
	b     []byte
	nodes [][]byte
}

func (k *keyer) key(w *world) []byte {
	k.w, k.b = w, k.b[:0]
	k.byte(w.tick, w.left.crashes, w.left.losses, w.left.doubles, w.ends, w.lock.age)
	k.bool(w.lock.fence != 0, w.rev != 0)
	k.record(&w.rec)
	head := len(k.b)
	for len(k.nodes) < len(w.nodes) {
		k.nodes = append(k.nodes, nil)
	}
	for i := range w.nodes {
		k.b = k.b[:head]
		k.member(i)
		k.nodes[i] = append(k.nodes[i][:0], k.b[head:]...)
	}
	k.b = k.b[:head]
	nodes := k.nodes[:len(w.nodes)]
	slices.SortFunc(nodes, bytes.Compare) // each begins with its skew
	for _, n := range nodes {
		k.b = append(k.b, n...)
	}
	return k.b
}

func (k *keyer) byte(vs ...int) {
	for _, v := range vs {
		k.b = append(k.b, byte(v))
	}
}

func (k *keyer) bool(vs ...bool) {
	for _, v := range vs {
		if v {
			k.b = append(k.b, 1)
		} else {
			k.b = append(k.b, 0)
		}
	}
}

// rev writes a revision beside the current one.
func (k *keyer) rev(v, current int64) {
	switch v {
	case 0:
		k.byte(0)
	case current:
		k.byte(1)
	default:
		k.byte(2)
	}
}

func (k *keyer) record(r *Record) {
	k.byte(r.Step, len(r.Entries))
	for i := range r.Entries {
		e := &r.Entries[i]
		k.bool(e.Aborted)
		k.byte(int(e.Stage), e.Postponed, int(e.End.Sub(k.w.set.fire)/Notice), int(e.Begin.Sub(k.w.set.fire)/Notice))
	}
}

// ticks is in how many ticks t will have come for node i.
func (k *keyer) ticks(t time.Time, i int) {
	k.byte(max(0, int(t.Sub(k.w.now(i))/Alive)))
}

func (k *keyer) member(i int) {
	w := k.w
	n := &w.nodes[i]
	id := w.set.nodes[i].Node
	k.byte(w.set.skews[i], b2i(slices.Contains(w.set.unsure, i)), b2i(w.set.ignorant(i)), int(n.m.state))
	k.bool(n.old, n.m.abort != nil)
	mine := w.lock.node == id
	k.bool(n.down, mine, mine && w.lock.life == n.life, w.rec.Holder == id)
	k.machine(&n.m, i)
	switch {
	case n.answer != nil:
		k.byte(1)
		k.answer(n.answer, n)
		if n.m.state == Committing {
			k.record(&n.m.next)
		}
	default:
		k.byte(0)
		k.request(n.request, n)
	}
	k.request(n.ghost, n)
}

func (k *keyer) machine(m *Machine, i int) {
	switch m.state {
	case Asleep:
		k.ticks(m.until, i)
		return
	case Idle, Checking, Finished, Refused:
		return
	case Releasing:
		k.bool(m.ending, m.stop.Refused, m.again)
		k.ticks(m.until, i)
	}
	k.rev(m.fence, k.w.lock.fence)
	k.byte(int(k.w.now(i).Sub(m.held) / Alive))
	if m.state == Assessing {
		k.rev(m.rev, k.w.rev)
		k.byte(m.entry)
		k.record(&m.record)
	}
}

func (k *keyer) request(a Action, n *member) {
	switch a := a.(type) {
	case nil:
		k.byte(0)
	case Read:
		k.byte(1)
	case Lock:
		k.byte(2)
		k.rev(a.Replace, k.w.lock.fence)
		_, _, life, _ := ParseLockValue(a.Value)
		k.bool(life == n.life)
	case Assess:
		k.byte(3)
	case Commit:
		k.byte(4)
		k.rev(a.IfRevision, k.w.rev)
		k.rev(a.IfFence, k.w.lock.fence)
		k.record(&a.Record)
		k.bool(a.Record.Life == n.life)
	case Release:
		k.byte(5)
		k.rev(a.Fence, k.w.lock.fence)
	}
}

func (k *keyer) answer(ev Event, n *member) {
	switch e := ev.(type) {
	case RecordRead:
		k.byte(1)
		k.rev(e.Rev, k.w.rev)
		k.record(&e.Record)
		k.bool(e.Record.Holder == k.w.rec.Holder)
	case LockResult:
		k.byte(2, int(e.Age/Alive))
		k.bool(e.Taken)
		k.rev(e.Fence, k.w.lock.fence)
		_, node, life, _ := ParseLockValue(e.Value)
		k.bool(node == n.m.config.Node, life == n.life)
	case Assessed:
		k.byte(3)
		k.bool(e.Loads[0].Used > 50)
	case CommitResult:
		k.byte(4, int(e.Refusal))
		k.rev(e.Rev, k.w.rev)
	case Released:
		k.byte(5)
	}
}
