package cluster

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"roost/ring"
)

// Source says where routes came from.
type Source uint8

// The sources.
const (
	Nowhere  Source = iota // there are none yet
	FromFile               // the last ones that this node knew, from its disk
	FromEtcd
)

// String returns the source's name.
func (s Source) String() string { return [...]string{"nowhere", "file", "etcd"}[min(s, FromEtcd)] }

// Active is what is in force: rings, and what they are called. It never changes.
type Active struct {
	Routes *ring.Routes // never nil
	// Pointer is the one that says so. Its hashes are those of the rings here.
	Pointer Pointer
	From    Source
	At      time.Time // when it was swapped in

	stable, canary *Stored // nil if none
}

// RouterOptions say where the last routes are kept. All may be zero.
type RouterOptions struct {
	// File holds the last routes; "" is none. A node that starts while etcd is
	// down begins with them.
	File string
	// Stages is told how long Compute, Swap and Whole take.
	Stages StageFunc
}

// RouterStatus is what a router has to say of itself.
type RouterStatus struct {
	// Err says why what is in force is not what the pointer says; nil if it is.
	Err error
	// FileErr says why the file was refused at the start, or not written since.
	FileErr error
}

// Router follows the pointer, and holds the routes that are in force.
type Router struct {
	// Static after Route.
	c      *Client
	w      *Watcher
	o      RouterOptions
	cancel context.CancelFunc
	done   chan struct{}

	// Owned by run.
	retry retry

	active atomic.Pointer[Active]
	status atomic.Pointer[RouterStatus]
	subs   subscriptions
}

// Route begins to follow the pointer that w sees, until Close. The file, if there
// is one, has been read when it returns: a damaged file, or another cluster's, is
// refused, said in Status, and ignored.
func (c *Client) Route(w *Watcher, o RouterOptions) *Router {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Router{c: c, w: w, o: o, cancel: cancel, done: make(chan struct{})}
	r.active.Store(&Active{Routes: ring.NewRoutes(nil, nil, 0), At: time.Now()})
	r.status.Store(&RouterStatus{})
	if o.File != "" {
		a, err := readActive(o.File, c.id)
		if err != nil {
			r.status.Store(&RouterStatus{FileErr: err})
			c.note("the last ring's file", err)
		} else if a != nil {
			r.active.Store(a)
		}
	}
	go r.run(ctx)
	return r
}

// Load returns what is in force; never nil. Take it once per request.
func (r *Router) Load() *Active { return r.active.Load() }

// Status returns what went wrong last and is not mended yet.
func (r *Router) Status() RouterStatus { return *r.status.Load() }

// Subscribe returns a subscription to swaps; its owner closes it.
func (r *Router) Subscribe() *Subscription { return r.subs.add() }

// Wait returns the first Active for which ok is true, or ctx's error.
func (r *Router) Wait(ctx context.Context, ok func(*Active) bool) (*Active, error) {
	sub := r.Subscribe()
	defer sub.Close()
	for {
		if a := r.Load(); ok(a) {
			return a, nil
		}
		select {
		case <-sub.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close ends the router. What is in force stays.
func (r *Router) Close() {
	r.cancel()
	<-r.done
}

func (r *Router) run(ctx context.Context) {
	defer close(r.done)
	sub := r.w.Subscribe()
	defer sub.Close()
	for {
		var again <-chan time.Time
		if err := r.follow(ctx); err != nil && ctx.Err() == nil {
			r.failed(err)
			again = time.After(r.retry.next())
		}
		select {
		case <-ctx.Done():
			return
		case <-sub.C:
		case <-again:
		}
	}
}

// follow brings into force what the pointer says.
func (r *Router) follow(ctx context.Context) error {
	v, last := r.w.View(), r.Load()
	if v.Pointer.Activation == 0 {
		if v.Revision > 0 && v.Stale.IsZero() && last.Pointer.Activation != 0 {
			return fmt.Errorf("%w: %s is gone: what was in force stays, activate a version", ErrNoVersion, r.c.keys.active())
		}
		return nil
	}
	if last.From == FromEtcd && last.Pointer == v.Pointer {
		r.mended()
		return nil
	}
	begin := time.Now()
	next := &Active{Pointer: v.Pointer, From: FromEtcd}
	var err error
	if next.stable, err = r.load(ctx, v, last, v.Pointer.Stable, v.Pointer.StableHash); err != nil {
		return err
	}
	if v.Pointer.Canary != 0 {
		if next.canary, err = r.load(ctx, v, last, v.Pointer.Canary, v.Pointer.CanaryHash); err != nil {
			return err
		}
	}
	next.route()
	computed := time.Now()
	next.At = computed
	r.active.Store(next)
	swapped := time.Now()
	r.subs.wake()
	r.o.Stages.took(Compute, computed.Sub(begin))
	r.o.Stages.took(Swap, swapped.Sub(computed))
	r.o.Stages.took(Whole, swapped.Sub(v.arrived))
	r.mended()
	r.save(next)
	return nil
}

// route makes the routes of the rings.
func (a *Active) route() {
	var canary *ring.Ring
	if a.canary != nil {
		canary = a.canary.Ring
	}
	a.Routes = ring.NewRoutes(a.stable.Ring, canary, a.Pointer.Share)
}

// load returns a version whose content has that hash: as it is in force already,
// as the watch has brought it, or from etcd.
func (r *Router) load(ctx context.Context, v *View, last *Active, version uint64, hash Hash) (*Stored, error) {
	for _, s := range []*Stored{last.stable, last.canary} {
		if s != nil && s.Version == version && s.Hash == hash {
			return s, nil
		}
	}
	if b := v.seen(version, hash); b != nil {
		if s, err := readStored(version, b); err == nil {
			return s, nil
		}
	}
	s, err := r.c.Versions().Get(ctx, version)
	if err != nil {
		return nil, err
	}
	if s.Hash != hash {
		return nil, fmt.Errorf("%w: version %d has the hash %v, the pointer names %v: what was in force stays", ErrDamaged, version, s.Hash, hash)
	}
	return s, nil
}

func (r *Router) failed(err error) {
	s := r.Status()
	s.Err = err
	r.status.Store(&s)
	r.c.note("ring versions", err)
}

func (r *Router) mended() {
	r.retry.n = 0
	if s := r.Status(); s.Err != nil {
		s.Err = nil
		r.status.Store(&s)
	}
}

// save writes what is in force to the file.
func (r *Router) save(a *Active) {
	if r.o.File == "" {
		return
	}
	s := r.Status()
	s.FileErr = writeActive(r.o.File, r.c.id, a)
	r.status.Store(&s)
	r.c.note("the last ring's file", s.FileErr)
}
