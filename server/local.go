package server

import (
	"bytes"
	"time"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/mesh"
	"roost/server/wire"
	"roost/server/ws"
)

// local is the node as others see it: what the mesh has it do for them. Its methods are
// called from the bus's goroutines and do not wait: they post to loops, or leave what
// takes long to resyncs.
type local struct{ s *Server }

var _ mesh.Local = local{}

// maxAwaiting bounds the publishers at other nodes that wait for acknowledgements of
// devices here, about 200 bytes each.
const maxAwaiting = 1 << 16

// Live implements mesh.Local.
func (n local) Live(device []byte, m *mesh.Message, answer func(mesh.Status)) {
	if answer == nil {
		answer = func(mesh.Status) {}
	}
	conn, ok := n.s.connOf(device)
	if !ok {
		answer(mesh.StatusOffline)
		return
	}
	w := ownMessage(m)
	ok = n.s.p.Post(conn, poller.TaskFunc(func(l *poller.Loop) {
		answer(liveStatus(n.s.handlers[l.Index()].sendTo(l.Conn(conn), w)))
	}))
	if !ok {
		answer(mesh.StatusOffline) // its loop has 65,536 tasks to do first: it would not be live any more
	}
}

// ownMessage is a message that outlives the call: with memory of its own.
func ownMessage(m *mesh.Message) *wire.Message {
	b := make([]byte, 0, len(m.ID)+len(m.Topic)+len(m.Payload))
	part := func(p []byte) []byte {
		b = append(b, p...)
		return b[len(b)-len(p) : len(b) : len(b)]
	}
	return &wire.Message{ID: part(m.ID), Channel: part(m.Topic), Payload: part(m.Payload), Raw: m.Raw}
}

// liveStatus is what became of a live message, as other nodes are told.
func liveStatus(r poller.Result) mesh.Status {
	switch r {
	case poller.Written:
		return mesh.StatusWritten
	case poller.Queued:
		return mesh.StatusQueued
	case poller.Full:
		return mesh.StatusRefused
	}
	return mesh.StatusOffline
}

// Cast implements mesh.Local. The message is encoded before it returns.
func (n local) Cast(topic string, m *mesh.Message, latest bool, pace int, done func(mesh.Counts)) {
	s, key := n.s, uint32(0)
	if latest && m.TTL == 0 { // clearAway: there is nothing to be sent
		s.cluster.store.NoticedLatest(topic, nil, 0)
		if done != nil {
			done(mesh.Counts{})
		}
		return
	}
	if latest {
		key = latestKey(topic)
	}
	b := s.newBroadcast(topic, pace, &wire.Message{ID: m.ID, Channel: m.Topic, Payload: m.Payload, Raw: m.Raw}, key)
	b.then = done
	var started bool
	if latest {
		started = s.startLatest(b, &inbox.Message{TTL: m.TTL, Raw: m.Raw, ID: m.ID, Channel: m.Topic, Payload: m.Payload})
	} else {
		started = b.start()
	}
	if started {
		return
	}
	s.away.castsLost.Add(1)
	if done != nil {
		done(mesh.Counts{})
	}
}

// Noticed implements mesh.Local.
func (n local) Noticed(notice *inbox.Notice, wait time.Duration, answer func(mesh.Status)) {
	s := n.s
	ref, look := s.cluster.store.Noticed(notice)
	switch {
	case look && notice.Message != nil:
		s.offer(ref, notice)
	case look:
		s.look(ref)
	}
	switch {
	case answer == nil:
		return
	case ref == 0:
		answer(mesh.StatusOffline)
		return
	case wait <= 0:
		answer(mesh.StatusQueued)
		return
	case s.hub.Awaiting() >= maxAwaiting:
		s.away.waitsFull.Add(1)
		answer(mesh.StatusQueued)
		return
	}
	s.hub.Await(&inbox.Put{Ref: ref, Life: notice.Life, Seq: notice.Seq}, wait, func(acked bool) {
		switch _, online := s.registry.Lookup(uint32(ref)); {
		case acked:
			answer(mesh.StatusAcknowledged)
		case online:
			answer(mesh.StatusQueued)
		default:
			answer(mesh.StatusOffline)
		}
	})
}

// Spread implements mesh.Local: the store knows who of those here has it.
func (n local) Spread(topic string) { n.s.resync.ask(topic) }

// Sweep implements mesh.Local. A look at all devices finds messages to many, too.
func (n local) Sweep(bool) { n.s.resync.ask("") }

// Subscribed implements mesh.Local.
func (n local) Subscribed(device []byte, topic string, on bool) {
	if ref := n.s.cluster.store.NoticedSubscription(device, topic, on); ref != 0 {
		n.s.align(&inbox.Subscription{Ref: ref, Topic: topic, On: on})
	}
}

// Control implements mesh.Local. A session later than the one that is meant stays.
func (n local) Control(device []byte, fence uint64, code uint16, reason string) {
	conn, ok := n.s.connOf(device)
	if !ok {
		return
	}
	id := bytes.Clone(device)
	n.s.p.Post(conn, poller.TaskFunc(func(l *poller.Loop) {
		h, c := n.s.handlers[l.Index()], l.Conn(conn)
		p := h.Peer(delivery.Conn(conn))
		if p == nil || n.s.store.Find(id) != p.Ref || fence != 0 && int32(p.Fence-uint32(fence)) > 0 {
			return
		}
		h.out, h.frames = h.out[:0], 0
		h.close(c, h.conns.At(c.Slot()), ws.StatusCode(code), reason)
	}))
}

// offer offers a message that came with its notice to the device's lane, as if it had been
// published here. The message is copied.
func (s *Server) offer(ref inbox.Ref, n *inbox.Notice) {
	m := *n.Message
	b := make([]byte, 0, len(m.ID)+len(m.Channel)+len(m.Payload))
	for _, part := range []*[]byte{&m.ID, &m.Channel, &m.Payload} {
		from := len(b)
		b = append(b, *part...)
		*part = b[from:len(b):len(b)]
	}
	put := &inbox.Put{Ref: ref, Fence: n.Fence, Seq: n.Seq, Message: &m}
	s.withLane(ref, func(h *handler, c delivery.Conn, _ *delivery.Peer) { h.lane.Offer(c, put) })
}

// look has a device's lane look at what is stored. One that is being opened looks by
// itself.
func (s *Server) look(ref inbox.Ref) {
	s.withLane(ref, func(h *handler, c delivery.Conn, p *delivery.Peer) { h.lane.Look(c, p) })
}

// withLane calls f on the loop that has a device. A loop that has too much to do looks at
// all its devices a little later.
func (s *Server) withLane(ref inbox.Ref, f func(h *handler, c delivery.Conn, p *delivery.Peer)) {
	conn, ok := s.registry.Lookup(uint32(ref))
	if !ok {
		return
	}
	name := poller.Handle(conn)
	ok = s.p.Post(name, poller.TaskFunc(func(l *poller.Loop) {
		h, c := s.handlers[l.Index()], l.Conn(name)
		if p := h.Peer(delivery.Conn(name)); p != nil && p.Ref == ref && c.Alive() {
			f(h, delivery.Conn(name), p)
		}
	}))
	if !ok {
		s.handlers[name.Loop()].missed.Store(true)
	}
}
