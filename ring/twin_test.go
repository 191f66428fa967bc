package ring

import "testing"

// twin is the rule of placement, written down as it is defined: for the middle
// of a slot it looks at every point of every node.
type twin struct {
	bits    int
	members []Member
}

func twinOf(r *Ring) twin {
	d := r.Definition()
	return twin{d.TableBits, d.Nodes}
}

// nearestTo returns how far the nearest point of a member is from m.
func nearestTo(m uint64, n Member) (best uint64, any bool) {
	seed := Hash(n.ID)
	for i := range n.Points {
		h := pointHash(seed, uint32(i))
		if d := min(h-m, m-h); !any || d < best {
			best, any = d, true
		}
	}
	return best, any
}

// slot returns the id of a slot's owner, or "".
func (w twin) slot(s int) (owner string) {
	m := uint64(s)<<(64-w.bits) + 1<<(63-w.bits)
	var best uint64
	for _, n := range w.members { // by id: of equal ones the first stays
		if d, any := nearestTo(m, n); any && (owner == "" || d < best) {
			best, owner = d, n.ID
		}
	}
	return owner
}

// order returns all ids with points by their distance from a key's slot.
func (w twin) order(key string) (ids []string) {
	shift := 64 - w.bits
	m := Hash(key)>>shift<<shift + 1<<(shift-1)
	distance := map[string]uint64{}
	for _, n := range w.members {
		if d, any := nearestTo(m, n); any {
			distance[n.ID] = d
		}
	}
	for len(distance) > 0 {
		next := ""
		for id, d := range distance {
			if next == "" || d < distance[next] || d == distance[next] && id < next {
				next = id
			}
		}
		ids = append(ids, next)
		delete(distance, next)
	}
	return ids
}

// idOf returns the id of a node, or "" for None.
func idOf(r *Ring, v Index) string {
	if n := r.Node(v); n != nil {
		return n.ID
	}
	return ""
}

// compareWithTwin compares every step-th slot.
func compareWithTwin(t testing.TB, r *Ring, step int) {
	t.Helper()
	w := twinOf(r)
	for s := 0; s < r.TableSlots(); s += step {
		if got, want := idOf(r, r.Slot(s)), w.slot(s); got != want {
			t.Fatalf("%v: slot %d is of %q, by the rule of %q", r, s, got, want)
		}
	}
}
