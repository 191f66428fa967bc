package ringmirror

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"roost/server/cluster"
)

// Rings is what a Mirror writes: *cluster.Router.
type Rings interface {
	Load() *cluster.Active
	Subscribe() *cluster.Subscription
}

// Members says whether etcd is heard, and which history it has: *cluster.Watcher.
type Members interface{ View() *cluster.View }

// Every is how often a mirror looks whether all is still there; a tenth more or less, so
// that nodes do not do it together.
const Every = time.Minute

// Mirror keeps the rings of a router in a store. Every node has one: whoever comes first
// writes, the others find it done.
type Mirror struct {
	// Static after Follow.
	s       *Store
	rings   Rings
	members Members
	log     *slog.Logger
	cancel  context.CancelFunc
	again   chan struct{} // 1: look now
	done    chan struct{}

	status atomic.Pointer[MirrorStatus]
}

// MirrorStatus is what a mirror has to say.
type MirrorStatus struct {
	Activation int64     // that Redis is known to have, or a newer one; 0 is not known
	At         time.Time // when that was looked at
	Writes     uint64    // pointers that this node has written
	Err        error     // of the last attempt
}

// Follow begins to write, until Close. The store stays open.
func Follow(s *Store, rings Rings, members Members, log *slog.Logger) *Mirror {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mirror{s: s, rings: rings, members: members, log: log, cancel: cancel, again: make(chan struct{}, 1), done: make(chan struct{})}
	m.status.Store(&MirrorStatus{})
	go m.run(ctx)
	return m
}

// Again has it look now whether all is there. It does not wait.
func (m *Mirror) Again() {
	select {
	case m.again <- struct{}{}:
	default:
	}
}

// Close ends the mirror. What is in Redis stays.
func (m *Mirror) Close() {
	m.cancel()
	<-m.done
}

// Status returns what is known now.
func (m *Mirror) Status() MirrorStatus { return *m.status.Load() }

func (m *Mirror) run(ctx context.Context) {
	defer close(m.done)
	swaps := m.rings.Subscribe()
	defer swaps.Close()
	for {
		again := Every*9/10 + rand.N(Every/5)
		if err := m.write(ctx); err != nil && ctx.Err() == nil {
			again = time.Second + rand.N(4*time.Second)
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-swaps.C:
		case <-m.again:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// write brings what is in force to Redis, if etcd says so now: a node that has not heard of
// it for a while has nothing to say to others.
func (m *Mirror) write(ctx context.Context) error {
	a, v := m.rings.Load(), m.members.View()
	if a.From != cluster.FromEtcd || !v.Stale.IsZero() || v.Pointer.Activation != a.Pointer.Activation {
		return nil
	}
	wrote, err := m.s.Write(ctx, a, v)
	was := m.Status()
	next := MirrorStatus{Activation: a.Pointer.Activation, At: time.Now(), Writes: was.Writes, Err: err}
	if err != nil {
		next.Activation, next.At = was.Activation, was.At
	}
	if wrote == Swapped {
		next.Writes++
		m.log.Info("the ring is in Redis", "version", a.Pointer.Stable, "canary", a.Pointer.Canary, "activation", a.Pointer.Activation)
	}
	m.status.Store(&next)
	if (err == nil) != (was.Err == nil) && ctx.Err() == nil {
		m.say(err)
	}
	if errors.Is(err, ErrOld) {
		return nil // another node was faster; the next swap is on its way here
	}
	return err
}

// say logs that it fails, or does not any more.
func (m *Mirror) say(err error) {
	if err == nil {
		m.log.Info("rings reach Redis")
		return
	}
	m.log.Warn("rings do not reach Redis: publishers that read them there have the last ones; it is tried again", "err", err)
}
