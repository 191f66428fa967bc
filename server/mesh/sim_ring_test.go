package mesh_test

import (
	"sync"
	"sync/atomic"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// planner makes the rings of a world, as cluster's does: who has died is out at once, joins and
// weights are on trial first.
type planner struct {
	w *world

	mu      sync.Mutex // covers the following
	version uint64
	stable  *ring.Ring
	canary  *ring.Ring // nil: none is on
	pointer cluster.Pointer
	active  *cluster.Active // the newest
}

func newPlanner(w *world) *planner {
	p := &planner{w: w, version: 1}
	var nodes []ring.Node
	for _, id := range w.ids {
		nodes = append(nodes, ring.Node{ID: id, Addr: "ws://" + id, Weight: 1})
	}
	p.stable = p.must(ring.Build(1, nodes, ring.Options{TableBits: 10, PointsPerUnit: 40}))
	p.point()
	return p
}

func (p *planner) must(r *ring.Ring, err error) *ring.Ring {
	if err != nil {
		p.w.t.Fatal(err)
	}
	return r
}

// hash stands for the content hash of a version.
func hash(version uint64) cluster.Hash { return cluster.Hash(0xabc<<32 | version) }

// point brings what is planned into force.
func (p *planner) point() {
	share, trial := p.pointer.Share, p.pointer.Trial
	p.pointer = cluster.Pointer{Stable: p.stable.Version(), StableHash: hash(p.stable.Version()), Activation: p.pointer.Activation + 1}
	if p.canary != nil {
		p.pointer.Canary, p.pointer.CanaryHash = p.canary.Version(), hash(p.canary.Version())
		p.pointer.Share, p.pointer.Trial = share, trial
	}
	p.active = &cluster.Active{Routes: ring.NewRoutes(p.stable, p.canary, p.pointer.Share), Pointer: p.pointer}
}

func (p *planner) next() uint64 {
	p.version++
	return p.version
}

// join has a node that has come own something again; without one on trial that is a trial.
func (p *planner) join(id string) {
	if p.canary == nil && p.stable.Find(id) == ring.None {
		p.reweigh(id, 1, 3000)
	}
}

// leave takes a dead node out at once; a trial goes on.
func (p *planner) leave(id string) {
	gone := ring.Change{Remove: []string{id}}
	if p.stable.Find(id) != ring.None {
		for _, n := range p.w.running() { // those that nobody has let in yet, in case it was the last one
			if p.stable.Len() == 1 {
				gone.Set = append(gone.Set, ring.Node{ID: n.id, Addr: "ws://" + n.id, Weight: 1})
			}
		}
		p.stable = p.must(p.stable.Apply(p.next(), gone))
		gone.Set = nil
	}
	if p.canary != nil && p.canary.Len() == 1 {
		p.canary = nil
	}
	if p.canary != nil && p.canary.Find(id) != ring.None {
		p.canary = p.must(p.canary.Apply(p.next(), gone))
	}
	p.point()
}

// reweigh begins a trial.
func (p *planner) reweigh(id string, weight float64, share int) {
	if p.w.proc(id) == nil {
		return
	}
	node := ring.Node{ID: id, Addr: "ws://" + id, Weight: weight}
	p.canary = p.must(p.stable.Apply(p.next(), ring.Change{Set: []ring.Node{node}}))
	p.pointer.Share, p.pointer.Trial = share, p.canary.Version()
	p.point()
}

func (p *planner) promote() {
	p.stable, p.canary = p.canary, nil
	p.point()
}

func (p *planner) rollBack() {
	p.canary = nil
	p.point()
}

// plan changes the rings, and has every node hear of it a little later.
func (w *world) plan(f func(p *planner)) {
	w.planner.mu.Lock()
	before := w.planner.active
	f(w.planner)
	active := w.planner.active
	w.planner.mu.Unlock()
	if active == before {
		return
	}
	w.mu.Lock()
	w.tally.Rings++
	w.mu.Unlock()
	w.note("rings: %+v", active.Pointer)
	for _, p := range w.running() {
		w.after(w.delay(), func() { p.adopt(active) })
	}
}

func (p *planner) newest() *cluster.Active {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active
}

// holder is the rings as one node has them.
type holder struct {
	p atomic.Pointer[cluster.Active]
}

func (h *holder) Load() *cluster.Active { return h.p.Load() }

// swap takes rings unless they are older.
func (h *holder) swap(a *cluster.Active) bool {
	next := &cluster.Active{Routes: a.Routes, Pointer: a.Pointer, From: cluster.FromEtcd, At: time.Now()}
	for {
		old := h.p.Load()
		if old != nil && old.Pointer.Activation >= a.Pointer.Activation {
			return false
		}
		if h.p.CompareAndSwap(old, next) {
			return true
		}
	}
}
