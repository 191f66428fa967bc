package cluster

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"roost/ring"
	"roost/server/testetcd"
)

// node is what a server has of this package, in one hand.
type node struct {
	id  string
	c   *Client
	reg *Registration
	w   *Watcher
	r   *Router
	p   *Planner

	mu    sync.Mutex
	steps []Step
}

// quick are settings of a planner that does not wait long.
var quick = PlanSettings{
	Quiet: 200 * time.Millisecond, Most: time.Second, RemoveQuiet: 50 * time.Millisecond, MostGone: 500 * time.Millisecond,
	WeightsEvery: 300 * time.Millisecond, AfterRollback: time.Second, TableBits: 12,
}

// startNode starts a node that registers, watches, routes and offers to plan.
func startNode(t testing.TB, s *testetcd.Server, id string, plan PlanSettings, trial TrialSettings) *node {
	t.Helper()
	n := &node{id: id, c: identified(t, s)}
	n.reg = joined(t, n.c, member(id), RegisterOptions{TTL: 2 * time.Second})
	n.w = watching(t, n.c, fast)
	n.r = routed(t, n.c, n.w, RouterOptions{})
	var err error
	n.p, err = n.c.Plan(n.w, n.r, PlannerOptions{ID: id, TTL: time.Second, Plan: plan, Trial: trial, Keep: 3, OnStep: func(s Step) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.steps = append(n.steps, s)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.p.Close)
	return n
}

func (n *node) leads() bool { s, _ := n.p.State(); return s == Leading }

// crash ends a node as SIGKILL would: its requests fail from now on, so nothing is
// given back, and what it held expires.
func (n *node) crash() {
	_ = n.c.Close()
	n.p.Close()
	n.reg.Close()
	n.r.Close()
	n.w.Close()
}

// has waits until the stable ring of a router has these nodes, and no canary.
func has(t testing.TB, r *Router, what string, ids ...string) *Active {
	t.Helper()
	a, err := r.Wait(limit(t), func(a *Active) bool { return a.Pointer.Canary == 0 && owners(a.Routes.Stable(), ids...) })
	if err != nil {
		t.Fatalf("%s: the ring never had %v alone: %v, pointer %+v", what, ids, err, r.Load().Pointer)
	}
	return a
}

func owners(r *ring.Ring, ids ...string) bool {
	weighted := 0
	for _, n := range r.Nodes() {
		if n.Weight > 0 {
			weighted++
		}
	}
	for _, id := range ids {
		if n := r.Node(r.Find(id)); n == nil || n.Weight == 0 {
			return false
		}
	}
	return weighted == len(ids)
}

// TestPlannerLife: three nodes make a ring; a fourth joins through a trial; one
// that drains, and one that is gone, are out at once.
func TestPlannerLife(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	trial := TrialSettings{Hold: 300 * time.Millisecond, Longest: 600 * time.Millisecond}
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, startNode(t, s, fmt.Sprint("n", i), quick, trial))
	}
	r := nodes[0].r
	first := has(t, r, "three nodes", "n0", "n1", "n2")
	for _, n := range nodes {
		a := has(t, n.r, "on every node", "n0", "n1", "n2")
		if a.Pointer.StableHash != first.Pointer.StableHash {
			t.Errorf("node %s has ring %v, not %v", n.id, a.Pointer.StableHash, first.Pointer.StableHash)
		}
	}
	leaders := 0
	for _, n := range nodes {
		if n.leads() {
			leaders++
		}
	}
	if leaders != 1 {
		t.Errorf("%d planners", leaders)
	}

	reg := joined(t, nodes[0].c, member("n3"), RegisterOptions{TTL: time.Second})
	a, err := r.Wait(limit(t), func(a *Active) bool { return a.Pointer.Canary != 0 })
	if err != nil {
		t.Fatal("the fourth node is not tried:", err)
	}
	if a.Pointer.Share != 500 || owners(a.Routes.Stable(), "n0", "n1", "n2", "n3") {
		t.Errorf("on trial: %+v", a.Pointer)
	}
	up := has(t, r, "four nodes", "n0", "n1", "n2", "n3")
	if d := first.Routes.Stable().Compare(up.Routes.Stable()); d.Collateral != 0 || d.Share(d.Moved) < 0.2 || d.Share(d.Moved) > 0.3 {
		t.Errorf("the fourth of equal nodes moves %.3f, between others %d slots", d.Share(d.Moved), d.Collateral)
	}

	publisher := nodes[0].c.Publisher("n1")
	defer publisher.Close()
	if err := publisher.Publish(limit(t), Weight{Value: 0}); err != nil {
		t.Fatal(err)
	}
	has(t, r, "n1 drains", "n0", "n2", "n3")
	reg.Close()
	has(t, r, "n3 is gone", "n0", "n2")
}

// TestPlannerFailover: with three candidates one plans; when it dies another one
// does, and the ring follows.
func TestPlannerFailover(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for leases for seconds: runs without -short")
	}
	s := testetcd.Start(t)
	trial := TrialSettings{Hold: 100 * time.Millisecond, Longest: 200 * time.Millisecond}
	nodes := map[string]*node{}
	ids := []string{"n0", "n1", "n2"}
	for _, id := range ids {
		nodes[id] = startNode(t, s, id, quick, trial)
	}
	has(t, nodes["n0"].r, "three nodes", ids...)
	for len(ids) > 1 {
		var dead, alive string
		eventually(t, "somebody plans", func() bool {
			for i, id := range ids {
				if nodes[id].leads() {
					dead, alive = id, ids[(i+1)%len(ids)]
				}
			}
			return dead != ""
		})
		for _, id := range ids {
			if id != dead && nodes[id].leads() {
				t.Errorf("%s plans, and %s", dead, id)
			}
		}
		nodes[dead].crash()
		rest := ids[:0:0]
		for _, id := range ids {
			if id != dead {
				rest = append(rest, id)
			}
		}
		ids = rest
		has(t, nodes[alive].r, dead+" has died", ids...)
	}
}

// TestPlannerRollsBack: a canary whose share fails is taken back, and not tried
// again at once; a dead node is taken out of both rings meanwhile.
func TestPlannerRollsBack(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	plan := quick
	plan.AfterRollback = time.Hour
	n := startNode(t, s, "n0", plan, TrialSettings{Hold: time.Hour, Longest: time.Hour})
	second := joined(t, n.c, member("n1"), RegisterOptions{TTL: time.Second})
	first := has(t, n.r, "two nodes", "n0", "n1")
	joined(t, n.c, member("n2"), RegisterOptions{TTL: time.Second})
	a, err := n.r.Wait(limit(t), func(a *Active) bool { return a.Pointer.Canary != 0 })
	if err != nil {
		t.Fatal(err)
	}
	trial := a.Pointer.Trial
	second.Close()
	a, err = n.r.Wait(limit(t), func(a *Active) bool { return a.Pointer.Canary != 0 && owners(a.Routes.Stable(), "n0") })
	if err != nil {
		t.Fatal("n1 is not out:", err)
	}
	if canary, _ := a.Routes.Canary(); a.Pointer.Trial != trial || !owners(canary, "n0", "n2") || a.Pointer.Share != 500 {
		t.Errorf("the trial did not go on: %+v", a.Pointer)
	}
	p := n.c.Publisher("n0")
	defer p.Close()
	if err := p.Publish(limit(t), Weight{Value: 10_000, Trial: &Counts{Trial: trial, Share: Side{Attempts: 400, Failures: 100}, Rest: Side{Attempts: 8000}}}); err != nil {
		t.Fatal(err)
	}
	back := has(t, n.r, "rolled back", "n0")
	if back.Pointer.RolledBack == 0 || back.Pointer.Activation <= first.Pointer.Activation {
		t.Errorf("%+v", back.Pointer)
	}
	eventually(t, "it says what it waits for", func() bool {
		_, why := n.p.State()
		return why != "" && n.r.Load().Pointer.Canary == 0 && n.w.View().Has("n2")
	})
}

// TestPlannerAfterWipe: an etcd that has lost everything gets the ring back that
// the nodes have, with everybody in it.
func TestPlannerAfterWipe(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	trial := TrialSettings{Hold: 100 * time.Millisecond, Longest: 200 * time.Millisecond}
	plan := quick
	plan.MostGone, plan.RemoveQuiet, plan.Most = 10*time.Second, 5*time.Second, 10*time.Second
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, startNode(t, s, fmt.Sprint("n", i), plan, trial))
	}
	first := has(t, nodes[0].r, "three nodes", "n0", "n1", "n2")
	for _, n := range nodes { // whoever has no ring yet would plan a first one
		has(t, n.r, "on every node", "n0", "n1", "n2")
	}
	s.Wipe()
	for _, n := range nodes {
		a, err := n.r.Wait(limit(t), func(a *Active) bool {
			return a.Pointer.Stable > first.Pointer.Stable && owners(a.Routes.Stable(), "n0", "n1", "n2")
		})
		if err != nil {
			for _, o := range nodes {
				state, why := o.p.State()
				v := o.w.View()
				t.Logf("%s: planner %v (%s), %+v; view at %d: members %s, pointer at %d, stale %v; registration %+v; router %+v",
					o.id, state, why, o.steps, v.Revision, sorted(v.Members), v.Pointer.Activation, v.Stale, o.reg.Status(), o.r.Status())
			}
			t.Fatalf("%s: %v; %+v", n.id, err, n.r.Load().Pointer)
		}
		// A node that was out for a moment leaves hardly anything behind.
		if d := first.Routes.Stable().Compare(a.Routes.Stable()); d.Share(d.Moved) > 0.005 {
			t.Errorf("%s: %d slots have moved", n.id, d.Moved)
		}
	}
}

// TestPlannerAfterPointer: a pointer that somebody has deleted, or put back after what it
// names was collected, moves nobody, and is replaced: the ring lives on.
func TestPlannerAfterPointer(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*node, *Active) error{
		"deleted": func(n *node, _ *Active) error {
			_, err := n.c.etcd.Delete(limit(t), n.c.keys.active())
			return err
		},
		"names a version that is gone": func(n *node, a *Active) error {
			p := a.Pointer
			p.Stable, p.Previous = 1, 0
			if a.Pointer.Stable == 1 {
				p.Stable = 77
			}
			value, err := p.encode()
			if err == nil {
				_, err = n.c.etcd.Put(limit(t), n.c.keys.active(), value)
			}
			return err
		},
		"names another hash": func(n *node, a *Active) error {
			p := a.Pointer
			p.StableHash++
			value, err := p.encode()
			if err == nil {
				_, err = n.c.etcd.Put(limit(t), n.c.keys.active(), value)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testetcd.Start(t)
			var nodes []*node
			for i := range 2 {
				nodes = append(nodes, startNode(t, s, fmt.Sprint("n", i), quick, TrialSettings{}))
			}
			for _, n := range nodes {
				has(t, n.r, "on every node", "n0", "n1")
			}
			first := nodes[0].r.Load()
			if err := spoil(nodes[0], first); err != nil {
				t.Fatal(err)
			}
			for _, n := range nodes {
				a, err := n.r.Wait(limit(t), func(a *Active) bool {
					return a.Pointer.Activation > first.Pointer.Activation && owners(a.Routes.Stable(), "n0", "n1")
				})
				if err != nil {
					state, why := n.p.State()
					t.Fatalf("%s: %v; pointer %+v, planner %v (%s)", n.id, err, n.r.Load().Pointer, state, why)
				}
				if d := first.Routes.Stable().Compare(a.Routes.Stable()); d.Moved != 0 {
					t.Errorf("%s: %d slots have moved", n.id, d.Moved)
				}
			}
			nodes[1].crash()
			has(t, nodes[0].r, "the ring is changed again", "n0")
		})
	}
}

// TestDeposed: who is not the planner any more changes nothing.
func TestDeposed(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	h, _, err := c.claim(limit(t), c.keys.planner(), "x", time.Second)
	if err != nil || h == nil {
		t.Fatal(err)
	}
	v := c.Versions().under(h)
	stored(t, v, built(t, 1, "a"))
	p := must(t)(v.Activate(limit(t), 0, 1, tell))
	h.drop(limit(t))
	if other, _, err := c.claim(limit(t), c.keys.planner(), "y", time.Second); err != nil || other == nil {
		t.Fatal(err)
	}
	if _, err := v.Put(limit(t), built(t, 2, "a", "b")); !errors.Is(err, ErrNotPlanner) {
		t.Errorf("put: %v", err)
	}
	stored(t, c.Versions(), built(t, 2, "a", "b"))
	if _, err := v.Activate(limit(t), p.Activation, 2, tell); !errors.Is(err, ErrNotPlanner) {
		t.Errorf("activate: %v", err)
	}
	if _, err := v.Collect(limit(t), 0); err == nil {
		t.Error("collect: it was done")
	}
}
