package member

import (
	"sync/atomic"
	"time"

	"roost/server/cluster"
)

// drainer decides whether this node is to be emptied. Its methods are called from the
// goroutine that follows views; what it says may be read from any.
//
//	Serving ── key ──▶ Draining ── key gone, in a view of now ──▶ Serving
//	Serving, Draining ── leave ──▶ Leaving
type drainer struct {
	now atomic.Pointer[drainState]
}

// drainState never changes. nil is Serving.
type drainState struct {
	Leaving  bool
	Revision int64 // of the key; 0 for Leaving
	Over     time.Duration
	Since    time.Time
	Why      string
	Began    int // devices that were connected then
}

// unreadableOver is how long an order takes that cannot be read: that it is one is sure.
const unreadableOver = 2 * time.Minute

// orders is what a view asks for, compared with what is: begin is a state to go to, stay is
// to end the one there is.
func orders(v *cluster.View, id string, was *drainState, now time.Time) (begin *drainState, stay bool, err error) {
	if v.Revision == 0 || was != nil && was.Leaving {
		return nil, false, nil
	}
	d, ok, err := cluster.DrainOf(v, id)
	if !ok {
		// A view of the past says nothing new: a drain goes on until it is known to be over.
		return nil, was != nil && v.Stale.IsZero(), nil
	}
	next := &drainState{Revision: d.Revision, Over: d.Over, Since: now, Why: "drained by " + orNobody(d.By)}
	if d.Why != "" {
		next.Why += ": " + d.Why
	}
	if err != nil {
		next.Revision, next.Over = v.Config["drain/"+id].Revision, unreadableOver
	}
	if was != nil {
		if was.Revision == next.Revision {
			return nil, false, nil
		}
		next.Since, next.Began = was.Since, was.Began
	}
	return next, false, err
}

func orNobody(s string) string {
	if s == "" {
		return "an operator"
	}
	return s
}

// emptying reports whether the weight is 0.
func (d *drainer) emptying() bool { return d.now.Load() != nil }

// progress says how far it is, with so many devices left; nil while serving.
func (d *drainer) progress(left int) *cluster.DrainProgress {
	s := d.now.Load()
	if s == nil {
		return nil
	}
	return &cluster.DrainProgress{Left: left, Moved: max(s.Began-left, 0), Since: s.Since.UTC().Truncate(time.Millisecond), OverMS: s.Over.Milliseconds()}
}

// set goes to a state, unless the node is leaving.
func (d *drainer) set(next *drainState) bool {
	for {
		was := d.now.Load()
		if was != nil && was.Leaving {
			return false
		}
		if d.now.CompareAndSwap(was, next) {
			return true
		}
	}
}

// leave goes to Leaving.
func (d *drainer) leave(over time.Duration, devices int, now time.Time) {
	next := &drainState{Leaving: true, Over: over, Since: now, Why: "the process ends", Began: devices}
	if was := d.now.Load(); was != nil && was.Leaving {
		return
	} else if was != nil {
		next.Since, next.Began = was.Since, was.Began
	}
	d.now.Store(next)
}
