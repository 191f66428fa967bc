package server

import (
	"roost/poller"
	"roost/server/inbox"
	"roost/server/wire"
)

// In a cluster a node listens to those topics that devices here are subscribed to, from
// the first subscriber of each loop to its last. A subscription is answered when what
// other nodes send to the topic arrives here: what is published after that the device gets.

// maxUntil bounds the answers that wait for one topic of one loop; further ones are given
// at once.
const maxUntil = 1024

// hear has the node listen to a topic that this loop has its first subscriber of.
func (h *handler) hear(t *topic) {
	if h.s.cluster == nil {
		t.heard = true
		return
	}
	h.s.cluster.mesh.Join(t.name, func() {
		if !h.l.Post(poller.TaskFunc(func(*poller.Loop) { t.isHeard() })) {
			h.missed.Store(true)
		}
	})
}

// unhear takes that back; whoever waits for it is answered, but not from here: answers to
// somebody else may be under way.
func (h *handler) unhear(t *topic) {
	if h.s.cluster != nil {
		h.s.cluster.mesh.Leave(t.name)
	}
	if len(t.until) > 0 {
		h.l.Post(poller.TaskFunc(func(*poller.Loop) { t.isHeard() }))
	}
}

// isHeard gives the answers that have waited.
func (t *topic) isHeard() {
	t.heard = true
	until := t.until
	t.until = nil
	for _, f := range until {
		f()
	}
}

// settle gives answers whose time could not be told, because the loop had too much to do.
func (ts *topics) settle() {
	for _, t := range ts.byName {
		if len(t.until) > 0 {
			t.isHeard()
		}
	}
}

// whenHeard answers a subscription that is stored, as soon as the topic is heard, and
// sends the topic's latest value behind the answer.
func (h *handler) whenHeard(name poller.Handle, sub *inbox.Subscription, answer func(*handler, *connState, *wire.Error)) {
	f := func() {
		c := h.l.Conn(name)
		st := h.conns.At(c.Slot())
		if !c.Alive() || st.kind != kindDevice || st.peer.Ref != sub.Ref {
			return
		}
		h.out, h.frames = h.out[:0], 0
		answer(h, st, nil)
		h.flush(c, st)
		if h.topics.has(st, []byte(sub.Topic)) {
			h.sendLatest(c, st, []byte(sub.Topic))
		}
	}
	if t := h.topics.byName[sub.Topic]; t != nil && !t.heard && len(t.until) < maxUntil {
		t.until = append(t.until, f)
		return
	}
	f()
}
