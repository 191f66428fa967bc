package inbox

import (
	"cmp"
	"slices"
)

// found is a message of a device in the log.
type found struct {
	ref  Ref
	body uint32
	life uint32 // see logWriter.name
	seq  uint64
}

func (r *replay) add(it found) {
	r.x.bodies.at(it.body).refs++
	r.items = append(r.items, it)
	if len(r.items) > r.check {
		r.prune(false)
		r.check = 2*len(r.items) + 1<<20
	}
}

// forget drops a body that has no items.
func (r *replay) forget(body uint32) {
	if body != 0 && r.x.bodies.at(body).refs == 0 {
		r.x.dropBody(body)
		if r.body == body {
			r.body = 0
		}
	}
}

func (r *replay) drop(body uint32) {
	r.x.bodies.at(body).refs--
	r.forget(body)
}

// prune drops what has been acknowledged since it was found; at the end also
// what is nobody's.
func (r *replay) prune(final bool) {
	kept := r.items[:0]
	for _, it := range r.items {
		switch d := r.x.living(it.ref, it.life); {
		case it.life < r.x.lives[it.ref].n:
			r.drop(it.body) // of a device that was removed
		case d == nil && final:
			r.orphans++
			r.live(it.ref, it.life+1) // whoever gets the number next must not find them in the log
			r.drop(it.body)
		case d != nil && it.seq <= d.acked:
			r.drop(it.body)
		default:
			kept = append(kept, it)
		}
	}
	r.items = kept
}

// finish puts what was found into the inboxes. After a loss every stream begins
// a new era; a message whose device is not there, and was not removed, is a sign
// of one: an oldest segment that is missing looks like one that was dropped.
func (r *replay) finish(lossy bool) (orphans int) {
	x := r.x
	x.limits.Topics = r.topics
	r.forget(r.body)
	r.prune(true)
	lossy = lossy || r.orphans > 0
	x.ids.Rebuilt()
	// Copies of the cleaner come later in the log than their neighbours.
	slices.SortStableFunc(r.items, func(a, b found) int { return cmp.Or(cmp.Compare(a.ref, b.ref), cmp.Compare(a.seq, b.seq)) })
	x.lossy = lossy
	for i, it := range r.items {
		if i+1 < len(r.items) && r.items[i+1].ref == it.ref && r.items[i+1].seq == it.seq {
			r.drop(it.body) // the copy counts
			continue
		}
		x.recover(it)
	}
	r.items = nil
	for n := range x.ids.End() {
		if d := x.get(Ref(n + 1)); d != nil {
			x.fill(d)
		}
	}
	x.keys.began = r.now
	x.beginEra(r.now)
	if lossy {
		for n := range x.ids.End() {
			if d := x.get(Ref(n + 1)); d != nil {
				d.era, d.segment = x.era, d.segment&dirtyBit
				x.fresh = append(x.fresh, Ref(n+1))
			}
		}
	}
	x.n = Counts{Recovered: x.n.InFlight, InFlight: x.n.InFlight, Bytes: x.n.Bytes}
	return r.orphans
}

// recover puts a message at its place in the inbox: behind those that are there
// already.
func (x *index) recover(it found) {
	d := x.get(it.ref)
	d.reach(it.seq)
	if d.box == 0 {
		i, b := x.boxes.alloc()
		d.box = i
		*b = box{first: it.seq, expires: ^uint32(0)}
	}
	b := x.boxes.at(d.box)
	for b.first+uint64(b.n) < it.seq {
		hole := uint32(expired)
		if x.lossy {
			hole = lost
		}
		x.push(b, hole)
	}
	x.push(b, it.body)
	x.bodies.at(it.body).refs-- // push has counted it again
	x.n.InFlight++
}

// fill makes holes behind the last message found, up to the last number given.
func (x *index) fill(d *device) {
	if d.box == 0 {
		return
	}
	b := x.boxes.at(d.box)
	for b.first+uint64(b.n) <= d.last() {
		x.push(b, expired)
	}
}
