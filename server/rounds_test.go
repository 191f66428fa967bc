package server

import (
	"sync/atomic"
	"testing"
	"time"
)

// cuttingFleet is two nodes of which n1 sends nobody to n2 but the first, until it is told that n2 takes more, and
// is well or cut off as the test says.
func cuttingFleet(t *testing.T) (f *fleet, a, b *Server, wide *atomic.Bool, cut func(bool)) {
	f, wide = newFleet(t), new(atomic.Bool)
	change := func(o *Options) {
		o.timing.cut, o.Cluster.ShedOver, o.timing.without = 200*time.Millisecond, time.Hour, 0
		o.Cluster.Budget = func(node string) float64 {
			if node == "n2" && !wide.Load() {
				return 1.0 / 3600
			}
			return acceptRate
		}
	}
	a, b = f.node("n1", change), f.node("n2", change)
	f.ring(1, "n1")
	f.up(a, b)
	f.weighs("n1", 1, true)
	f.weighs("n2", 1, true)
	eventually(t, "n1 knows of n2", func() bool { return a.cluster.others.Load() == 1 })
	return f, a, b, wide, func(is bool) {
		f.hub.SetCut("n1", is)
		f.stores["n1"].cut.Store(is)
		eventually(t, "it knows whether it is cut off", func() bool { return a.cluster.cut.Load() == is })
	}
}

// TestRoundsGoOn: a round that shedding has taken the place of, or emptying, goes on when that is over: by the same ring.
func TestRoundsGoOn(t *testing.T) {
	told := func(s *Server, kind roundKind) uint64 { return s.cluster.moves.told[kind].Load() }
	here := func(s *Server) uint64 { return uint64(s.registry.Len()) }
	for _, c := range []struct {
		name   string
		kind   roundKind
		begin  func(f *fleet, a *Server)
		before func(a *Server, cut func(bool))
		after  func(a *Server, cut func(bool))
	}{
		{"moving, cut off", moving, func(f *fleet, a *Server) { f.ring(2, "n2") },
			func(_ *Server, cut func(bool)) { cut(true) }, func(_ *Server, cut func(bool)) { cut(false) }},
		{"moving, emptied", moving, func(f *fleet, a *Server) { f.ring(2, "n2") },
			func(a *Server, _ func(bool)) { a.Evacuate(time.Hour) }, func(a *Server, _ func(bool)) { a.StayHere() }},
		{"emptying, cut off", emptying, func(f *fleet, a *Server) { f.ring(2, "n2"); a.Evacuate(time.Second) },
			func(_ *Server, cut func(bool)) { cut(true) }, func(_ *Server, cut func(bool)) { cut(false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, a, _, wide, cut := cuttingFleet(t)
			for _, id := range f.owned("n1", 8) {
				device(t, a, "device="+id, "roost.v1.json")
			}
			eventually(t, "they are here", func() bool { return here(a) == 8 })
			c.begin(f, a)
			eventually(t, "the first is told", func() bool { return told(a, c.kind) > 0 })
			c.before(a, cut)
			eventually(t, "another round has taken its place", func() bool {
				r := a.cluster.moves.round.Load()
				return r != nil && r.kind != c.kind && (r.kind != shedding || told(a, shedding) > 0)
			})
			before := told(a, c.kind)
			wide.Store(true)
			c.after(a, cut)
			eventually(t, "the others are told", func() bool { return told(a, c.kind) >= before+here(a) || here(a) == 0 })
			a.StayHere()
		})
	}
}
