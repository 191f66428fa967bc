package server

import (
	"context"
	"hash/fnv"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/api"
	"roost/server/wire"
)

const (
	// maxBroadcasts bounds the broadcasts under way, below what a loop queues.
	maxBroadcasts = 512
	// maxBroadcastBytes bounds the frames of broadcasts under way.
	maxBroadcastBytes = 64 << 20
)

// publishLive sends to the devices that are connected now, without a trace
// afterwards.
func (s *Server) publishLive(ctx context.Context, p *api.Publication, r *api.Result) error {
	m := &wire.Message{ID: []byte(p.ID), Channel: []byte(p.Topic), Payload: p.Payload, Raw: p.Raw}
	switch len(p.Devices) {
	case 0:
		return s.broadcast(ctx, p, m, 0, r)
	case 1:
		return s.publishDevice(ctx, p.Devices[0], m, r)
	}
	r.Devices = make([]api.Result, len(p.Devices))
	for i, d := range p.Devices {
		if err := s.publishDevice(ctx, d, m, &r.Devices[i]); err != nil {
			return err
		}
	}
	return nil
}

// publishDevice sends to one device and waits for what became of it.
func (s *Server) publishDevice(ctx context.Context, device string, m *wire.Message, res *api.Result) error {
	res.Device, res.Status = device, api.StatusOffline
	conn, ok := s.connOf([]byte(device))
	if !ok {
		s.live.offline.Add(1)
		return nil
	}
	answer := make(chan poller.Result, 1)
	ok = s.p.Post(conn, poller.TaskFunc(func(l *poller.Loop) {
		answer <- s.handlers[l.Index()].sendTo(l.Conn(conn), m)
	}))
	if !ok {
		return api.ErrOverloaded
	}
	select {
	case r := <-answer:
		s.live.count(res, r)
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
}

// latestKey makes waiting values of one topic replace each other. Two topics in
// 2^32 share a key; then one of two messages that wait for a slow socket is lost.
func latestKey(topic string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(topic))
	return max(h.Sum32(), 1)
}

// broadcast starts a message to a topic or to all, and waits for its end if
// asked to.
func (s *Server) broadcast(ctx context.Context, p *api.Publication, m *wire.Message, key uint32, res *api.Result) error {
	res.Topic, res.All, res.Status = p.Topic, p.All, api.StatusQueued
	b := s.newBroadcast(p, m, key)
	if !b.start() {
		return api.ErrOverloaded
	}
	if p.All {
		if res.Receivers = s.registry.Len(); res.Receivers == 0 {
			res.Status = api.StatusOffline
		}
	}
	b.await(ctx, p.Wait, res)
	return nil
}

// newBroadcast encodes a broadcast.
func (s *Server) newBroadcast(p *api.Publication, m *wire.Message, key uint32) *broadcast {
	b := &broadcast{s: s, topic: p.Topic, key: key, pace: p.Pace, done: make(chan struct{})}
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

// await waits for the end of the broadcast, at most so long.
func (b *broadcast) await(ctx context.Context, atMost time.Duration, res *api.Result) {
	if atMost <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	select {
	case <-b.done:
		b.report(res)
	case <-ctx.Done(): // still queued
	}
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
	}
}

// report puts the sums into an API result.
func (b *broadcast) report(res *api.Result) {
	written, queued, dropped := int(b.sum[0].Load()), int(b.sum[1].Load()), int(b.sum[2].Load())
	res.Counts = &api.Counts{Written: written, Queued: queued, Dropped: dropped}
	res.Receivers = written + queued + dropped
	switch {
	case res.Receivers == 0:
		res.Status = api.StatusOffline
	case queued == 0 && dropped == 0:
		res.Status = api.StatusWritten
	case written == 0 && queued == 0:
		res.Status, res.Reason = api.StatusRefused, api.ReasonTooBig
	}
}
