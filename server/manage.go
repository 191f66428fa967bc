package server

import (
	"context"
	"errors"
	"fmt"

	"roost/poller"
	"roost/server/api"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/ws"
)

// Device implements api.Node: the store knows the device, its loop the
// connection.
func (s *Server) Device(ctx context.Context, id string) (api.Device, error) {
	info, ok := s.store.Lookup([]byte(id))
	if !ok {
		return api.Device{}, s.notFound(api.ErrUnknownDevice)
	}
	d := api.Device{Device: id, Node: s.opt.Node, Epoch: info.Epoch.String(), Seq: info.Last, Acked: info.Acked,
		Waiting: info.Messages, Bytes: int64(info.Bytes), Topics: info.Topics}
	conn, ok := s.connOf([]byte(id))
	if s.cluster != nil {
		err := s.whereIs(ctx, &d)
		if !ok {
			return d, err
		}
	}
	if !ok {
		return d, nil
	}
	answer := make(chan *api.Connection, 1)
	ok = s.p.Post(conn, poller.TaskFunc(func(l *poller.Loop) {
		answer <- s.handlers[l.Index()].describe(l.Conn(conn))
	}))
	if !ok {
		return d, api.ErrOverloaded
	}
	select {
	case d.Connection = <-answer:
		d.Online = d.Online || d.Connection != nil
		return d, nil
	case <-ctx.Done():
		return d, ctx.Err()
	}
}

// describe says what is known about a connection of this loop, nil if it is
// gone.
func (h *handler) describe(c poller.Conn) *api.Connection {
	st := h.conns.At(c.Slot())
	if !c.Alive() || st.kind != kindDevice {
		return nil
	}
	f, bits := splitVariant(st.variant)
	return &api.Connection{
		Address: h.remote(c).String(), Protocol: f.String(), Deflate: bits != 0, HeartbeatSeconds: int(st.hb),
		Since: h.s.timeOf(st.since), LastInbound: h.s.timeOf(st.last),
		Sent: h.lane.Sent(&st.peer), QueuedBytes: c.Waiting(),
	}
}

// devicesAtOnce is how many ids a page takes from the store at least: each time the
// store looks at all of them.
const devicesAtOnce = 4096

// Devices implements api.Node.
func (s *Server) Devices(ctx context.Context, p api.Page) (devices []api.DeviceSummary, next string, err error) {
	if p.Node != "" {
		return s.devicesOf(ctx, p)
	}
	after := p.After
	for {
		ids := s.store.Devices(after, max(p.Limit+1, devicesAtOnce))
		connected := onlineOf{s: s, ids: ids}
		for i, id := range ids {
			if len(devices) == p.Limit {
				return devices, after, nil
			}
			after = id
			online, err := connected.at(ctx, i)
			if err != nil {
				return nil, "", err
			}
			if p.Online && !online {
				continue
			}
			if d, ok := s.summary(id, online); ok {
				devices = append(devices, d)
			}
		}
		if len(ids) < devicesAtOnce {
			return devices, "", s.notFound(nil)
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
	}
}

// summary describes a device in a line; it reports false if it is not known any more.
func (s *Server) summary(id string, online bool) (d api.DeviceSummary, ok bool) {
	info, ok := s.store.Lookup([]byte(id))
	return api.DeviceSummary{Device: id, Online: online, Seq: info.Last, Acked: info.Acked, Waiting: info.Messages}, ok
}

// removedText is said with CloseRemoved.
const removedText = "the device was removed"

// RemoveDevice implements api.Node.
func (s *Server) RemoveDevice(ctx context.Context, id string) error {
	r := &inbox.Removal{Device: id}
	err := s.commit(ctx, r, func() {
		if r.Err == nil {
			s.closeRemoved(r.Ref)
		}
	})
	if err == nil && r.Err != nil {
		err = api.ErrUnknownDevice
	}
	if err == nil && s.cluster != nil {
		// Where it is connected elsewhere and is not told, it is at its next message: its
		// session is not the device's any more.
		_, _ = s.cluster.mesh.Control(ctx, id, uint16(CloseRemoved), removedText)
	}
	return err
}

// closeRemoved closes the connection of a device that was removed. Whoever is
// connected under its number now may be the next device to get it.
func (s *Server) closeRemoved(ref inbox.Ref) {
	conn, ok := s.registry.Lookup(uint32(ref))
	if !ok {
		return
	}
	s.p.Post(poller.Handle(conn), poller.TaskFunc(func(l *poller.Loop) {
		h, c := s.handlers[l.Index()], l.Conn(poller.Handle(conn))
		if p := h.Peer(delivery.Conn(conn)); p != nil && !s.store.Current(p.Ref, p.Fence) {
			h.out, h.frames = h.out[:0], 0
			h.close(c, h.conns.At(c.Slot()), CloseRemoved, removedText)
		}
	}))
}

// operatorText is said with a close that an operator wants.
const operatorText = "closed by an operator"

// Disconnect implements api.Node.
func (s *Server) Disconnect(ctx context.Context, id string) error {
	if s.closeDevice(id, CloseRebalance, operatorText) {
		return nil
	}
	if s.cluster != nil {
		found, err := s.cluster.mesh.Control(ctx, id, uint16(CloseRebalance), operatorText)
		if found || err != nil {
			return presenceError(ctx, err)
		}
	}
	if _, known := s.store.Lookup([]byte(id)); !known {
		return s.notFound(api.ErrUnknownDevice)
	}
	return api.ErrNotConnected
}

// closeDevice closes the connection of a device; it reports false if there is
// none.
func (s *Server) closeDevice(id string, code ws.StatusCode, reason string) bool {
	conn, ok := s.connOf([]byte(id))
	if ok {
		s.closeConn(conn, code, reason)
	}
	return ok
}

// closeConn closes a connection of any loop.
func (s *Server) closeConn(name poller.Handle, code ws.StatusCode, reason string) {
	s.p.Post(name, poller.TaskFunc(func(l *poller.Loop) {
		h, c := s.handlers[l.Index()], l.Conn(name)
		if c.Alive() {
			h.out, h.frames = h.out[:0], 0
			h.close(c, h.conns.At(c.Slot()), code, reason)
		}
	}))
}

// Topics implements api.Node.
func (s *Server) Topics(_ context.Context, p api.Page) (topics []api.Topic, more bool, err error) {
	infos := s.store.Topics(p.After, p.Limit+1)
	for _, t := range infos[:min(len(infos), p.Limit)] {
		topics = append(topics, api.Topic(t))
	}
	return topics, len(infos) > p.Limit, s.notFound(nil)
}

// Topic implements api.Node.
func (s *Server) Topic(_ context.Context, name string) (api.Topic, error) {
	t, ok := s.store.Topic(name)
	if !ok {
		return api.Topic{}, s.notFound(api.ErrUnknownTopic)
	}
	return api.Topic(t), nil
}

// ClearTopic implements api.Node.
func (s *Server) ClearTopic(ctx context.Context, name string) error {
	l := &inbox.Latest{Topic: name}
	err := s.commit(ctx, l, func() {
		if l.Err == nil {
			s.clearAway(name)
		}
	})
	if err != nil {
		return err
	}
	if errors.Is(l.Err, inbox.ErrUnknown) {
		return api.ErrUnknownTopic
	}
	return l.Err
}

// Consistency implements api.Node.
func (s *Server) Consistency(context.Context) (api.Consistency, error) {
	problems := s.store.Check()
	n := s.store.Counts()
	left := s.left.Load() // before Online is read, and entered after it: else those that come or go meanwhile look like a mistake
	c := api.Consistency{
		Published: n.Published + n.Recovered, Acknowledged: n.Acknowledged, Expired: n.Expired,
		Dropped: map[string]uint64{"removed": n.Removed, "lost": n.Lost}, InFlight: n.InFlight,
		Devices: n.Devices, Online: s.registry.Len(),
	}
	if sum := c.Acknowledged + c.Expired + n.Removed + n.Lost + c.InFlight; sum != c.Published {
		problems = append(problems, fmt.Sprintf("published %d, accounted for %d", c.Published, sum))
	}
	if open := s.entered.Load() - left; uint64(c.Online) > open {
		problems = append(problems, fmt.Sprintf("%d devices are registered on %d connections", c.Online, open))
	}
	c.Problems, c.OK = problems, len(problems) == 0
	return c, nil
}
