package ring

// border returns the first hash after p, and at most at q, that is q's and not
// p's, where q is the next point: a hash is the nearer one's, and if it is as near
// to both the smaller id's. Only the middles of slots are ever asked about, so
// ids are only compared where one is as near to both.
func (r *Ring) border(p, q point) uint64 {
	gap := q.hash - p.hash
	middle := p.hash + gap/2
	half := uint64(1) << ((r.shift - 1) & 63)
	if middle&(half<<1-1) == half && gap%2 == 0 && r.nodes[q.node].ID < r.nodes[p.node].ID {
		return middle
	}
	return middle + 1
}

// slotFrom returns the first slot whose middle is at h or after it.
func (r *Ring) slotFrom(h uint64) int {
	half := uint64(1) << ((r.shift - 1) & 63)
	return int((h + (half - 1)) >> (r.shift & 63)) // past the last one it is 0 again
}

// slotsIn returns how many slots have their middles in [h, h+length), 0 <
// length < 2^64.
func (r *Ring) slotsIn(h, length uint64) int {
	n := (r.slotFrom(h+length) - r.slotFrom(h)) & (len(r.table) - 1)
	if n == 0 && length>>(r.shift&63) != 0 {
		return len(r.table) // all round
	}
	return n
}

// fill makes the table and the slots of each node. First the slot where a
// point's part of the circle begins is marked with its node, then the marks are
// carried forward. The part of a point that owns no slot begins where the next
// one's does, and the next one's mark takes its place.
func (r *Ring) fill() {
	clear(r.slots)
	r.table[0] = None
	for n := 1; n < len(r.table); n *= 2 {
		copy(r.table[n:], r.table[:n])
	}
	if r.points == 0 {
		return
	}
	last := r.before(0)
	if r.after(last.hash).hash == last.hash {
		r.carry(0, last.node)
		return
	}
	begin := r.mark(last)
	r.carry(begin, r.table[begin])
}

// mark marks the slot where each point's part begins, and returns the first
// one's. It walks the points from the first on; last is the one before.
func (r *Ring) mark(last point) (begin int) {
	mask := len(r.table) - 1
	p, first, any := last, uint64(0), false
	for _, c := range r.chunks {
		for i, h := range c.hash {
			if h == p.hash {
				continue // of points at one place the smallest id comes first
			}
			q := point{h, c.node[i]}
			next := r.border(p, q)
			s := r.slotFrom(next) & mask
			if !any {
				begin, first, any = s, next, true
			}
			// Not by how far s is from begin: whether a point owns a slot cannot be foreseen.
			if s == begin && next-first > 1<<63 {
				return begin // round: the rest owns no slot
			}
			r.table[s] = q.node
			p = q
		}
	}
	return begin
}

// carry gives every slot without a mark to the node of the one before, from
// begin on.
func (r *Ring) carry(begin int, v Index) {
	slots := r.slots
	for _, part := range [...][]Index{r.table[begin:], r.table[:begin]} {
		for i, mark := range part {
			// Without a branch, which would be mispredicted at every other slot.
			keep := Index((uint32(mark^None) - 1) >> 16) // all ones where there is no mark
			v = v&keep | mark&^keep
			part[i] = v
			slots[v]++
		}
	}
}
