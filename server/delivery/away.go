package delivery

import "roost/server/inbox"

// Away brings word of stored messages to the nodes that their devices are connected
// to.
type Away interface {
	// Notice is asked for each Put that is stored and has an Owner: in the order of the
	// commit, on the goroutine of the store that calls Commit.Done, so it must not
	// wait. It reports false when the owner is this node; otherwise answer is
	// called once, from any goroutine, perhaps before Notice returns, with
	// StatusQueued when the owner's node has taken the word, or StatusOffline.
	Notice(p *inbox.Put, answer func(Status)) bool
	// Again is called for each Put that is a duplicate and has an Owner, as Notice is: the
	// answer of the first may have been lost on its way from the store, and then nobody was told
	// of the message. It is not waited for.
	Again(p *inbox.Put)
}

// PublishTo is Publish for a store that several nodes share: away is told of what
// is stored for devices that are elsewhere; nil is nobody. All words of a commit are
// given at once and then waited for together, so a commit takes no longer than the
// slowest node.
func (h *Hub) PublishTo(c *inbox.Commit, away Away, stored, done func()) {
	r := &routed{hub: h, c: c, away: away, done: done}
	r.left.add(1) // the commit itself
	c.Some = func(_ *inbox.Commit, n int) { r.upTo(n) }
	c.Done = func(c *inbox.Commit) {
		if c.Err == nil {
			if stored != nil {
				stored()
			}
			r.upTo(len(c.Ops))
		}
		r.finish()
	}
	h.store.Commit(c)
}

// elsewhere tells the node that has the put's device, and reports whether that is
// another one. A connection of the device here is an earlier one then, as a rule; it is
// looked after all the same, for what the store says of other nodes is not always
// what is.
func (r *routed) elsewhere(p *inbox.Put) bool {
	if r.away == nil || p.Owner == "" {
		return false
	}
	r.left.add(1)
	told := r.away.Notice(p, func(s Status) {
		p.Outcome = uint8(s)
		r.finish()
	})
	if !told {
		r.left.add(-1) // the commit itself is still counted
	}
	return told
}
