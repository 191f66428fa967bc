package member

import (
	"sync/atomic"
	"time"

	"roost/server/cluster"
	"roost/server/presence"
)

// leases is what presence is told of registrations: by one snapshot, so that who is gone
// and since when come from the same view.
type leases struct {
	now atomic.Pointer[leaseBook]
}

// leaseBook never changes.
type leaseBook struct {
	began time.Time // of the first view: who was not in it has been gone for at least as long
	held  map[string]int64
	gone  map[presence.Owner]time.Time
}

const (
	// maxGone bounds how many departures are remembered; each for keepGone, after which
	// "longer than since the first view" is as good.
	maxGone  = 4096
	keepGone = time.Hour
)

// update takes a view, at now.
func (l *leases) update(v *cluster.View, now time.Time) {
	if v.Revision == 0 {
		return
	}
	old := l.now.Load()
	if old == nil {
		old = &leaseBook{began: now}
	} else if old.is(v) {
		return // most views are of weights
	}
	next := &leaseBook{began: old.began, held: make(map[string]int64, len(v.Members)), gone: map[presence.Owner]time.Time{}}
	for id, m := range v.Members {
		next.held[id] = m.Start
	}
	for o, at := range old.gone {
		if back, there := next.held[o.Node]; now.Sub(at) < keepGone && !(there && uint64(back) == o.Incarnation) {
			next.gone[o] = at
		}
	}
	for id, start := range old.held {
		if now, there := next.held[id]; start == 0 || there && now == start {
			continue
		}
		if o := (presence.Owner{Node: id, Incarnation: uint64(start)}); len(next.gone) < maxGone {
			next.gone[o] = now
		}
	}
	l.now.Store(next)
}

// is reports whether a view has the members of the book, as the same starts.
func (b *leaseBook) is(v *cluster.View) bool {
	for id, m := range v.Members {
		if start, there := b.held[id]; !there || start != m.Start {
			return false
		}
	}
	return len(v.Members) == len(b.held)
}

// of says what is known of the registration of a start of a node. stale is that etcd is
// not heard now.
func (l *leases) of(o presence.Owner, stale bool) (presence.Lease, time.Time) {
	b := l.now.Load()
	if b == nil || stale {
		return presence.LeaseUnknown, time.Time{}
	}
	switch start, there := b.held[o.Node]; {
	case there && uint64(start) == o.Incarnation:
		return presence.LeaseHeld, time.Time{}
	case there && start == 0:
		return presence.LeaseUnknown, time.Time{} // it does not say which start it is
	}
	if at, known := b.gone[o]; known {
		return presence.LeaseGone, at
	}
	return presence.LeaseGone, b.began
}
