package inbox

// An inbox is the numbers from box.first on, without holes, each with the body
// that is its message; bodies are named by their number in index.bodies. Two
// numbers that no body has stand for what is no longer there.
const (
	expired = 0         // its ttl has passed
	lost    = 1<<32 - 1 // it was not found after a restart
)

// isBody reports whether an item is a body.
func isBody(item uint32) bool { return item != expired && item != lost }

// box is the inbox of a device for which something waits: 40 bytes.
type box struct {
	first      uint64 // number of the first item
	head, tail uint32 // chunks
	off        uint32 // of the first item in head
	n          uint32 // items
	live       uint32 // items with a body
	bytes      uint32 // of those
	expires    uint32 // no body expires before
}

// perItemChunk makes a chunk 64 bytes.
const perItemChunk = 15

// chunk is a piece of a list of items.
type chunk struct {
	items [perItemChunk]uint32
	next  uint32
}

// boxOf returns the inbox of a device, an empty one if nothing waits.
func (x *index) boxOf(d *device) *box {
	if d.box != 0 {
		return x.boxes.at(d.box)
	}
	i, b := x.boxes.alloc()
	d.box = i
	*b = box{first: d.last() + 1, expires: ^uint32(0)}
	return b
}

// push appends an item.
func (x *index) push(b *box, item uint32) {
	at := (b.off + b.n) % perItemChunk
	if b.n == 0 || at == 0 {
		i, _ := x.chunks.alloc()
		if b.n == 0 {
			b.head, b.off, at = i, 0, 0
		} else {
			x.chunks.at(b.tail).next = i
		}
		b.tail = i
	}
	x.chunks.at(b.tail).items[at] = item
	b.n++
	x.changes++
	if isBody(item) {
		v := x.bodies.at(item)
		v.refs++
		b.live++
		b.bytes += v.size
		b.expires = min(b.expires, v.expires)
	}
}

// pop takes the first item out.
func (x *index) pop(b *box) (item uint32) {
	c := x.chunks.at(b.head)
	item = c.items[b.off]
	b.first++
	b.n--
	b.off++
	if b.off == perItemChunk || b.n == 0 {
		next := c.next
		x.chunks.release(b.head)
		b.head, b.off = next, 0
	}
	x.uncount(b, item)
	return item
}

// popLast takes the last item out.
func (x *index) popLast(b *box) (item uint32) {
	b.n--
	item = x.item(b, b.n)
	if (b.off+b.n)%perItemChunk == 0 || b.n == 0 {
		old := b.tail
		if b.n > 0 {
			b.tail = b.head
			for x.chunks.at(b.tail).next != old {
				b.tail = x.chunks.at(b.tail).next
			}
			x.chunks.at(b.tail).next = 0
		}
		x.chunks.release(old)
	}
	x.uncount(b, item)
	return item
}

func (x *index) uncount(b *box, item uint32) {
	x.changes++
	if isBody(item) {
		b.live--
		b.bytes -= x.bodies.at(item).size
	}
}

// slot returns where item i lies, counted from the first.
func (x *index) slot(b *box, i uint32) *uint32 {
	c := b.head
	for i += b.off; i >= perItemChunk; i -= perItemChunk {
		c = x.chunks.at(c).next
	}
	return &x.chunks.at(c).items[i]
}

func (x *index) item(b *box, i uint32) uint32 { return *x.slot(b, i) }

// expireItem turns item i, whose time has passed, into a hole.
func (x *index) expireItem(b *box, at *uint32) {
	item := *at
	x.uncount(b, item)
	*at = expired
	x.n.Expired++
	x.n.InFlight--
	x.unref(item)
}

// tidy drops holes at the front, and the box when nothing is left. Holes at the
// front need no item: what is missing between device.acked and box.first is a
// hole.
func (x *index) tidy(d *device) {
	b := x.boxes.at(d.box)
	for b.n > 0 && !isBody(x.item(b, 0)) {
		x.pop(b)
	}
	if b.n == 0 {
		x.boxes.release(d.box)
		d.box = 0
	}
}

// expire turns what has expired in a device's inbox into holes. It looks only if
// something can have.
func (x *index) expire(d *device, now uint32) {
	if d.box == 0 || x.boxes.at(d.box).expires > now {
		return
	}
	b := x.boxes.at(d.box)
	first := ^uint32(0)
	c, off := b.head, b.off
	for range b.n {
		if off == perItemChunk {
			c, off = x.chunks.at(c).next, 0
		}
		at := &x.chunks.at(c).items[off]
		off++
		if !isBody(*at) {
			continue
		}
		v := x.bodies.at(*at)
		switch {
		case v.loc == 0: // its fate is open: it is looked at again at once
			first = min(first, v.expires)
		case v.expires <= now:
			x.expireItem(b, at)
		default:
			first = min(first, v.expires)
		}
	}
	b.expires = first
	x.tidy(d)
}
