package inbox

import "slices"

// plan has a place for the value: a topic, and bytes. So commit cannot fail, and
// what is logged counts.
func (l *Latest) plan(x *index, w writer) {
	it := x.topics.byName[l.Topic]
	if l.Message == nil {
		if x.latestOf(l.Topic) == nil && (it == nil || it.setting == 0) {
			l.Err = ErrUnknown
			return
		}
		w.clear(l.Topic)
		return
	}
	more := int64(l.Message.contentSize())
	if it != nil {
		more -= int64(len(it.latest)) // which it replaces
	}
	if x.topics.bytes+x.topics.reserved+more > x.limits.Latest {
		l.Err = ErrTopics
		return
	}
	if l.topic, l.Err = x.pin(l.Topic); l.Err != nil {
		return
	}
	l.reserved = max(more, 0)
	x.topics.reserved += l.reserved
	l.topic.setting++
	l.record = w.latest(l.Topic, x.seconds()+l.Message.TTL, l.Message)
}

func (l *Latest) commit(x *index, w writer) {
	switch {
	case l.Err != nil:
	case l.Message != nil:
		x.setLatest(l.topic, l.Message.appendContent(nil), x.seconds()+l.Message.TTL, w.place(l.record))
		l.settled(x)
	default:
		if it := x.topics.byName[l.Topic]; it != nil {
			x.setLatest(it, nil, 0, 0)
		}
	}
}

// settled gives back what plan has reserved.
func (l *Latest) settled(x *index) {
	if l.topic != nil {
		x.topics.reserved -= l.reserved
		l.topic.setting--
		x.unpin(l.topic)
		l.topic = nil
	}
}

func (l *Latest) undo(x *index) {
	l.settled(x)
	l.Err = nil
}

func (l *Latest) alone() bool { return false }

// plan judges by what is committed and by what is on its way for the device: the
// last word on a topic counts, also within a batch. What is logged will be so.
func (s *Subscription) plan(x *index, w writer) {
	s.Err, s.nothing = nil, false
	d := s.device(x)
	if d == nil {
		s.Err = ErrUnknown
		return
	}
	node, n := x.membership(d, s.Topic)
	on := node != 0
	for _, before := range x.topics.planned[s.Ref] {
		if n--; before.On {
			n += 2
		}
		if before.Topic == s.Topic {
			on = before.On
		}
	}
	switch {
	case on == s.On:
		s.nothing = true
		return
	case s.On && n >= MaxSubscriptions:
		s.Err = ErrSubscriptions
		return
	case s.On:
		if s.topic, s.Err = x.pin(s.Topic); s.Err != nil {
			return
		}
	}
	x.topics.planned[s.Ref] = append(x.topics.planned[s.Ref], s)
	w.subscription(s.Ref, s.Topic, s.On)
}

// device finds the device that is meant.
func (s *Subscription) device(x *index) *device {
	if s.Device != "" {
		ref, d := x.find([]byte(s.Device))
		s.Ref = ref
		return d
	}
	if s.Fence != 0 && int32(s.Fence-x.lives[s.Ref].fence) <= 0 {
		return nil
	}
	return x.get(s.Ref)
}

func (s *Subscription) commit(x *index, _ writer) {
	if s.Err != nil || s.nothing {
		return
	}
	d := x.get(s.Ref)
	if s.On {
		s.Err = x.subscribe(s.Ref, d, s.Topic)
	} else {
		x.unsubscribe(d, s.Topic)
	}
	s.settled(x)
}

// settled says that it is not on its way any more.
func (s *Subscription) settled(x *index) {
	left := slices.DeleteFunc(x.topics.planned[s.Ref], func(o *Subscription) bool { return o == s })
	if x.topics.planned[s.Ref] = left; len(left) == 0 {
		delete(x.topics.planned, s.Ref)
	}
	if s.topic != nil {
		x.unpin(s.topic)
		s.topic = nil
	}
}

func (s *Subscription) undo(x *index) {
	if s.Err == nil && !s.nothing {
		s.settled(x)
	}
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
	if d.fence&awayBit != 0 {
		d.fence = 0
	}
	*d = device{fence: d.fence + 1}
	x.lives[ref] = life{x.lives[ref].n + 1, d.fence} // the keys of this one mean nothing to the next
	x.idBytes -= int64(len(x.ids.ID(uint32(ref) - 1)))
	x.ids.Remove(uint32(ref) - 1)
	x.era++
}
