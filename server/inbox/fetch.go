package inbox

// fetch finds out what a device gets next: skips and places of messages, not yet
// their bytes.
func (x *index) fetch(f *Fetch) {
	f.Skip, f.Why, f.Items, f.Last, f.Gone, f.Err = 0, "", f.Items[:0], 0, false, nil
	d := x.current(f.Ref, f.Fence)
	if d == nil {
		f.Gone = true
		return
	}
	x.expire(d, x.seconds())
	f.Last = x.committed(d)
	from := max(f.From, d.acked+1)
	if from > f.Last {
		return
	}
	f.Why = "ttl"
	if d.box == 0 {
		f.Skip = f.Last
	} else if b := x.boxes.at(d.box); from < b.first {
		f.Skip = min(b.first-1, f.Last)
	}
	if f.Skip > 0 && x.lossy {
		f.Why = "gone"
	}
	if d.box == 0 {
		return
	}
	b := x.boxes.at(d.box)
	i := uint32(max(from, b.first) - b.first)
	c, off := b.head, b.off+i
	for ; off >= perItemChunk; off -= perItemChunk {
		c = x.chunks.at(c).next
	}
	bytes := 0
	for ; i < b.n && b.first+uint64(i) <= f.Last && len(f.Items) < f.Max; i++ {
		if off == perItemChunk {
			c, off = x.chunks.at(c).next, 0
		}
		item := x.chunks.at(c).items[off]
		off++
		if !isBody(item) {
			if len(f.Items) > 0 {
				return
			}
			if f.Skip = b.first + uint64(i); item == lost {
				f.Why = "gone"
			}
			continue
		}
		v := x.bodies.at(item)
		if bytes += int(v.size); bytes > f.Bytes && len(f.Items) > 0 {
			return
		}
		f.Items = append(f.Items, Item{Seq: b.first + uint64(i), loc: v.loc, body: item})
	}
}

// keepFetched is how many bytes a Fetch keeps for its next use.
const keepFetched = 16 << 10

// Trim forgets the messages, and gives up their memory if it is much.
func (f *Fetch) Trim() {
	clear(f.Items)
	f.Items = f.Items[:0]
	n := 0
	for i, b := range f.bufs {
		if n += cap(b); n > keepFetched {
			clear(f.bufs[i:])
			f.bufs = f.bufs[:i]
			return
		}
	}
}

// lose turns a message that cannot be read into a hole. From now on what is missing
// may be a loss: a hole at the front of an inbox does not say why it is one.
func (x *index) lose(ref Ref, it Item) {
	x.mu.Lock()
	defer x.mu.Unlock()
	body := x.waiting(ref, it.Seq, it.loc)
	if body == 0 {
		return
	}
	d := x.get(ref)
	b := x.boxes.at(d.box)
	x.uncount(b, body)
	*x.slot(b, uint32(it.Seq-b.first)) = lost
	x.lossy = true
	x.n.Lost++
	x.n.InFlight--
	x.unref(body)
	x.tidy(d)
}

// waiting returns the body of message seq of a device if its bytes are at loc.
func (x *index) waiting(ref Ref, seq uint64, loc uint64) uint32 {
	d := x.get(ref)
	if d == nil || d.box == 0 {
		return 0
	}
	b := x.boxes.at(d.box)
	if seq < b.first || seq >= b.first+uint64(b.n) {
		return 0
	}
	item := x.item(b, uint32(seq-b.first))
	if !isBody(item) || x.bodies.at(item).loc != loc {
		return 0
	}
	return item
}

// has reports whether a body is in a device's inbox.
func (x *index) has(d *device, want Body) bool {
	if d.box == 0 || x.bodyOf(want) == nil {
		return false
	}
	b := x.boxes.at(d.box)
	c, off := b.head, b.off
	for range b.n {
		if off == perItemChunk {
			c, off = x.chunks.at(c).next, 0
		}
		if x.chunks.at(c).items[off] == want.index {
			return true
		}
		off++
	}
	return false
}

// isNext reports whether body is what the device gets as number seq.
func (x *index) isNext(ref Ref, fence uint32, seq uint64, want Body) bool {
	d := x.current(ref, fence)
	if d == nil || d.box == 0 || x.bodyOf(want) == nil {
		return false
	}
	b := x.boxes.at(d.box)
	return seq >= b.first && seq < b.first+uint64(b.n) && x.item(b, uint32(seq-b.first)) == want.index
}
