package server

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/api"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/wire"
)

const (
	// maxListeners bounds the event streams.
	maxListeners = 32
	// listenerQueue is how many events wait for one listener; further ones are
	// left out, and it is told how many.
	listenerQueue = 4096
)

// events tells listeners what happens to devices. Without a listener it costs a
// look at one number.
type events struct {
	n atomic.Int32 // listeners

	// order is held, where somebody listens, from a change of the registry to the
	// event about it: else a device that comes back at once would seem to be gone.
	// It is taken before everything else.
	order sync.Mutex

	mu   sync.Mutex // covers the following
	list []*listener
}

// listener is one who listens.
type listener struct {
	filter api.EventFilter
	queue  chan api.Event

	missed int // under events.mu
}

// wanted reports whether somebody listens.
func (e *events) wanted() bool { return e.n.Load() > 0 }

// send gives an event to all who want it; it never waits.
func (e *events) send(ev api.Event) {
	if ev.At.IsZero() {
		ev.At = time.Now()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.list {
		if len(l.filter.Kinds) > 0 && !slices.Contains(l.filter.Kinds, ev.Kind) || l.filter.Device != "" && l.filter.Device != ev.Device {
			continue
		}
		if l.missed > 0 {
			select {
			case l.queue <- api.Event{Kind: api.EventMissed, At: ev.At, Missed: l.missed}:
				l.missed = 0
			default:
			}
		}
		select {
		case l.queue <- ev:
		default:
			l.missed++
		}
	}
}

// Events implements api.Node.
func (s *Server) Events(ctx context.Context, filter api.EventFilter, f func(*api.Event) error) error {
	l := &listener{filter: filter, queue: make(chan api.Event, listenerQueue)}
	e := &s.events
	e.mu.Lock()
	full := len(e.list) >= maxListeners
	if !full {
		e.list = append(e.list, l)
		e.n.Add(1)
	}
	e.mu.Unlock()
	if full {
		return api.ErrOverloaded
	}
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.list = slices.DeleteFunc(e.list, func(o *listener) bool { return o == l })
		e.n.Add(-1)
	}()
	if err := f(nil); err != nil {
		return err
	}
	for {
		select {
		case ev := <-l.queue:
			if err := f(&ev); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		case <-s.stopTick:
			return nil
		}
	}
}

// enter makes a connection its device's, and tells that the device is online. One
// that moves over from an older connection was online before.
// opened is what the store has said, nil where it answers at once and is asked here.
func (s *Server) enter(hello *delivery.Hello, opened *inbox.Opened) (delivery.Session, error) {
	if !s.events.wanted() || s.cluster != nil { // in a cluster presence tells
		return s.connect(hello, opened)
	}
	s.events.order.Lock()
	defer s.events.order.Unlock()
	got, err := s.connect(hello, opened)
	if err == nil && got.Old == 0 {
		s.events.send(api.Event{Kind: api.EventOnline, Device: string(hello.ID)})
	}
	return got, err
}

func (s *Server) connect(hello *delivery.Hello, opened *inbox.Opened) (delivery.Session, error) {
	if opened == nil {
		return s.hub.Connect(hello)
	}
	return s.hub.Enter(hello, *opened)
}

// gone takes a device out of the registry, unless a later connection has taken
// over, and tells that it is offline.
func (s *Server) gone(ref inbox.Ref, c poller.Handle, code int) {
	var id []byte
	wanted := s.events.wanted() && s.cluster == nil
	if wanted {
		s.events.order.Lock()
		defer s.events.order.Unlock()
		id = s.store.AppendID(nil, ref)
	}
	if s.registry.Unregister(uint32(ref), uint64(c)) && wanted {
		s.events.send(api.Event{Kind: api.EventOffline, Device: string(id), Code: code})
	}
}

// uplink passes a device's message on to those who listen.
func (h *handler) uplink(st *connState, f wire.Format) {
	h.n.ups.Add(1)
	if h.s.events.wanted() {
		h.s.events.send(api.Event{Kind: api.EventUp, Device: string(h.s.store.AppendID(nil, st.peer.Ref)),
			Topic: string(h.up.Channel), Payload: slices.Clone(h.up.Payload), Raw: f == wire.Binary})
	}
}
