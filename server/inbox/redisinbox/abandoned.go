package redisinbox

import (
	"strconv"

	"roost/server/inbox"
)

// abandoned looks after what a commit has stored that has failed as a whole, because something else of it has: a master of a
// Redis Cluster is away, or one device cannot be written. Nobody offers that to lanes, and Redis is not ahead of what
// is known here, so that no sweep would find it: the device would wait for its next message. What repetitions are told
// is that it is queued: that is what mostly becomes of it, and nobody has seen what did.
func (s *Store) abandoned(ops []inbox.Op) {
	var notes []outcome
	for _, op := range ops {
		switch op := op.(type) {
		case *inbox.Put:
			if op.Verdict != inbox.Stored {
				continue
			}
			s.toldToLook(op.Ref)
			if p := s.opt.Presence; p != nil && len(op.Message.ID) > 0 && op.Owner == p.Owner {
				notes = append(notes, s.outcomeOf(op, p.Likely.Elsewhere, s.seconds()))
			}
		case *inbox.Spread:
			if op.Body != (inbox.Body{}) { // it was given to some
				s.allToldToLook(op.Topic)
			}
		}
	}
	s.acks.addNotes(notes)
}

// toldToLook has the lanes of devices here look, where there is anything that they have not acknowledged.
func (s *Store) toldToLook(refs ...inbox.Ref) {
	for _, ref := range refs {
		s.mu.Lock()
		d, fence := s.m.get(ref), uint32(0)
		if d != nil && d.alone == 0 && d.last > d.acked && s.m.current(ref, d.fence) != nil {
			fence = d.fence
		}
		s.mu.Unlock()
		if fence != 0 {
			s.opt.Moved(ref, fence)
		}
	}
}

// allToldToLook is that for all here who are in a topic, or for all.
func (s *Store) allToldToLook(topic string) {
	for next := inbox.Ref(1); next != 0; {
		var refs []inbox.Ref
		refs, next = s.some(next, spreadSlice, topic)
		s.toldToLook(refs...)
	}
}

// outcomeOf is that Redis is told what became of a message with an id.
func (s *Store) outcomeOf(p *inbox.Put, what uint8, now uint32) outcome {
	this, before := s.names(p.Device).keys(now)
	return outcome{noteOf(p.Device, p.Message.ID), call{script: noteScript, keys: []string{this, before},
		args: []string{string(p.Message.ID), strconv.Itoa(int(what))}}}
}

// addNotes has outcomes written.
func (a *acks) addNotes(notes []outcome) {
	if len(notes) == 0 {
		return
	}
	a.mu.Lock()
	if len(a.notes) < maxNotes {
		a.notes = append(a.notes, notes...)
		for _, v := range notes {
			a.noted[v.of] = true
		}
	}
	a.mu.Unlock()
	signal(a.wake)
}
