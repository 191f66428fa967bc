package inbox

import "roost/server/idmap"

// plan stages a message: judged, numbered and put at the end of the inbox, but
// shown to nobody until commit.
func (p *Put) plan(x *index, w writer) {
	size, now := p.Message.contentSize(), x.seconds()
	d := p.accept(x, size, now, false)
	if d == nil {
		return
	}
	content := w.message(p.Message)
	body := x.newBody(size, now+p.Message.TTL)
	w.keep(body, content)
	p.stage(x, d, body, now)
	p.sharers = 1
	p.record = w.put(p.Ref, p.Seq, now, content)
}

// accept returns the device that the message, of size bytes, is to be stored for;
// else nil, and the verdict says why. had: the body is there already.
func (p *Put) accept(x *index, size int, now uint32, had bool) *device {
	ref, d := x.find([]byte(p.Device))
	if d == nil && x.limits.KeepUnknown && len(p.Device) > 0 && len(p.Device) <= idmap.MaxID {
		ref, d, _ = x.add([]byte(p.Device)) // it stays known if the commit fails: no harm
	}
	if d == nil {
		p.Verdict = Unknown
		return nil
	}
	p.Ref, p.Life, p.Fence = ref, x.lives[ref].n, d.fence
	if len(p.Message.ID) > 0 {
		p.key = x.keyOf(ref, p.Message.ID)
		x.keys.turn(now) // ticks may be late
		if f, known := x.keys.get(p.key, now); known {
			p.Verdict, p.Seq, p.First = Duplicate, f.seq, f.outcome
			x.n.Duplicates++
			return nil
		}
	}
	if p.Verdict = x.judge(d, size, now, len(p.Message.ID) > 0, had); p.Verdict != Pending {
		if x.n.Refused++; p.Verdict == Limited {
			x.n.Limited++
		}
		return nil
	}
	return d
}

// stage numbers the message and puts it into the inbox.
func (p *Put) stage(x *index, d *device, body uint32, now uint32) {
	p.body = body
	p.Seq = x.give(d, body)
	if len(p.Message.ID) > 0 {
		x.keys.set(p.key, first{seq: p.Seq, expires: keyExpires(now, p.Message.TTL), size: uint16(len(p.Message.ID))})
	}
}

// judge says whether a message of size bytes can be kept for a device. had: others
// have its body already.
func (x *index) judge(d *device, size int, now uint32, withKey, had bool) Verdict {
	if withKey && x.keys.len() >= x.limits.Keys {
		return Limited
	}
	if !had && !x.fits(size) {
		return Full
	}
	return x.judgeBox(d, size, now)
}

// fits reports whether the node has room for one more body.
func (x *index) fits(size int) bool { return x.n.Bytes+int64(size)+bodyCost <= x.limits.Total }

// judgeBox says whether a device's inbox has room for size more bytes.
func (x *index) judgeBox(d *device, size int, now uint32) Verdict {
	if size > x.limits.Bytes {
		return Full
	}
	if d.box == 0 {
		return Pending
	}
	if b := x.boxes.at(d.box); b.n >= uint32(x.limits.Messages) || int(b.bytes)+size > x.limits.Bytes {
		x.expire(d, now)
	}
	if d.box == 0 {
		return Pending
	}
	// Holes count as long as they hold a place: they are memory too.
	if b := x.boxes.at(d.box); b.n >= uint32(x.limits.Messages) || int(b.bytes)+size > x.limits.Bytes {
		return Full
	}
	if d.lag == 1<<32-1 {
		return Full
	}
	return Pending
}

// give numbers a message of a device and puts it into the inbox.
func (x *index) give(d *device, body uint32) (seq uint64) {
	x.push(x.boxOf(d), body)
	d.lag++
	if d.fence&awayBit != 0 {
		d.fence++
	}
	if x.atOnce {
		x.n.Published++
		x.n.InFlight++
	}
	return d.last()
}

// takeBack is the inverse of give for the last message.
func (x *index) takeBack(d *device) {
	b := x.boxes.at(d.box)
	item := x.popLast(b)
	d.lag--
	if d.fence&awayBit != 0 {
		d.fence--
	}
	x.unref(item)
	if b.n == 0 {
		x.tidy(d)
	}
}

func (p *Put) commit(x *index, w writer) {
	if p.Verdict != Pending {
		return
	}
	p.Verdict = Stored
	if p.sharers > 0 && !x.atOnce {
		x.settle(p.body, w.place(p.record))
		x.n.Published += uint64(p.sharers)
		x.n.InFlight += uint64(p.sharers)
	}
}

func (p *Put) undo(x *index) {
	if p.Verdict == Pending && p.body != 0 {
		x.takeBack(x.get(p.Ref))
		if len(p.Message.ID) > 0 {
			x.keys.remove(p.key)
		}
	}
	p.Verdict, p.Seq, p.body, p.sharers = Pending, 0, 0, 0
}

func (p *Put) alone() bool { return false }
