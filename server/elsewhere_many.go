package server

import (
	"bytes"
	"context"
	"time"

	"roost/server/api"
	"roost/server/inbox"
	"roost/server/mesh"
	"roost/server/wire"
)

// failed does what a commit needs that has failed: some of it may have been stored. The store looks after devices here;
// the nodes of others are told, where the store has not told them itself.
func (k *stored) failed() {
	for _, op := range k.commit.Ops {
		switch op := op.(type) {
		case *inbox.Spread:
			k.s.spreadAway(op.Topic)
		case *inbox.Put:
			if op.Verdict == inbox.Pending && op.Tag != 0 && op.Told <= 1 && k.s.elsewhere(op.Owner) {
				k.notify(op, 0, nil)
			}
		}
	}
}

// spreadAway tells the other nodes that a message to many is stored.
func (s *Server) spreadAway(topic string) {
	if s.cluster != nil {
		s.away.casts.Add(1)
		s.cluster.mesh.Spread(topic)
	}
}

// paceOfNode is this node's share of a pace.
func (s *Server) paceOfNode(pace int) int {
	if s.cluster == nil || pace == 0 {
		return pace
	}
	n := max(len(s.cluster.opt.Members.View().Members), 1)
	return (pace + n - 1) / n
}

// messageAway is a message as other nodes are given it.
func messageAway(m *wire.Message, class uint8, ttl uint32) mesh.Message {
	return mesh.Message{Class: class, Raw: m.Raw, TTL: ttl, ID: m.ID, Topic: m.Channel, Payload: m.Payload}
}

// castAway sends a broadcast to the other nodes, and waits for their counts if asked to.
func (s *Server) castAway(ctx context.Context, b *broadcast, m *wire.Message, wait time.Duration) mesh.Counts {
	if s.cluster == nil {
		return mesh.Counts{}
	}
	s.away.casts.Add(1)
	msg := messageAway(m, classLive, 0)
	counts, err := s.cluster.mesh.Cast(ctx, b.topic, &msg, mesh.CastOptions{Pace: b.pace, Wait: wait})
	if err != nil {
		s.away.castsFailed.Add(1) // live messages on this node go on
	}
	return counts
}

// latestCast is a new latest value on its way to the devices that are connected.
type latestCast struct {
	op     *inbox.Latest
	here   *broadcast
	m      mesh.Message
	wait   time.Duration
	others chan mesh.Counts // nil: nobody waits for them
}

// newLatestCast encodes one that is about to be stored.
func (s *Server) newLatestCast(p *api.Publication, op *inbox.Latest) *latestCast {
	m := op.Message
	w := &wire.Message{ID: m.ID, Channel: m.Channel, Payload: m.Payload, Raw: m.Raw}
	c := &latestCast{op: op, here: s.newBroadcast(p.Topic, s.paceOfNode(p.Pace), w, latestKey(p.Topic)), wait: p.Wait}
	if s.cluster != nil {
		c.m = messageAway(w, classLatest, m.TTL)
		if c.wait > 0 {
			c.others = make(chan mesh.Counts, 1)
		}
	}
	return c
}

// start sends it to the devices here.
func (c *latestCast) start() {
	if s := c.here.s; s.cluster != nil {
		s.startLatest(c.here, c.op.Message)
		return
	}
	c.here.start()
}

// startLatest sends a topic's latest value to the devices here, and tells the store that they have that: where another node's has come
// in between, the store finds it out (latestAgain). Both are one step, or the last that was told would not be the last that was sent.
func (s *Server) startLatest(b *broadcast, m *inbox.Message) bool {
	s.latestMu.Lock()
	defer s.latestMu.Unlock()
	s.cluster.store.NoticedLatest(b.topic, m, uint32(time.Now().Unix())+m.TTL)
	return b.start()
}

// clearAway tells the other nodes that a topic has no latest value any more: a value without a life.
func (s *Server) clearAway(topic string) {
	if s.cluster == nil {
		return
	}
	s.away.casts.Add(1)
	m := messageAway(&wire.Message{Channel: []byte(topic), Payload: []byte("null")}, classLatest, 0)
	if _, err := s.cluster.mesh.Cast(context.Background(), topic, &m, mesh.CastOptions{Latest: true}); err != nil {
		s.away.castsFailed.Add(1) // they read it again within seconds
	}
}

// latestAgain sends a topic's latest value to the devices here, as the store has another one than they were sent: two that were
// published at once at two nodes come to each node in another order, and while the bus is away they do not come at all.
func (s *Server) latestAgain(topic string, m *inbox.Message) {
	w := &wire.Message{ID: m.ID, Channel: m.Channel, Payload: m.Payload, Raw: m.Raw}
	b := s.newBroadcast(topic, s.paceOfNode(0), w, latestKey(topic))
	s.latestMu.Lock()
	defer s.latestMu.Unlock()
	if now, ok := s.store.LatestOf([]byte(topic)); !ok || !bytes.Equal(now.Payload, m.Payload) || !bytes.Equal(now.ID, m.ID) {
		return // another one has come meanwhile
	}
	if !b.start() {
		s.away.castsLost.Add(1)
	}
}

// castsAway sends the latest values of a publish that are stored to the other nodes, in
// their order. It does not wait: where the publisher does, one goroutine waits for all of
// the publish.
func (s *Server) castsAway(casts []*latestCast) {
	if s.cluster == nil || len(casts) == 0 {
		return
	}
	for _, c := range casts {
		if c.wait > 0 {
			s.casting.Go(func() { s.sendCasts(casts, time.Now()) })
			return
		}
	}
	s.sendCasts(casts, time.Time{})
}

// sendCasts is castsAway; began is when those who wait began to.
func (s *Server) sendCasts(casts []*latestCast, began time.Time) {
	for _, c := range casts {
		var counts mesh.Counts
		if c.op.Err == nil {
			wait := time.Duration(0)
			if c.wait > 0 {
				wait = c.wait - time.Since(began) // not above 0: it is sent all the same
			}
			s.away.casts.Add(1)
			var err error
			counts, err = s.cluster.mesh.Cast(context.Background(), c.here.topic, &c.m, mesh.CastOptions{Latest: true, Pace: c.here.pace, Wait: wait})
			if err != nil {
				s.away.castsFailed.Add(1)
			}
		}
		if c.others != nil {
			c.others <- counts
		}
	}
}

// awaitAway waits for the counts of the other nodes.
func (c *latestCast) awaitAway(ctx context.Context) mesh.Counts {
	if c.others == nil {
		return mesh.Counts{}
	}
	end := time.NewTimer(c.wait)
	defer end.Stop()
	select {
	case n := <-c.others:
		return n
	case <-end.C:
	case <-ctx.Done():
	}
	return mesh.Counts{Silent: 1}
}
