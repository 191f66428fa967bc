package inbox

// spreadSlice is how many devices a spread looks at before it lets others at the
// index.
const spreadSlice = 1024

// plan stages the message for every device of the topic.
func (s *Spread) plan(x *index, w writer) {
	now := x.seconds()
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
		x.keys.set(s.key, first{seq: uint64(s.Receivers), expires: keyExpires(now, s.Message.TTL), size: uint16(len(s.Topic) + len(s.Message.ID))})
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
