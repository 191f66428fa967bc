package server

import (
	"context"
	"hash/fnv"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/api"
	"roost/server/mesh"
	"roost/server/wire"
)

const (
	// maxBroadcasts bounds the broadcasts under way, below what a loop queues.
	maxBroadcasts = 512
	// maxBroadcastBytes bounds the frames of broadcasts under way.
	maxBroadcastBytes = 64 << 20
)

// publishLive sends to the devices that are connected now, without a trace
// afterwards. Those that are not connected here are left to away.
func (s *Server) publishLive(ctx context.Context, p *api.Publication, r *api.Result, away *liveAway) error {
	m := &wire.Message{ID: []byte(p.ID), Channel: []byte(p.Topic), Payload: p.Payload, Raw: p.Raw}
	switch len(p.Devices) {
	case 0:
		return s.broadcast(ctx, p, m, r)
	case 1:
		return s.publishDevice(ctx, p.Devices[0], m, r, away)
	}
	r.Devices = make([]api.Result, len(p.Devices))
	for i, d := range p.Devices {
		if err := s.publishDevice(ctx, d, m, &r.Devices[i], away); err != nil {
			return err
		}
	}
	return nil
}

// publishDevice sends to one device and waits for what became of it.
func (s *Server) publishDevice(ctx context.Context, device string, m *wire.Message, res *api.Result, away *liveAway) error {
	res.Device, res.Status = device, api.StatusOffline
	conn, ok := s.connOf([]byte(device))
	if !ok {
		if !away.add(device, m, res) {
			s.live.offline.Add(1)
		}
		return nil
	}
	began, answer := time.Now(), make(chan poller.Result, 1)
	ok = s.p.Post(conn, poller.TaskFunc(func(l *poller.Loop) {
		answer <- s.handlers[l.Index()].sendTo(l.Conn(conn), m)
	}))
	if !ok {
		return api.ErrOverloaded
	}
	select {
	case r := <-answer:
		s.live.count(res, r)
		if s.cluster != nil && res.Status == api.StatusWritten {
			s.cluster.mesh.CountDelivery([]byte(device), time.Since(began))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendTo sends a live message to one connection of this loop.
func (h *handler) sendTo(c poller.Conn, m *wire.Message) poller.Result {
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		return poller.Gone
	}
	h.frameFor(st, m)
	return c.Write(h.frame, poller.Droppable)
}

// liveCounts count what became of live messages to single devices.
type liveCounts struct{ written, queued, offline, refused atomic.Uint64 }

// count puts r into words and counts it.
func (n *liveCounts) count(res *api.Result, r poller.Result) {
	switch r {
	case poller.Written:
		res.Status = api.StatusWritten
		n.written.Add(1)
	case poller.Queued:
		res.Status = api.StatusQueued
		n.queued.Add(1)
	case poller.Full:
		res.Status, res.Reason = api.StatusRefused, api.ReasonTooBig
		n.refused.Add(1)
	default:
		res.Status = api.StatusOffline
		n.offline.Add(1)
	}
}

// broadcast is one live message on its way to many, over all loops.
type broadcast struct {
	s       *Server
	topic   string // empty: to all
	key     uint32 // of a latest value, else 0
	pace    int
	frames  [poller.MaxVariants][]byte
	bytes   int64
	pending atomic.Int32 // loops that have not finished
	sum     [3]atomic.Int64
	done    chan struct{}
	then    func(mesh.Counts) // called at the end, if not nil; it must not block
}

// latestKey makes waiting values of one topic replace each other. Two topics in
// 2^32 share a key; then one of two messages that wait for a slow socket is lost.
func latestKey(topic string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(topic))
	return max(h.Sum32(), 1)
}

// broadcast starts a message to a topic or to all, here and at the other nodes, and
// waits for its end if asked to.
func (s *Server) broadcast(ctx context.Context, p *api.Publication, m *wire.Message, res *api.Result) error {
	res.Topic, res.All, res.Status = p.Topic, p.All, api.StatusQueued
	b := s.newBroadcast(p.Topic, s.paceOfNode(p.Pace), m, 0)
	if !b.start() {
		return api.ErrOverloaded
	}
	if p.All && s.cluster == nil {
		if res.Receivers = s.registry.Len(); res.Receivers == 0 {
			res.Status = api.StatusOffline
		}
	}
	began := time.Now()
	others := s.castAway(ctx, b, m, p.Wait)
	b.await(ctx, p.Wait-time.Since(began), p.Wait, others, res)
	return nil
}

// newBroadcast encodes a broadcast; an empty topic is all.
func (s *Server) newBroadcast(topic string, pace int, m *wire.Message, key uint32) *broadcast {
	b := &broadcast{s: s, topic: topic, key: key, pace: pace, done: make(chan struct{})}
	b.frames = s.encode(m)
	for _, f := range b.frames {
		b.bytes += int64(len(f))
	}
	return b
}

// start gives the broadcast to the loops; it reports false when too much is under
// way.
func (b *broadcast) start() bool {
	s := b.s
	many, large := s.broadcasts.Add(1) > maxBroadcasts, s.broadcastBytes.Add(b.bytes) > maxBroadcastBytes
	if many || large {
		s.broadcasts.Add(-1)
		s.broadcastBytes.Add(-b.bytes)
		return false
	}
	b.pending.Store(int32(len(s.handlers)))
	for _, l := range s.p.Loops() {
		if !l.Post(b) {
			b.finish(poller.CastResult{})
		}
	}
	return true
}

// await waits for the end of the broadcast here, as long as is left of the publisher's
// wait, and reports it with what other nodes have said. A wait of 0 reports nothing.
func (b *broadcast) await(ctx context.Context, left, wait time.Duration, others mesh.Counts, res *api.Result) {
	if wait <= 0 {
		return
	}
	end := time.NewTimer(left)
	defer end.Stop()
	select {
	case <-b.done:
	default:
		select {
		case <-b.done:
		case <-end.C:
			return // still queued
		case <-ctx.Done():
			return
		}
	}
	others.Add(b.counts())
	report(res, others)
}

// Run starts the broadcast on one loop.
func (b *broadcast) Run(l *poller.Loop) {
	h := b.s.handlers[l.Index()]
	if b.pace > 0 {
		b.walk(h)
		return
	}
	cast := poller.Cast{Frames: b.frames, Class: poller.Droppable, Key: b.key, Done: b.finish}
	if b.topic != "" {
		t := h.topics.byName[b.topic]
		if t == nil {
			b.finish(poller.CastResult{})
			return
		}
		cast.Group = &t.group
	}
	if !l.Cast(cast) {
		b.finish(poller.CastResult{})
	}
}

// walk sends at the publisher's pace.
func (b *broadcast) walk(h *handler) {
	var r poller.CastResult
	h.startWalk(b.topic, b.s.paceOfLoop(b.pace), func(c poller.Conn) {
		st := h.conns.At(c.Slot())
		if !c.Alive() || st.kind != kindDevice {
			return
		}
		switch c.WriteShared(b.frames[st.variant], poller.Droppable) {
		case poller.Written:
			r.Written++
		case poller.Queued:
			r.Queued++
		default:
			r.Dropped++
		}
	}, func() { b.finish(r) })
}

// finish adds one loop's result; the last one ends the broadcast.
func (b *broadcast) finish(r poller.CastResult) {
	for i, n := range [...]int{r.Written, r.Queued, r.Dropped} {
		b.sum[i].Add(int64(n))
	}
	if b.pending.Add(-1) == 0 {
		b.s.broadcasts.Add(-1)
		b.s.broadcastBytes.Add(-b.bytes)
		close(b.done)
		if b.then != nil {
			b.then(b.counts())
		}
	}
}

// counts are the sums at this node.
func (b *broadcast) counts() mesh.Counts {
	c := mesh.Counts{Nodes: 1, Written: int(b.sum[0].Load()), Queued: int(b.sum[1].Load()), Dropped: int(b.sum[2].Load())}
	c.Receivers = c.Written + c.Queued + c.Dropped
	return c
}

// report puts the sums into an API result. While a node has not said anything, more is
// queued than is counted.
func report(res *api.Result, c mesh.Counts) {
	res.Counts = &api.Counts{Written: c.Written, Queued: c.Queued, Dropped: c.Dropped, NodesSilent: c.Silent}
	res.Receivers = c.Receivers
	switch {
	case c.Silent > 0:
	case c.Receivers == 0:
		res.Status = api.StatusOffline
	case c.Queued == 0 && c.Dropped == 0:
		res.Status = api.StatusWritten
	case c.Written == 0 && c.Queued == 0:
		res.Status, res.Reason = api.StatusRefused, api.ReasonTooBig
	}
}
