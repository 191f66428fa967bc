package inbox

import "slices"

// plan stages the message for every device of the topic.
func (s *Spread) plan(x *index, w writer) {
	now, size := x.seconds(), s.Message.contentSize()
	if len(s.Message.ID) > 0 {
		s.key = x.spreadKey(s.Topic, s.Message.ID)
		x.keys.turn(now)
		if f, known := x.keys.get(s.key, now); known {
			s.Verdict, s.Receivers = Duplicate, int(f.seq)
			x.n.Duplicates++
			return
		}
		if x.keys.len() >= x.limits.Keys {
			s.Verdict = Limited
			x.n.Limited++
			x.n.Refused++
			return
		}
		s.setKey(x, now) // a repetition may come while others are at the index
	}
	if !x.fits(size) {
		s.Verdict = Full
		x.keys.remove(s.key)
		return
	}
	content := w.message(s.Message)
	s.body = x.newBody(size, now+s.Message.TTL)
	x.bodies.at(s.body).refs++ // ours until commit
	x.held++
	w.keep(s.body, content)
	s.Body = Body{s.body, x.bodies.at(s.body).serial}
	s.receivers = s.receivers[:0]
	x.audience(s.Topic, func(ref Ref, d *device) {
		if x.judgeBox(d, size, now) != Pending {
			s.Refused++
			return
		}
		x.give(d, s.body)
		s.Receivers++
		if !x.atOnce {
			s.receivers = append(s.receivers, ref)
		}
	})
	x.n.Refused += uint64(s.Refused)
	if len(s.Message.ID) > 0 {
		s.setKey(x, now)
	}
	s.record = w.spread(x, s, now, content)
}

func (s *Spread) setKey(x *index, now uint32) {
	x.keys.set(s.key, first{seq: uint64(s.Receivers), expires: keyExpires(now, s.Message.TTL), size: uint16(len(s.Topic) + len(s.Message.ID))})
}

// audience calls f with the devices of a topic, or all. Between slices of them others
// get at the index: who comes or goes meanwhile is among them or not. In a File only
// who commits changes what is planned on; in a Memory a removal may come between.
func (x *index) audience(topic string, f func(ref Ref, d *device)) {
	if topic == "" {
		for n := uint32(0); n < x.ids.End(); n++ {
			if n%slice == slice-1 {
				x.pause()
			}
			if ref := Ref(n + 1); x.ids.Used(n) {
				f(ref, x.get(ref))
			}
		}
		return
	}
	it := x.topics.byName[topic]
	if it == nil {
		return
	}
	for i, node := range slices.Clone(it.members) {
		if i%slice == slice-1 {
			x.pause()
		}
		if node >= x.topics.nodes.end || x.topics.byID[it.id] != it {
			continue
		}
		if v := x.topics.nodes.at(node); v.ref != 0 && v.topic == it.id {
			f(v.ref, x.get(v.ref))
		}
	}
}

func (s *Spread) commit(x *index, w writer) {
	if s.Verdict != Pending {
		return
	}
	s.Verdict = Stored
	if !x.atOnce {
		x.settle(s.body, w.place(s.record))
		x.n.Published += uint64(s.Receivers)
		x.n.InFlight += uint64(s.Receivers)
	}
	x.release(s.body)
	s.receivers = nil
}

// release gives back what plan has held.
func (x *index) release(body uint32) {
	x.held--
	x.changes++
	x.unref(body)
}

func (s *Spread) undo(x *index) {
	if s.Verdict == Pending && s.body != 0 {
		for i, ref := range slices.Backward(s.receivers) {
			if x.takeBack(x.get(ref)); i%slice == slice-1 {
				x.pause()
			}
		}
		x.release(s.body)
		if len(s.Message.ID) > 0 {
			x.keys.remove(s.key)
		}
	}
	s.Verdict, s.Receivers, s.Refused, s.body, s.receivers = Pending, 0, 0, 0, nil
}

func (s *Spread) alone() bool { return false }
