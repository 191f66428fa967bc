package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// DefaultTTL is how long a node that says nothing counts as there.
const DefaultTTL = 10 * time.Second

// RegState is where a Registration is; the package's documentation draws it.
type RegState uint8

// The states.
const (
	Registering RegState = iota // the key is not put yet, or not any more
	Registered                  // the key is there, on a lease that is alive
	Taken                       // another process has the id
	Unheard                     // no answer from etcd for longer than the TTL
	Left                        // closed
)

// String returns the state's name.
func (s RegState) String() string {
	return [...]string{"registering", "registered", "taken", "unheard", "left"}[min(s, Left)]
}

// RegStatus is what is known of a registration.
type RegStatus struct {
	State RegState
	// Incarnation of this process; 0 before it was first registered. It stays when
	// the node registers again.
	Incarnation int64
	Times       int       // how often the key was put
	Since       time.Time // of State
	Err         error     // why it is not Registered; nil if it is, or if that is not certain yet
}

// RegisterOptions say how a node registers.
type RegisterOptions struct {
	// TTL of the lease, in whole seconds; DefaultTTL if 0. A node that is killed
	// is gone after it, and its id free for another process.
	TTL time.Duration
	// Token, if two processes with one token cannot live at once (it lies in a
	// data directory that is locked), lets a restarted node take its id back from its former
	// life at once instead of after the TTL. Empty: one of this Registration alone.
	Token string
	// OnState is told of each change, from the registration's goroutine; it must
	// not block. Nil is nobody.
	OnState func(RegStatus)
}

// Registration keeps a node's key in etcd.
type Registration struct {
	// Static after Register.
	c      *Client
	member Member
	o      RegisterOptions
	cancel context.CancelFunc
	nudge  chan struct{}
	done   chan struct{}

	// Owned by run.
	retry    retry
	rival    int64     // revision at which another process has put the key
	deadline time.Time // when the rival's lease would be over, were nobody to keep it

	mu      sync.Mutex // guards what follows
	status  RegStatus
	changed chan struct{} // closed at each change, and made anew
}

// Register begins to keep a node's key, and goes on through whatever becomes of
// etcd, until Close. It returns at once: Wait says when the node is registered.
// Errors are ErrMember and ErrOptions.
func (c *Client) Register(m Member, o RegisterOptions) (*Registration, error) {
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.TTL < time.Second || o.TTL%time.Second != 0 {
		return nil, fmt.Errorf("%w: a TTL of %v: whole seconds, from 1", ErrOptions, o.TTL)
	}
	if o.Token == "" {
		o.Token = randomToken()
	}
	m.Token, m.Incarnation = o.Token, 0
	if _, err := m.encode(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Registration{
		c: c, member: m, o: o, cancel: cancel,
		nudge: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{}),
		status: RegStatus{Since: time.Now()},
	}
	go r.run(ctx)
	return r, nil
}

// Status returns what is known now.
func (r *Registration) Status() RegStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Wait returns nil when the node is registered. It returns ErrTaken once it is
// certain that another process with its id is alive, ErrOtherCluster if the
// prefix is another cluster's, and otherwise waits until ctx ends. Whatever it
// returns, the registration goes on trying.
func (r *Registration) Wait(ctx context.Context) error {
	for {
		r.mu.Lock()
		s, changed := r.status, r.changed
		r.mu.Unlock()
		switch {
		case s.State == Registered:
			return nil
		case s.State == Left, errors.Is(s.Err, ErrTaken), errors.Is(s.Err, ErrOtherCluster):
			return fmt.Errorf("register node %q: %w", r.member.ID, s.Err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if s.Err == nil {
				s.Err = ctx.Err()
			}
			return fmt.Errorf("register node %q: not yet: %w", r.member.ID, s.Err)
		}
	}
}

// Nudge makes the registration look at its key now: for who sees a view without
// the node.
func (r *Registration) Nudge() {
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// Close gives the key back, so that others see at once that the node is gone, and
// ends the registration. It waits for at most the client's timeout.
func (r *Registration) Close() {
	r.cancel()
	<-r.done
}

func (r *Registration) run(ctx context.Context) {
	defer close(r.done)
	defer func() { r.set(Left, errors.New("the registration was closed")) }()
	for ctx.Err() == nil {
		h, wait := r.register(ctx)
		if h == nil {
			pause(ctx, wait, r.nudge)
			continue
		}
		r.retry.n = 0
		r.keep(ctx, h)
	}
}

// register tries once to put the key. If h is nil it says when to try again.
func (r *Registration) register(ctx context.Context) (h *holding, wait time.Duration) {
	m := r.member
	m.Incarnation = r.Status().Incarnation
	value, err := m.encode()
	if err != nil {
		r.set(Registering, err)
		return nil, r.retry.next()
	}
	key := r.c.keys.node(m.ID)
	h, other, err := r.c.claim(ctx, key, value, r.o.TTL)
	switch {
	case h != nil:
		r.registered(h.created)
		return h, 0
	case err != nil:
		r.set(Registering, err)
		r.c.note("register "+m.ID, err)
		return nil, r.retry.next()
	case other == nil: // gone in between, or the prefix was taken again
		return nil, 0
	}
	if theirs, err := decodeMember(m.ID, other.Value, other.CreateRevision); err == nil && theirs.Token == r.o.Token {
		// A former life of ours, or a put of ours whose answer was lost.
		if _, err := r.c.evict(ctx, key, other.ModRevision); err != nil {
			r.set(Registering, err)
			return nil, r.retry.next()
		}
		return nil, 0
	}
	return nil, r.taken(ctx, other)
}

// taken takes note of another process that has the key: it may be dead, until its
// lease has outlived what was left of it when it was first seen.
func (r *Registration) taken(ctx context.Context, other *mvccpb.KeyValue) time.Duration {
	again := max(r.o.TTL/10, 100*time.Millisecond)
	if other.CreateRevision != r.rival {
		rest, err := r.c.left(ctx, clientv3.LeaseID(other.Lease))
		if err != nil {
			r.set(Registering, err)
			return r.retry.next()
		}
		// etcd revokes leases within about a second of their end.
		r.rival, r.deadline = other.CreateRevision, time.Now().Add(rest+2*time.Second)
	}
	if other.Lease != 0 && time.Now().Before(r.deadline) {
		r.set(Taken, nil)
		return again
	}
	if other.Lease == 0 {
		r.set(Taken, fmt.Errorf("%w: somebody has put %s without a lease, so it never expires: delete it", ErrTaken, other.Key))
		return again
	}
	who, at := "somebody", ""
	if m, err := decodeMember(r.member.ID, other.Value, other.CreateRevision); err == nil {
		who, at = "a process", fmt.Sprintf(" (devices at %s, incarnation %d)", m.Addr, m.Incarnation)
	}
	r.set(Taken, fmt.Errorf("%w: %s that is alive has the key %s%s: stop it, or give this node another id", ErrTaken, who, other.Key, at))
	return again
}

// keep refreshes the lease until it or the key is lost, or ctx ends.
func (r *Registration) keep(ctx context.Context, h *holding) {
	wait := h.every()
	for {
		if !pause(ctx, wait, r.nudge) {
			h.drop(ctx)
			return
		}
		err := h.refresh(ctx)
		switch {
		case err == nil:
			r.retry.n = 0
			r.set(Registered, nil)
			wait = h.every()
		case ctx.Err() != nil:
			h.drop(ctx)
			return
		case errors.Is(err, errLost):
			r.set(Registering, err)
			r.c.note("registration of "+r.member.ID, err)
			// What is left of it must not expire under the next one's nose.
			h.drop(ctx)
			return
		default:
			if time.Now().After(h.until) {
				r.set(Unheard, err)
			}
			r.c.note("registration of "+r.member.ID, err)
			wait = min(r.retry.next(), h.every())
		}
	}
}

// registered takes note of a key that was put at a revision.
func (r *Registration) registered(created int64) {
	r.mu.Lock()
	if r.status.Incarnation == 0 {
		r.status.Incarnation = created
	}
	r.status.Times++
	r.mu.Unlock()
	r.set(Registered, nil)
}

// set moves to a state, and says so if anything has changed.
func (r *Registration) set(s RegState, err error) {
	r.mu.Lock()
	same := r.status.State == s && (err == nil) == (r.status.Err == nil)
	if r.status.State != s {
		r.status.Since = time.Now()
	}
	r.status.State, r.status.Err = s, err
	status := r.status
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if !same && r.o.OnState != nil {
		r.o.OnState(status)
	}
}
