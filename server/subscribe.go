package server

import (
	"context"
	"errors"
	"slices"
	"strings"

	"roost/poller"
	"roost/server/api"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/wire"
)

// maxAsking is how many requests of one device may be on their way to the store
// when it asks for one more subscription, and maxAnswers for anything: a device
// that is subscribed to as much as it may be can still leave.
const (
	maxAsking  = 64
	maxAnswers = 2 * maxAsking
)

var (
	errAsking      = &wire.Error{Code: wire.CodeLimit, Text: "too many subscriptions at once: wait for their results"}
	errTopicLimit  = &wire.Error{Code: wire.CodeLimit, Text: "this node has as many topics as it may"}
	errUnavailable = &wire.Error{Code: wire.CodeUnavailable, Text: "the subscription could not be stored: try again later"}
)

// subscription is a request of a device to be put into a topic or taken out: it
// is answered when the store has it.
func (h *handler) subscription(c poller.Conn, st *connState, f wire.Format, on bool) {
	if st.asking == 0 && h.topics.has(st, h.up.Channel) == on {
		h.result(st, f, nil)
		return
	}
	if on && st.asking >= maxAsking || st.asking >= maxAnswers {
		h.result(st, f, errAsking)
		return
	}
	request := h.up.Request
	h.ask(c, st, string(h.up.Channel), on, func(h *handler, st *connState, err *wire.Error) {
		h.up.Request = request
		f, _ := splitVariant(st.variant)
		h.result(st, f, err)
	})
}

// ask has a subscription stored, then changes the loop's topics and calls answer,
// if the connection is still there.
func (h *handler) ask(c poller.Conn, st *connState, topic string, on bool, answer func(*handler, *connState, *wire.Error)) {
	st.asking++
	name := c.Handle()
	sub := &inbox.Subscription{Ref: st.peer.Ref, Fence: st.peer.Fence, Topic: topic, On: on}
	h.s.store.Commit(&inbox.Commit{Ops: []inbox.Op{sub}, Done: func(commit *inbox.Commit) {
		err := errors.Join(commit.Err, sub.Err)
		if !h.l.Post(poller.TaskFunc(func(l *poller.Loop) { h.stored(l.Conn(name), sub, err, answer) })) {
			h.missed.Store(true)
		}
	}})
}

// stored does for the connection what the store has done for the device. When the
// device has come back on another one meanwhile, it is done there.
func (h *handler) stored(c poller.Conn, sub *inbox.Subscription, err error, answer func(*handler, *connState, *wire.Error)) {
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		if err == nil {
			h.s.align(sub)
		}
		return
	}
	if st.asking > 0 { // else catchUp was here before
		st.asking--
	}
	refusal := subscriptionError(err)
	if refusal == nil {
		refusal = h.align(c, st, sub)
	}
	h.out, h.frames = h.out[:0], 0
	switch {
	case answer != nil && refusal == nil && sub.On:
		h.whenHeard(c.Handle(), sub, answer)
	case answer != nil:
		answer(h, st, refusal)
		h.flush(c, st)
	case refusal != nil:
		// Nobody asked, so nobody would hear: it tries again when it comes back.
		h.close(c, st, CloseInternal, "the topic "+sub.Topic+" could not be subscribed: "+refusal.Text)
		return
	}
	if refusal == nil && sub.On && answer == nil {
		h.sendLatest(c, st, []byte(sub.Topic))
	}
	// A kept message to the topic may have passed between the store and here.
	h.lane.Look(delivery.Conn(c.Handle()), &st.peer)
}

// align has the current connection of a device put into a topic or taken out, as the
// store has it.
func (s *Server) align(sub *inbox.Subscription) {
	conn, ok := s.registry.Lookup(uint32(sub.Ref))
	if !ok {
		return // when it connects it is put into what the store has then
	}
	ok = s.p.Post(poller.Handle(conn), poller.TaskFunc(func(l *poller.Loop) {
		h, c := s.handlers[l.Index()], l.Conn(poller.Handle(conn))
		st := h.conns.At(c.Slot())
		if !c.Alive() || st.kind != kindDevice || st.peer.Ref != sub.Ref {
			return
		}
		if had := h.topics.has(st, []byte(sub.Topic)); h.align(c, st, sub) == nil && !had && sub.On {
			h.sendLatest(c, st, []byte(sub.Topic))
		}
		h.lane.Look(delivery.Conn(c.Handle()), &st.peer)
	}))
	if !ok {
		s.handlers[poller.Handle(conn).Loop()].missed.Store(true)
	}
}

// align is that of Server on the connection's loop. What the store has now counts,
// and not what was asked: others may have asked for the opposite meanwhile, and
// have been here before.
func (h *handler) align(c poller.Conn, st *connState, sub *inbox.Subscription) *wire.Error {
	on := false
	h.s.store.EachTopic(sub.Ref, func(topic string) { on = on || topic == sub.Topic })
	if on {
		return h.topics.subscribe(h, c, st, []byte(sub.Topic))
	}
	h.topics.unsubscribe(h, st, []byte(sub.Topic))
	return nil
}

// subscriptionError words an error of the store for the device.
func subscriptionError(err error) *wire.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, inbox.ErrSubscriptions):
		return errSubscriptions
	case errors.Is(err, inbox.ErrTopics):
		return errTopicLimit
	}
	return errUnavailable
}

// sendLatest sends the latest value of a topic, if there is one. A socket that is
// full gets all of them once it has drained: that is seldom, and repeats are
// harmless.
func (h *handler) sendLatest(c poller.Conn, st *connState, topic []byte) {
	m, ok := h.s.store.LatestOf(topic)
	if !ok || st.kind != kindDevice {
		return
	}
	h.frameFor(st, &wire.Message{ID: m.ID, Channel: topic, Payload: m.Payload, Raw: m.Raw})
	if c.Write(h.frame, poller.Reliable) == poller.Full {
		h.topics.owe(st, topic)
	}
}

// settleLatest sends the latest values that a full socket did not take, as far as it
// takes them now.
func (h *handler) settleLatest(c poller.Conn, st *connState) {
	for _, topic := range h.topics.owed(st) {
		h.sendLatest(c, st, []byte(topic))
	}
}

// catchUp does for a connection what tasks that could not be posted would have
// done.
func (h *handler) catchUp(c poller.Conn) {
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		return
	}
	st.asking = 0
	h.retopic(c, st)
	h.lane.Look(delivery.Conn(c.Handle()), &st.peer)
}

// retopic puts a connection into the topics that the store says its device is in now, and out of
// others.
func (h *handler) retopic(c poller.Conn, st *connState) {
	var now []string
	h.s.store.EachTopic(st.peer.Ref, func(topic string) { now = append(now, topic) })
	for _, sub := range slices.Clone(h.topics.list(st)) {
		if !slices.Contains(now, sub.t.name) && !st.is(flagAlone) {
			h.topics.unsubscribe(h, st, []byte(sub.t.name))
		}
	}
	for _, topic := range now {
		if !h.topics.has(st, []byte(topic)) && h.topics.subscribe(h, c, st, []byte(topic)) == nil {
			h.sendLatest(c, st, []byte(topic))
		}
	}
}

// restore puts a connection into the topics of its device, and into those that it
// claims.
func (h *handler) restore(c poller.Conn, st *connState, claims []string) {
	h.s.store.EachTopic(st.peer.Ref, func(topic string) {
		if h.topics.subscribe(h, c, st, []byte(topic)) == nil {
			h.sendLatest(c, st, []byte(topic))
		}
	})
	for _, topic := range claims {
		switch {
		case st.kind != kindDevice || h.topics.has(st, []byte(topic)):
		case st.is(flagAlone):
			h.topics.subscribe(h, c, st, []byte(topic)) // the store learns of it with the next session
		case st.asking < maxAsking:
			h.ask(c, st, topic, true, nil)
		}
	}
}

// Subscribe implements api.Node.
func (s *Server) Subscribe(ctx context.Context, device, topic string, on bool) error {
	sub := &inbox.Subscription{Device: strings.Clone(device), Topic: strings.Clone(topic), On: on}
	err := s.commit(ctx, sub, func() {
		if sub.Err == nil {
			s.align(sub)
			s.subscribedAway(sub)
		}
	})
	switch {
	case err != nil:
		return err
	case errors.Is(sub.Err, inbox.ErrUnknown):
		return api.ErrUnknownDevice
	case sub.Err != nil:
		return api.ErrLimit
	}
	return nil
}

// commit stores one operation and waits for it. Once it is stored then, if not nil,
// is called, whether or not somebody still waits.
func (s *Server) commit(ctx context.Context, op inbox.Op, then func()) error {
	done := make(chan error, 1)
	s.store.Commit(&inbox.Commit{Ops: []inbox.Op{op}, Done: func(c *inbox.Commit) {
		if c.Err == nil && then != nil {
			then()
		}
		done <- c.Err
	}})
	select {
	case err := <-done:
		return storeError(err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// storeError words an error of the store for publishers.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, inbox.ErrBusy):
		return api.ErrOverloaded
	case errors.Is(err, inbox.ErrTooLarge):
		return errors.Join(api.ErrLimit, err)
	case errors.Is(err, inbox.ErrFull):
		return errors.Join(api.ErrStoreFull, err)
	}
	return errors.Join(api.ErrStore, err)
}
