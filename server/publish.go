package server

import (
	"context"
	"sync/atomic"

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

// Publish implements api.Node for class live: to the devices that are connected
// now, without a trace afterwards.
func (s *Server) Publish(ctx context.Context, p *api.Publication) (api.Result, error) {
	m := &wire.Message{ID: []byte(p.ID), Channel: []byte(p.Topic), Payload: p.Payload, Raw: p.Raw}
	if p.Device != "" {
		return s.publishDevice(ctx, p.Device, m)
	}
	return s.broadcast(ctx, p, m)
}

// publishDevice sends to one device and waits for what became of it.
func (s *Server) publishDevice(ctx context.Context, device string, m *wire.Message) (api.Result, error) {
	res := api.Result{Device: device, Status: api.StatusOffline}
	conn, ok := s.registry.Lookup([]byte(device))
	if !ok {
		s.live.offline.Add(1)
		return res, nil
	}
	answer := make(chan poller.Result, 1)
	ok = s.p.Post(poller.Handle(conn), poller.TaskFunc(func(l *poller.Loop) {
		answer <- s.handlers[l.Index()].sendTo(l.Conn(poller.Handle(conn)), m)
	}))
	if !ok {
		return res, api.ErrOverloaded
	}
	select {
	case r := <-answer:
		s.live.count(&res, r)
		return res, nil
	case <-ctx.Done():
		return res, ctx.Err()
	}
}

// sendTo sends a live message to one connection of this loop.
func (h *handler) sendTo(c poller.Conn, m *wire.Message) poller.Result {
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		return poller.Gone
	}
	h.frameFor(st, m)
	r := c.Write(h.out, poller.Droppable)
	h.out = h.out[:0]
	return r
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

// broadcast is one message on its way to many, over all loops.
type broadcast struct {
	s       *Server
	topic   string // empty: to all
	frames  [poller.MaxVariants][]byte
	bytes   int64
	pending atomic.Int32 // loops that have not finished
	sum     [3]atomic.Int64
	done    chan struct{}
}

// broadcast starts a message to a topic or to all, and waits for its end if
// asked to.
func (s *Server) broadcast(ctx context.Context, p *api.Publication, m *wire.Message) (api.Result, error) {
	res := api.Result{Topic: p.Topic, All: p.All, Status: api.StatusQueued}
	b := &broadcast{s: s, topic: p.Topic, done: make(chan struct{})}
	b.frames = s.encode(m)
	for _, f := range b.frames {
		b.bytes += int64(len(f))
	}
	many, large := s.broadcasts.Add(1) > maxBroadcasts, s.broadcastBytes.Add(b.bytes) > maxBroadcastBytes
	if many || large {
		s.broadcasts.Add(-1)
		s.broadcastBytes.Add(-b.bytes)
		return res, api.ErrOverloaded
	}
	if p.All {
		if res.Receivers = s.registry.Len(); res.Receivers == 0 {
			res.Status = api.StatusOffline
		}
	}
	b.pending.Store(int32(len(s.handlers)))
	for _, l := range s.p.Loops() {
		if !l.Post(b) {
			b.finish(poller.CastResult{})
		}
	}
	if p.Wait <= 0 {
		return res, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.Wait)
	defer cancel()
	select {
	case <-b.done:
		b.report(&res)
		return res, nil
	case <-ctx.Done():
		return res, nil // still queued
	}
}

// Run starts the broadcast on one loop.
func (b *broadcast) Run(l *poller.Loop) {
	cast := poller.Cast{Frames: b.frames, Class: poller.Droppable, Done: b.finish}
	if b.topic != "" {
		t := b.s.handlers[l.Index()].topics.byName[b.topic]
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

// Device implements api.Node: it asks the loop that has the device.
func (s *Server) Device(ctx context.Context, id string) (api.Device, error) {
	conn, ok := s.registry.Lookup([]byte(id))
	if !ok {
		return api.Device{}, api.ErrUnknownDevice
	}
	answer := make(chan *api.Device, 1)
	ok = s.p.Post(poller.Handle(conn), poller.TaskFunc(func(l *poller.Loop) {
		answer <- s.handlers[l.Index()].describe(l.Conn(poller.Handle(conn)), id)
	}))
	if !ok {
		return api.Device{}, api.ErrOverloaded
	}
	select {
	case d := <-answer:
		if d == nil {
			return api.Device{}, api.ErrUnknownDevice
		}
		return *d, nil
	case <-ctx.Done():
		return api.Device{}, ctx.Err()
	}
}

// describe says what is known about a device of this loop, nil if it is gone.
func (h *handler) describe(c poller.Conn, id string) *api.Device {
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		return nil
	}
	f, bits := splitVariant(st.variant)
	d := &api.Device{
		Device: id, Online: true, Node: h.s.opt.Node, Address: c.RemoteAddr(),
		Protocol: f.String(), Deflate: bits != 0, HeartbeatSeconds: int(st.hb),
		Since:       h.s.timeOf(st.since),
		LastInbound: h.s.timeOf(st.last),
		QueuedBytes: c.Waiting(),
	}
	for _, sub := range h.topics.list(st) {
		d.Topics = append(d.Topics, sub.t.name)
	}
	return d
}
