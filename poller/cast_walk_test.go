package poller

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// walker drives casts on a loop whose sockets are replaced by a record of who
// was sent what: slots are taken and freed, members come and go between slices.
type walker struct {
	t      *rapid.T
	l      *Loop
	group  Group
	pos    map[uint32]uint32 // slot -> position, kept as a handler would
	got    map[Handle]int    // times that the connection was a target of the cast
	stayed map[Handle]bool   // receivers from the start of the cast to its end
}

// moved is what a handler remembers when Remove fills a gap.
func (w *walker) moved(slot, pos uint32) { w.pos[slot] = pos }

func (w *walker) handle(slot uint32) Handle { return makeHandle(0, slot, w.l.conns.At(slot).gen) }

func (w *walker) add(slot uint32) {
	if _, ok := w.pos[slot]; !ok {
		w.pos[slot] = w.group.Add(w.l.Conn(w.handle(slot)))
	}
}

func (w *walker) remove(slot uint32) {
	if pos, ok := w.pos[slot]; ok {
		delete(w.pos, slot)
		w.group.Remove(pos, w.moved)
		delete(w.stayed, w.handle(slot))
	}
}

func (w *walker) open() {
	_, s, _ := w.l.alloc(-1, 0)
	s.variant = 1
}

func (w *walker) close(slot uint32) {
	s := w.l.conns.At(slot)
	if s.flags&flagUsed == 0 {
		return
	}
	w.remove(slot)
	delete(w.stayed, w.handle(slot))
	w.l.release(slot, s)
}

// churn makes one change.
func (w *walker) churn() {
	w.change(rapid.Uint32Range(0, max(w.l.slots, 1)-1).Draw(w.t, "slot"))
	if len(w.pos) != w.group.Len() {
		w.t.Fatalf("%d members, want %d", w.group.Len(), len(w.pos))
	}
	for slot, pos := range w.pos {
		if w.group.members[pos] != slot {
			w.t.Fatalf("slot %d is not at position %d", slot, pos)
		}
	}
}

// TestCastWalk: whoever is a receiver from the start of a cast to its end gets
// it once, and nobody gets it twice, whatever happens between slices.
func TestCastWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &walker{t: t, l: &Loop{p: &Poller{}}, pos: map[uint32]uint32{}, got: map[Handle]int{}, stayed: map[Handle]bool{}}
		for range rapid.SampledFrom([]int{1, 5, 60}).Draw(t, "connections") {
			w.open()
		}
		for slot := range w.l.slots {
			if rapid.IntRange(0, 2).Draw(t, "member") > 0 {
				w.add(slot)
			}
		}
		j := &castJob{Cast: Cast{Frames: variants(1, 8, 1)}}
		toGroup := rapid.Bool().Draw(t, "to the group")
		if toGroup {
			j.Group = &w.group
		}
		for slot := range w.l.slots {
			if _, member := w.pos[slot]; member || !toGroup {
				w.stayed[w.handle(slot)] = true
			}
		}
		w.l.jobs = []*castJob{j}
		for walk := w.l.board(); w.l.walk != nil; w.l.alight(walk) {
			n, _ := w.l.collect(walk, rapid.IntRange(1, 7).Draw(t, "slice"))
			for _, x := range w.l.targets[:n] {
				h := w.handle(x.slot)
				if w.got[h]++; toGroup && w.pos[x.slot] >= walk.cursor {
					t.Fatalf("slot %d was sent to and is still to come", x.slot)
				}
				w.l.conns.At(x.slot).flags &^= flagTarget
			}
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				w.churn()
			}
		}
		if w.group.active != nil {
			t.Fatal("the group still knows the cast")
		}
		for h := range w.stayed {
			if w.got[h] != 1 {
				t.Fatalf("%s stayed and got it %d times", h, w.got[h])
			}
		}
		for h, n := range w.got {
			// Who leaves the group and comes back behind the cursor is a new member.
			if n > 1 && !toGroup {
				t.Fatalf("%s got it %d times", h, n)
			}
		}
	})
}

// TestCastWhileMembersComeAndGo is the same with real sockets: between the
// slices of real casts members leave, and every stream stays whole and in order.
func TestCastWhileMembersComeAndGo(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode}, h.script())
		l := p.Loops()[0]
		const n = 2*sliceTargets + 100
		clients := map[Handle]*rawClient{}
		var order []Handle
		for range n {
			c, name := h.connect(t, p, 0, 1, true)
			defer c.close()
			clients[name] = c
			order = append(order, name)
		}
		for round := uint32(1); round <= 4; round++ {
			var left []Handle // leave during the cast
			for i, name := range order {
				if i%7 == int(round) {
					left = append(left, name)
				}
			}
			done := make(chan CastResult, 1)
			rest := slices.Clone(left)
			var leave func(l *Loop)
			leave = func(l *Loop) { // some between each slice and the next
				for i := 0; i < 20 && len(rest) > 0; i++ {
					c := l.Conn(rest[0])
					rest = rest[1:]
					h.leave(c)
					if i%2 == 0 {
						c.Close(errTest)
					}
				}
				if len(rest) > 0 {
					l.Post(TaskFunc(leave))
				}
			}
			do(t, l, func(l *Loop) {
				l.Cast(Cast{Frames: variants(round, 200, 1), Group: h.group, Done: func(r CastResult) { done <- r }})
				l.Post(TaskFunc(leave))
			})
			if r := recv(t, "done", done); r.Dropped != 0 || r.Written < len(order)-len(left) || r.Written > len(order) {
				t.Errorf("round %d: %+v of %d, %d left", round, r, len(order), len(left))
			}
			await(t, "all have left", func() (gone bool) {
				do(t, l, func(*Loop) { gone = len(rest) == 0 })
				return gone
			})
			order = slices.DeleteFunc(order, func(name Handle) bool { return slices.Contains(left, name) })
			for _, name := range order {
				if got := clients[name].next(t); got != round<<4|1 {
					t.Fatalf("%s got %d in round %d", name, got, round)
				}
			}
		}
		checked(t, p)
	})
}

// TestCastBoards: casts to all that get on the walk of earlier ones reach
// everybody who stays, each once, in the order of the calls, whatever comes and
// goes between slices; and what waits behind a cast to a group waits.
func TestCastBoards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &walker{t: t, l: &Loop{p: &Poller{}}, pos: map[uint32]uint32{}, got: map[Handle]int{}, stayed: map[Handle]bool{}}
		for range rapid.SampledFrom([]int{0, 1, 5, 40}).Draw(t, "connections") {
			w.open()
		}
		type call struct {
			job    *castJob
			stayed []Handle // receivers at the call
			ended  bool
		}
		var calls []*call
		got := map[Handle][]byte{}
		cast := func() {
			c := &call{}
			id := byte(len(calls))
			c.job = &castJob{Cast: Cast{Done: func(CastResult) { c.ended = true }}}
			c.job.Frames[1] = []byte{id}
			toGroup := rapid.IntRange(0, 5).Draw(t, "to a group") == 0
			if toGroup {
				c.job.Group = &w.group
			}
			for slot := range w.l.slots {
				if _, member := w.pos[slot]; w.l.conns.At(slot).flags&flagUsed != 0 && (member || !toGroup) {
					c.stayed = append(c.stayed, w.handle(slot))
				}
			}
			calls = append(calls, c)
			w.l.jobs = append(w.l.jobs, c.job)
		}
		left := map[Handle]bool{} // left the group, or closed, at some time
		for more := rapid.IntRange(1, 8).Draw(t, "casts"); more > 0 || w.l.walk != nil || len(w.l.jobs) > 0; {
			if more > 0 && (rapid.Bool().Draw(t, "call") || w.l.walk == nil && len(w.l.jobs) == 0) {
				cast()
				more--
			}
			walk := w.l.board()
			n, _ := w.l.collect(walk, rapid.IntRange(1, 9).Draw(t, "slice"))
			for _, x := range w.l.targets[:n] {
				got[w.handle(x.slot)] = append(got[w.handle(x.slot)], x.b...)
				w.l.conns.At(x.slot).flags &^= flagTarget
			}
			w.l.alight(walk)
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				slot := rapid.Uint32Range(0, max(w.l.slots, 1)-1).Draw(t, "slot")
				if slot < w.l.slots {
					left[w.handle(slot)] = true // whatever churn would do to it
				}
				w.change(slot)
			}
		}
		for id, c := range calls {
			if !c.ended {
				t.Fatalf("cast %d has not ended", id)
			}
			for _, h := range c.stayed {
				if n := bytes.Count(got[h], []byte{byte(id)}); n != 1 && !left[h] {
					t.Fatalf("%s stayed and got cast %d %d times: %v", h, id, n, got[h])
				}
			}
		}
		for h, ids := range got {
			if !left[h] && !slices.IsSorted(ids) {
				t.Fatalf("%s got the casts out of order: %v", h, ids)
			}
		}
	})
}

// change makes one change, to slot unless it opens another.
func (w *walker) change(slot uint32) {
	switch rapid.IntRange(0, 3).Draw(w.t, "change") {
	case 0:
		w.open()
	case 1:
		if slot < w.l.slots {
			w.close(slot)
		}
	case 2:
		if slot < w.l.slots && w.l.conns.At(slot).flags&flagUsed != 0 {
			w.add(slot)
		}
	default:
		w.remove(slot)
	}
}
