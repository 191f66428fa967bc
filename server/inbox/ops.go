package inbox

func (l *Latest) plan(x *index, w writer) {
	if l.Message == nil {
		if x.latestOf(l.Topic) == nil {
			l.Err = ErrUnknown
			return
		}
		w.clear(l.Topic)
		return
	}
	more := int64(len(l.Message.Payload) + len(l.Message.ID) + len(l.Message.Channel) + 8)
	it := x.topics.byName[l.Topic]
	if it != nil {
		more -= int64(len(it.latest)) // which it replaces
	}
	if x.topics.bytes+more > x.limits.Latest || it == nil && len(x.topics.byName) >= x.limits.Topics {
		l.Err = ErrTopics
		return
	}
	l.record = w.latest(l.Topic, x.seconds()+l.Message.TTL, l.Message)
}

func (l *Latest) commit(x *index, w writer) {
	if l.Err != nil {
		return
	}
	if l.Message == nil {
		if it := x.topics.byName[l.Topic]; it != nil {
			x.setLatest(it, nil, 0, 0)
		}
		return
	}
	it, err := x.makeTopic(l.Topic)
	if err != nil {
		l.Err = err
		return
	}
	x.setLatest(it, l.Message.appendContent(nil), x.seconds()+l.Message.TTL, w.place(l.record))
}

func (l *Latest) undo(*index) { l.Err = nil }

func (l *Latest) alone() bool { return false }

// plan judges by what is committed, as long as no other subscription is on its
// way: the last word on a topic counts, also within a batch.
func (s *Subscription) plan(x *index, w writer) {
	s.Err, s.nothing, s.planned = nil, false, false
	d := x.get(s.Ref)
	if d == nil {
		s.Err = ErrUnknown
		return
	}
	node, n := x.membership(d, s.Topic)
	switch {
	case x.subscribing > 0:
		s.store(x, w)
	case (node != 0) == s.On:
		s.nothing = true
	case s.On && n >= MaxSubscriptions:
		s.Err = ErrSubscriptions
	case s.On && x.topics.byName[s.Topic] == nil && len(x.topics.byName) >= x.limits.Topics:
		s.Err = ErrTopics
	default:
		s.store(x, w)
	}
}

// store has it logged; commit decides what it comes to.
func (s *Subscription) store(x *index, w writer) {
	s.planned = true
	x.subscribing++
	w.subscription(s.Ref, s.Topic, s.On)
}

// settled says that it is not on its way any more.
func (s *Subscription) settled(x *index) {
	if s.planned {
		s.planned = false
		x.subscribing--
	}
}

// commit applies it. The bounds are looked at again: others of the same batch may
// have filled them. A replay of the log comes to the same end.
func (s *Subscription) commit(x *index, _ writer) {
	s.settled(x)
	if s.Err != nil || s.nothing {
		return
	}
	d := x.get(s.Ref)
	if s.On {
		s.Err = x.subscribe(s.Ref, d, s.Topic)
	} else {
		x.unsubscribe(d, s.Topic)
	}
}

func (s *Subscription) undo(x *index) {
	s.settled(x)
	s.Err, s.nothing = nil, false
}

func (s *Subscription) alone() bool { return false }

func (r *Removal) plan(x *index, w writer) {
	r.Err = nil
	ref, d := x.find([]byte(r.Device))
	if d == nil {
		r.Err = ErrUnknown
		return
	}
	r.Ref = ref
	w.remove(ref)
}

func (r *Removal) commit(x *index, _ writer) {
	if r.Err == nil {
		x.remove(r.Ref)
	}
}

func (r *Removal) undo(*index) { r.Err = nil }

// alone: what a removal takes away could not be undone together with what was
// planned before and after it.
func (r *Removal) alone() bool { return true }

// remove forgets a device. Who comes under its id later begins in a new era.
func (x *index) remove(ref Ref) {
	d := x.get(ref)
	if d.box != 0 {
		b := x.boxes.at(d.box)
		for b.n > 0 {
			if item := x.pop(b); isBody(item) {
				x.n.Removed++
				x.n.InFlight--
				x.unref(item)
			}
		}
		x.tidy(d)
	}
	x.unsubscribeAll(d)
	// Sessions of the next device with this number are told from those of this
	// one by going on with the fence.
	*d = device{fence: d.fence + 1}
	x.lives[ref]++ // the keys of this one mean nothing to the next
	x.idBytes -= int64(len(x.ids.ID(uint32(ref) - 1)))
	x.ids.Remove(uint32(ref) - 1)
	x.era++
}
