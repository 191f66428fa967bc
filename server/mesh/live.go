package mesh

import (
	"context"
	"errors"
	"sync"
	"time"

	"roost/ring"
	"roost/server/fanout"
	"roost/server/presence"
)

// letter is an envelope that is being written; the bus has encoded it when Post returns, so the
// next sender takes it.
type letter struct {
	e      fanout.Envelope
	device []byte
	topic  []byte
}

var letters = sync.Pool{New: func() any { return new(letter) }}

// write begins an envelope of a kind.
func write(kind fanout.Kind) *letter {
	l := letters.Get().(*letter)
	l.e.Kind = kind
	return l
}

func (l *letter) to(device string) {
	l.device = append(l.device[:0], device...)
	l.e.Device = l.device
}

func (l *letter) about(topic string) {
	l.topic = append(l.topic[:0], topic...)
	l.e.Channel = l.topic
}

// carry fills in a message.
func (l *letter) carry(m *Message) {
	e := &l.e
	e.Class, e.Raw, e.TTL, e.MessageID, e.Payload = m.Class, m.Raw, m.TTL, m.ID, m.Payload
	if e.Channel == nil {
		e.Channel = m.Topic
	}
	if len(m.Trace) == fanout.TraceSize {
		e.Trace = m.Trace
	}
}

// done gives it back.
func (l *letter) done() {
	l.e = fanout.Envelope{}
	letters.Put(l)
}

// Live sends a live message to a device that is not connected here, and waits for what became of it: Options.Deadline
// at most. The error says why nothing better than StatusOffline is known: ctx's, the bus's, presence.ErrDown, ErrSilent,
// fanout.ErrRequests when too much is under way, or fanout.ErrTooLarge.
func (m *Mesh) Live(ctx context.Context, device string, msg *Message) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, m.o.Deadline)
	defer cancel()
	s := search{m: m, ctx: ctx, device: device, msg: msg, view: m.look(device)}
	status, err := s.run()
	if s.asked && err != nil && ours(err) {
		m.count(&s.view, failed)
	}
	return status, err
}

// ours reports an error that is neither the publisher's nor the message's.
func ours(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, fanout.ErrTooLarge) && !errors.Is(err, fanout.ErrMalformed)
}

// search is one live message on its way.
type search struct {
	m      *Mesh
	ctx    context.Context
	device string
	msg    *Message
	view   sight // of the device, by the ring
	asked  bool  // the ring's owner was
}

// run is hop 1, to the ring's owner, and what follows from its answer.
func (s *search) run() (Status, error) {
	owner := s.view.owner
	if owner == "" || owner == s.m.o.Self {
		return s.elsewhere(nil)
	}
	s.asked = true
	begin := time.Now()
	// Half of the time at most: a node that hangs may have lost the device to another by now.
	status, err := s.ask(owner, 1, begin.Add(s.left()/2))
	switch {
	case err == nil && status != StatusOffline:
		s.m.hit(&s.view, time.Since(begin))
		return status, nil
	case err != nil && (!errors.Is(err, ErrSilent) || s.ctx.Err() != nil):
		return StatusOffline, err // the second hop would fare no better
	}
	return s.elsewhere(err)
}

// elsewhere is hop 2: the owner does not have the device, or said nothing (why).
func (s *search) elsewhere(why error) (Status, error) {
	m := s.m
	node, here, err := m.whereIs(s.ctx, s.device)
	switch {
	case here:
		return s.here()
	case err != nil:
		if node = m.otherOwner(s.device); node == "" {
			return StatusOffline, errors.Join(why, err)
		}
	case node == "", s.asked && node == s.view.owner:
		return StatusOffline, why // it has gone, or is on its way
	default:
		m.miss(&s.view) // it is where the ring does not say
	}
	if node == m.o.Self {
		return StatusOffline, why
	}
	m.n.forwarded.Add(1)
	begin := time.Now()
	status, err := s.ask(node, 2, begin.Add(s.left()))
	if err == nil && status != StatusOffline {
		m.delivered(&s.view, time.Since(begin))
		return status, nil
	}
	return status, errors.Join(why, err)
}

// here is for a device that has come to this node meanwhile.
func (s *search) here() (Status, error) {
	answer := make(chan Status, 1)
	s.m.o.Local.Live([]byte(s.device), s.msg, func(st Status) { answer <- st })
	select {
	case st := <-answer:
		return st, nil
	case <-s.ctx.Done():
		return StatusOffline, s.ctx.Err()
	}
}

// left is how much time there is.
func (s *search) left() time.Duration {
	end, _ := s.ctx.Deadline() // Live has set one
	return time.Until(end)
}

// ask sends the message to a node and waits for its answer until a time.
func (s *search) ask(node string, hop uint8, until time.Time) (Status, error) {
	m := s.m
	ctx, cancel := context.WithDeadline(s.ctx, until)
	defer cancel()
	q, err := m.requests.Open(1)
	if err != nil {
		return StatusOffline, err
	}
	var failure error // set before the request is answered here
	l := write(fanout.KindLive)
	l.to(s.device)
	l.carry(s.msg)
	l.e.Hop, l.e.ID, l.e.Deadline, l.e.Wait = hop, q.ID(), deadline(until), waits(until)
	m.post(fanout.ToNode(node), &l.e, func(n int, err error) {
		m.taken(n, err)
		if err != nil || n == 0 {
			failure = err
			q.Answer(fanout.Result{Status: uint8(StatusOffline)})
		}
	})
	l.done()
	answers, all := q.Await(ctx)
	if !all {
		m.n.silent.Add(1)
		return StatusOffline, errors.Join(ErrSilent, s.ctx.Err())
	}
	return known(answers[0].Status), failure
}

// known is a status that a node has answered; later versions may have more.
func known(status uint8) Status {
	if status >= uint8(statuses) {
		return StatusQueued
	}
	return Status(status)
}

// deadline is a time as envelopes have it: the next millisecond. waits is how far off it is, in ms.
func deadline(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }
func waits(t time.Time) uint32   { return uint32(max(time.Until(t).Milliseconds(), 1)) }

// whereIs asks presence for the node that has a device; "" is nobody.
func (m *Mesh) whereIs(ctx context.Context, device string) (node string, here bool, err error) {
	m.n.asked.Add(1)
	where, err := m.o.Where.Get(ctx, device)
	if err != nil {
		m.n.unknown.Add(1)
		return "", false, err
	}
	if w := &where[0]; w.Here {
		return m.o.Self, true, nil
	} else if w.Status != presence.Offline {
		return w.Record.Owner.Node, false, nil
	}
	return "", false, nil
}

// otherOwner says who has a device by the ring that does not answer for it, while two are
// in force.
func (m *Mesh) otherOwner(device string) string {
	r, i, ok := m.o.Rings.Load().Routes.Other(ring.Hash(device))
	if !ok || r.Node(i) == nil {
		return ""
	}
	return r.Node(i).ID
}
