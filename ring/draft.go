package ring

import "slices"

// draft is a ring under construction: it starts as a copy of another, shares
// its chunks and copies those that it changes. The table and the slots of each
// node are right after every single step.
type draft struct {
	*Ring
	own  []bool // by chunk: it is a copy and may be changed
	free int    // every place before it has a node
}

// scatter is Ring's; the new chunks are the draft's own.
func (d *draft) scatter() {
	d.Ring.scatter()
	d.own = slices.Repeat([]bool{true}, len(d.chunks))
}

// resize gives the ring another table.
func (d *draft) resize(bits int) {
	d.shift, d.table = uint8(64-bits), make([]Index, 1<<bits)
	d.fill()
}

// add gives a node its next point.
func (d *draft) add(v Index) {
	d.insert(pointHash(d.seeds[v], d.counts[v]), v)
	d.counts[v]++
}

// drop takes a node's last point away.
func (d *draft) drop(v Index) {
	d.counts[v]--
	d.remove(pointHash(d.seeds[v], d.counts[v]), v)
}

// insert puts a point of v at h.
func (d *draft) insert(h uint64, v Index) {
	c := d.chunkForWrite(h)
	at := d.place(c, h, v)
	c.hash = slices.Insert(c.hash, at, h)
	c.node = slices.Insert(c.node, at, v)
	d.points++
	d.repaint(c, at, h)
}

// remove takes the point of v at h away.
func (d *draft) remove(h uint64, v Index) {
	c := d.chunkForWrite(h)
	at := d.place(c, h, v)
	c.hash = slices.Delete(c.hash, at, at+1)
	c.node = slices.Delete(c.node, at, at+1)
	d.points--
	d.repaint(c, at, h)
}

// place returns where in c the point of v at h is or belongs.
func (d *draft) place(c *chunk, h uint64, v Index) int {
	at := c.search(h)
	for at < len(c.hash) && c.hash[at] == h && d.nodes[c.node[at]].ID < d.nodes[v].ID {
		at++
	}
	return at
}

// chunkForWrite returns the chunk of h, copied with room for a few more points
// if it is still shared.
func (d *draft) chunkForWrite(h uint64) *chunk {
	at := d.chunkOf(h)
	c := d.chunks[at]
	if !d.own[at] {
		d.own[at] = true
		room := len(c.hash) + 4
		c = &chunk{append(make([]uint64, 0, room), c.hash...), append(make([]Index, 0, room), c.node...)}
		d.chunks[at] = c
	}
	return c
}

// repaint makes the table right around h, where a point has come or gone at a
// place in c.
func (d *draft) repaint(c *chunk, at int, h uint64) {
	if d.points == 0 {
		d.paint(0, len(d.table), None)
		return
	}
	left, right := at, at
	for left > 0 && c.hash[left-1] == h {
		left--
	}
	for right < len(c.hash) && c.hash[right] == h {
		right++
	}
	before, after := d.leftOf(c, left, h), d.rightOf(c, right, h)
	if left < right {
		mid := point{h, c.node[left]}
		d.arc(before, mid)
		d.arc(mid, after)
		return
	}
	d.arc(before, after)
}

// leftOf is before(h), where the points at h begin at a place in c.
func (d *draft) leftOf(c *chunk, at int, h uint64) point {
	if at == 0 {
		return d.before(h)
	}
	at--
	for at > 0 && c.hash[at-1] == c.hash[at] {
		at--
	}
	return point{c.hash[at], c.node[at]}
}

// rightOf is after(h), where the points at h end at a place in c.
func (d *draft) rightOf(c *chunk, at int, h uint64) point {
	if at == len(c.hash) {
		return d.after(h)
	}
	return point{c.hash[at], c.node[at]}
}

// arc paints the slots whose middles lie in [p, q), between two neighbours.
// Where they are one point, it is the only one and owns all.
func (d *draft) arc(p, q point) {
	if p.hash == q.hash {
		d.paint(0, len(d.table), p.node)
		return
	}
	first, n := d.slotFrom(p.hash), d.slotsIn(p.hash, q.hash-p.hash)
	left := n
	if p.node != q.node {
		left = d.slotsIn(p.hash, d.border(p, q)-p.hash)
	}
	d.paint(first, left, p.node)
	d.paint(first+left, n-left, q.node)
}

// paint gives n slots from first on, round the circle, to a node.
func (d *draft) paint(first, n int, v Index) {
	for ; n > 0; n-- {
		s := first & (len(d.table) - 1)
		first++
		old := d.table[s]
		if old == v {
			continue
		}
		d.table[s] = v
		if old != None {
			d.slots[old]--
		}
		if v != None {
			d.slots[v]++
		}
	}
}

// clone returns a draft of a new version of r with room for more nodes.
func (r *Ring) clone(version uint64, more int) *draft {
	n := *r
	n.version = version
	n.table = slices.Clone(r.table)
	n.nodes = append(make([]Node, 0, len(r.nodes)+more), r.nodes...)
	n.counts = append(make([]uint32, 0, len(r.nodes)+more), r.counts...)
	n.slots = append(make([]uint32, 0, len(r.nodes)+more), r.slots...)
	n.seeds = append(make([]uint64, 0, len(r.nodes)+more), r.seeds...)
	n.order = append(make([]Index, 0, len(r.order)+more), r.order...)
	n.chunks = slices.Clone(r.chunks)
	return &draft{Ring: &n, own: make([]bool, len(n.chunks))}
}
