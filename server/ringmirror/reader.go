package ringmirror

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// Read is what a Reader has: rings in force. It never changes.
type Read struct {
	Routes  *ring.Routes
	Pointer Pointer
	At      time.Time // when it was read

	stable, canary *cluster.Stored
}

// Reader holds the rings that Redis has. Load may be called from any goroutine; Poll, or
// Run, from one.
type Reader struct {
	// Static after NewReader.
	s *Store

	last    atomic.Pointer[Read]
	refused atomic.Uint64
}

// NewReader returns a reader that has nothing yet.
func NewReader(s *Store) *Reader { return &Reader{s: s} }

// Load returns the rings, nil before the first Poll that found any. Take it once a request.
func (r *Reader) Load() *Read { return r.last.Load() }

// Refused counts pointers that were older than what is held, and snapshots that are not what
// the pointer names.
func (r *Reader) Refused() uint64 { return r.refused.Load() }

// Poll looks once; changed is whether other rings are held now. After an error the last ones
// stay. Errors are ErrNone, ErrDamaged, ErrOld, or Redis's.
func (r *Reader) Poll(ctx context.Context) (changed bool, err error) {
	p, err := r.s.Pointer(ctx)
	if err != nil {
		return false, r.refuse(err)
	}
	last := r.last.Load()
	if last != nil {
		if p.same(&last.Pointer) {
			return false, nil
		}
		if !p.Newer(&last.Pointer) {
			return false, r.refuse(fmt.Errorf("%w: activation %d of history %.8s after %d of %.8s", ErrOld,
				p.Activation, p.History, last.Pointer.Activation, last.Pointer.History))
		}
	}
	next := &Read{Pointer: p, At: time.Now()}
	if next.stable, err = r.version(ctx, last, p.Stable, p.StableHash); err != nil {
		return false, r.refuse(err)
	}
	var canary *ring.Ring
	if p.Canary != 0 {
		if next.canary, err = r.version(ctx, last, p.Canary, p.CanaryHash); err != nil {
			return false, r.refuse(err)
		}
		canary = next.canary.Ring
	}
	next.Routes = ring.NewRoutes(next.stable.Ring, canary, p.Share)
	r.last.Store(next)
	return true, nil
}

// refuse counts what was refused.
func (r *Reader) refuse(err error) error {
	if errors.Is(err, ErrOld) || errors.Is(err, ErrDamaged) || errors.Is(err, cluster.ErrDamaged) {
		r.refused.Add(1)
	}
	return err
}

// version returns a version with that content: as it is held, or from Redis.
func (r *Reader) version(ctx context.Context, last *Read, version uint64, hash cluster.Hash) (*cluster.Stored, error) {
	if last != nil {
		for _, x := range []*cluster.Stored{last.stable, last.canary} {
			if x != nil && x.Version == version && x.Hash == hash {
				return x, nil
			}
		}
	}
	b, err := r.s.Snapshot(ctx, version)
	if err != nil {
		return nil, err
	}
	return cluster.ReadStored(version, hash, b)
}

// Run polls until ctx ends, and tells what came of it: changed and err are Poll's. told may be
// nil.
func (r *Reader) Run(ctx context.Context, every time.Duration, told func(changed bool, err error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		changed, err := r.Poll(ctx)
		if ctx.Err() != nil {
			return
		}
		if told != nil {
			told(changed, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
