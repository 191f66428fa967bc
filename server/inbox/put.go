package inbox

import "roost/server/idmap"

// plan stages a message: judged, numbered and put at the end of the inbox, but
// shown to nobody until commit.
func (p *Put) plan(x *index, w writer) {
	ref, d := x.find([]byte(p.Device))
	if d == nil && x.limits.KeepUnknown && len(p.Device) > 0 && len(p.Device) <= idmap.MaxID {
		ref, d, _ = x.add([]byte(p.Device)) // it stays known if the commit fails: no harm
	}
	if d == nil {
		p.Verdict = Unknown
		return
	}
	p.Ref = ref
	now := x.seconds()
	if len(p.Message.ID) > 0 {
		p.key = x.keyOf(ref, p.Message.ID)
		if f, known := x.keys.get(p.key, now); known {
			p.Verdict, p.Seq, p.First = Duplicate, f.seq, f.outcome
			x.n.Duplicates++
			return
		}
	}
	content := w.message(p.Message)
	size := len(content)
	if p.Verdict = x.judge(d, size, now, len(p.Message.ID) > 0); p.Verdict != Pending {
		x.n.Refused++
		return
	}
	p.body = x.newBody(size, now+p.Message.TTL)
	p.Seq = x.give(d, p.body)
	if len(p.Message.ID) > 0 {
		x.keys.set(p.key, first{seq: p.Seq, expires: keyExpires(now, p.Message.TTL)})
	}
	p.record = w.put(ref, p.Seq, now, p.body, content)
}

// judge says whether a message of size bytes can be kept for a device.
func (x *index) judge(d *device, size int, now uint32, withKey bool) Verdict {
	if withKey && x.keys.len() >= x.limits.Keys {
		return Limited
	}
	if !x.fits(size) {
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
	return d.last()
}

// takeBack is the inverse of give for the last message.
func (x *index) takeBack(d *device) {
	b := x.boxes.at(d.box)
	item := x.popLast(b)
	d.lag--
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
	x.settle(p.body, w.place(p.record))
	x.n.Published++
	x.n.InFlight++
}

func (p *Put) undo(x *index) {
	if p.Verdict == Pending && p.body != 0 {
		x.takeBack(x.get(p.Ref))
		if len(p.Message.ID) > 0 {
			x.keys.remove(p.key)
		}
	}
	p.Verdict, p.Seq, p.body = Pending, 0, 0
}

func (p *Put) alone() bool { return false }

// spreadSlice is how many devices a spread looks at before it lets others at the
// index.
const spreadSlice = 1024

// plan stages the message for every device of the topic.
func (s *Spread) plan(x *index, w writer) {
	now := x.seconds()
	if len(s.Message.ID) > 0 {
		s.key = x.spreadKey(s.Topic, s.Message.ID)
		if f, known := x.keys.get(s.key, now); known {
			s.Verdict, s.Receivers = Duplicate, int(f.seq)
			x.n.Duplicates++
			return
		}
		if x.keys.len() >= x.limits.Keys {
			s.Verdict = Limited
			return
		}
	}
	content := w.message(s.Message)
	if !x.fits(len(content)) {
		s.Verdict = Full
		return
	}
	s.body = x.newBody(len(content), now+s.Message.TTL)
	x.bodies.at(s.body).refs++ // ours until commit
	s.Body = Body{s.body, x.bodies.at(s.body).serial}
	s.receivers = x.audience(s.receivers[:0], s.Topic)
	kept := s.receivers[:0]
	for i, ref := range s.receivers {
		if i%spreadSlice == spreadSlice-1 {
			x.mu.Unlock() // only committers take or remove messages at the end
			x.mu.Lock()
		}
		d := x.get(ref)
		if x.judgeBox(d, len(content), now) != Pending {
			s.Refused++
			continue
		}
		x.give(d, s.body)
		kept = append(kept, ref)
	}
	s.receivers, s.Receivers = kept, len(kept)
	x.n.Refused += uint64(s.Refused)
	if len(s.Message.ID) > 0 {
		x.keys.set(s.key, first{seq: uint64(s.Receivers), expires: keyExpires(now, s.Message.TTL)})
	}
	s.record = w.spread(x, s, now, content)
}

// audience returns the devices of a topic, or all.
func (x *index) audience(refs []Ref, topic string) []Ref {
	if topic == "" {
		for n := range x.ids.End() {
			if x.ids.Used(n) {
				refs = append(refs, Ref(n+1))
			}
		}
		return refs
	}
	if it := x.topics.byName[topic]; it != nil {
		for _, node := range it.members {
			refs = append(refs, x.topics.nodes.at(node).ref)
		}
	}
	return refs
}

func (s *Spread) commit(x *index, w writer) {
	if s.Verdict != Pending {
		return
	}
	s.Verdict = Stored
	x.settle(s.body, w.place(s.record))
	x.unref(s.body)
	x.n.Published += uint64(s.Receivers)
	x.n.InFlight += uint64(s.Receivers)
	s.receivers = nil
}

func (s *Spread) undo(x *index) {
	if s.Verdict == Pending && s.body != 0 {
		for i := len(s.receivers) - 1; i >= 0; i-- {
			x.takeBack(x.get(s.receivers[i]))
		}
		x.unref(s.body)
		if len(s.Message.ID) > 0 {
			x.keys.remove(s.key)
		}
	}
	s.Verdict, s.Receivers, s.Refused, s.body, s.receivers = Pending, 0, 0, 0, nil
}

func (s *Spread) alone() bool { return false }
