package mesh_test

import (
	"strconv"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/presence"
)

// truth is the store that all nodes share, as they share a Redis.
type truth struct {
	*inbox.Memory
	w    *world
	lock chan struct{} // a mutex under which time may pass
	down bool          // under lock
}

func newTruth(w *world) *truth {
	return &truth{Memory: inbox.NewMemory(inbox.Limits{}, nil), w: w, lock: make(chan struct{}, 1)}
}

func (s *truth) enter() { s.lock <- struct{}{} }
func (s *truth) leave() { <-s.lock }

func (s *truth) setDown(down bool) {
	s.enter()
	defer s.leave()
	s.down = down
}

func (s *truth) isDown() bool {
	s.enter()
	defer s.leave()
	return s.down
}

// shared is the truth as one node reaches it.
type shared struct {
	*truth
	p *proc
}

// Commit stores, and says in the same breath who has the devices.
func (s *shared) Commit(c *inbox.Commit) {
	s.enter()
	defer s.leave()
	if s.down {
		c.Err = inbox.ErrFailed
		c.Done(c)
		return
	}
	done := c.Done
	c.Done = func(c *inbox.Commit) {
		for _, op := range c.Ops {
			switch op := op.(type) {
			case *inbox.Put:
				s.w.lived(op)
				if a, err := s.w.presence.Get(s.w.t.Context(), []string{op.Device}); err == nil && a[0].Record.Hold == presence.Held {
					op.Owner = a[0].Record.Owner.String()
				}
			case *inbox.Spread:
				s.spread(op)
			}
		}
		done(c)
	}
	s.Memory.Commit(c)
}

// spread notes for whom a message to many was stored.
func (s *shared) spread(op *inbox.Spread) {
	if op.Verdict != inbox.Stored {
		return
	}
	var receivers []string
	for _, d := range s.w.devices {
		ref := s.Find([]byte(d.id))
		is := ref != 0 && op.Topic == ""
		s.EachTopic(ref, func(t string) { is = is || t == op.Topic })
		if is {
			receivers = append(receivers, d.id)
		}
	}
	if len(receivers) != op.Receivers {
		s.w.fail("message %s was stored for %d devices; %v are in %q", op.Message.Payload, op.Receivers, receivers, op.Topic)
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	for _, m := range s.w.messages {
		if strconv.Itoa(m.n) == string(op.Message.Payload) {
			s.w.acceptedLocked(m, receivers)
		}
	}
}

// Fetch fails while Redis is down.
func (s *shared) Fetch(f *inbox.Fetch) {
	s.enter()
	defer s.leave()
	if s.down {
		f.Err = inbox.ErrFailed
		return
	}
	s.Memory.Fetch(f)
}

// Ack is kept by the node while Redis is down.
func (s *shared) Ack(ref inbox.Ref, fence uint32, seq uint64) bool {
	s.enter()
	defer s.leave()
	if s.down {
		s.p.unheard(ref, acked{fence, seq})
		return true
	}
	return s.Memory.Ack(ref, fence, seq)
}

// Last knows of those.
func (s *shared) Last(ref inbox.Ref, fence uint32) (uint64, uint64) {
	last, to := s.Memory.Last(ref, fence)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if a := s.p.late[ref]; a.fence == fence {
		to = max(to, a.seq)
	}
	return last, to
}

// acked is how far a session has acknowledged.
type acked struct {
	fence uint32
	seq   uint64
}

var _ inbox.Store = (*shared)(nil)
var _ delivery.Sender = (*proc)(nil)
