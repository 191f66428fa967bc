package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// TestOfAnotherCluster: what is looked at must be there, and is not made by looking.
func TestOfAnotherCluster(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b")
	d.want(2, "ring status --cluster other", "belongs to another cluster")
	d.want(2, "ring status --environment production", "belongs to another cluster")
	d.want(2, "drain n1 --etcd-prefix /misspelt", "belongs to no cluster", "/misspelt")
	if err := d.c.Known(limit(t)); err != nil {
		t.Error(err)
	}
	if _, err := call(t, "ring status --etcd 127.0.0.1:1 --timeout 200ms", ""); exitCode(err, io.Discard) != 2 {
		t.Errorf("%v", err)
	}
}

// TestStatus: of a cluster as it is.
func TestStatus(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b", "n3@b")
	p := d.pointer()
	d.set("n1", func(n *deskNode) {
		n.held = &cluster.HeldRing{Activation: p.Activation, Version: 1, Hash: p.StableHash}
	})
	d.set("n2", func(n *deskNode) { n.held = &cluster.HeldRing{Activation: p.Activation, Version: 1, Hash: 0xbad} })
	d.sees("what nodes hold", func(v *cluster.View) bool {
		for _, id := range []string{"n1", "n2"} {
			w := v.Weights[id]
			if said, _ := w.Said(); said.Ring == nil {
				return false
			}
		}
		return true
	})
	d.want(0, "ring status", "stable    version 1, hash "+p.StableHash.String(), "another ring: n2 holds version 1, hash 0000000000000bad",
		"1 nodes hold another ring than the pointer names, 1 do not say", "next: nothing", "3000")
	var got struct {
		Activation int64
		Nodes      []statusNode
	}
	if err := json.Unmarshal([]byte(d.want(0, "ring status --json")), &got); err != nil || got.Activation != p.Activation || len(got.Nodes) != 3 || *got.Nodes[1].Agrees || *got.Nodes[0].Devices != 3000 {
		t.Errorf("%v, %+v", err, got)
	}
	d.want(0, "ring versions", p.StableHash.String(), "stable", "1 versions are stored")
	d.want(0, "ring show", "ring 1: 3 nodes", p.StableHash.String())
	d.want(2, "ring show 7", "no such ring version")
	d.want(2, "ring show x", "not a number")
}

// TestPlanIsThePlanners: without a change, plan shows what the planner will do, and apply
// does just that, measured.
func TestPlanIsThePlanners(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b", "n3@b")
	d.want(0, "ring plan", "nothing is to be done: the ring is as it should be")
	d.want(0, "ring apply", "nothing is to be done")
	d.join("n4@a")
	d.set("n4", func(n *deskNode) { n.devices = 0 })
	d.sees("n4", func(v *cluster.View) bool { return len(v.Members) == 4 && v.Weights["n4"].Value > 0 })
	d.want(0, "ring plan", "ring 1 -> 2 at activation", "in 1s if nothing changes: join: join: n4 (1)", "collateral  0.0000 %", "limits: all are kept", "of 9000 devices")
	before := d.pointer()
	// The devices go where they are told to, while apply counts.
	go func() {
		time.Sleep(100 * time.Millisecond)
		for _, id := range []string{"n1", "n2", "n3"} {
			d.set(id, func(n *deskNode) { n.devices = 2962 })
		}
		d.set("n4", func(n *deskNode) { n.devices = 114 })
	}()
	d.want(0, "ring apply --measure 600ms", "measured after", "for 5.00 % of the ids that move", "moved 114 devices, 11", "were planned")
	if p := d.pointer(); p.Canary != 2 || p.Share != 500 || p.Activation == before.Activation || !strings.Contains(p.Why, "join") {
		t.Errorf("%+v", p)
	}
	d.want(1, "ring apply --set n1:2", "version 2 is on trial: promote it or roll it back first")
	d.want(0, "ring status", "canary    version 2", "verdict: on", "rollback  takes version 2 back")
}

// TestPlanOfWhatIsUrgent: a node that drains, while nobody plans.
func TestPlanOfWhatIsUrgent(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b", "n3@b", "n4@a")
	d.set("n2", func(n *deskNode) { n.weight = 0 })
	d.sees("the weight", func(v *cluster.View) bool { return v.Weights["n2"].Value == 0 })
	d.want(0, "ring plan", "urgent", "emptied, or moved: n2 (0)", "limits: all are kept")
	d.want(1, "ring apply --measure -1s", "--now")
	d.want(0, "ring apply --measure -1s --now", "done: stable 2")
	d.want(0, "ring plan", "nothing is to be done")
}

// TestNoRingYet: what there is to say before the first ring.
func TestNoRingYet(t *testing.T) {
	d := newDesk(t)
	d.want(0, "ring status", "nobody is elected", "next: nothing")
	d.want(2, "ring zones", "there is no ring yet")
	d.want(2, "route --device x", "there is no ring yet")
	d.want(2, "ring plan --set a:1", "there is no ring yet")
	d.join("n1@a")
	d.sees("n1", func(v *cluster.View) bool { return len(v.Members) == 1 })
	d.want(0, "ring plan", "first: first ring, of n1", "doubt: there is no ring in etcd")
	d.want(1, "ring apply", "there is no ring in etcd")
	d.want(0, "ring apply --force --measure -1s", "done: stable 1")
}

// TestApplyRefuses: an operator who would empty a zone is told so, and nothing is
// done; with --force it is. By hand it is pinned, until it is not.
func TestApplyRefuses(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@b", "n4@b", "n5@b")
	before := d.pointer()
	d.want(1, "ring plan --remove n1 --remove n2", "zone a would be emptied: its 2 nodes would own nothing, and its 6000 devices would go to b", "limit moved: 40.")
	d.want(1, "ring apply --remove n1 --remove n2", "zone a would be emptied", "nothing has been done; --force does it all the same")
	if p := d.pointer(); p != before {
		t.Errorf("%+v", p)
	}
	if pins, err := cluster.PinsOf(d.w.View()); err != nil || len(pins) != 0 {
		t.Errorf("%v, %v", pins, err)
	}
	d.want(1, "ring apply --set n9:1", "n9 is not registered")
	d.want(2, "ring plan --set n1:1e308", "at most")
	d.want(1, "ring apply --drain n1", "roostctl drain n1")
	d.want(2, "ring apply --remove n9", "not in the ring")
	d.want(2, "ring apply --remove n1 --share 0", "--share")
	d.want(3, fmt.Sprintf("ring apply --set n1:0.5 --at %d", before.Activation-1), "has moved")
	d.want(1, "ring plan --remove n1 --limit-moved 10", "limit moved: 19.9 % of all devices would move, the limit is 10.0 %")
	d.want(0, "ring apply --set n1:0.5 --now --measure -1s", "done: stable 2")
	v := d.sees("the pin", func(v *cluster.View) bool {
		pins, _ := cluster.PinsOf(v)
		return pins["n1"].Weight == 0.5 && v.Pointer.Stable == 2
	})
	s, err := d.c.Versions().Get(limit(t), 2)
	if err != nil || s.Ring.Node(s.Ring.Find("n1")).Weight != 0.5 {
		t.Fatalf("%v", err)
	}
	if dec, _ := cluster.Ahead(cluster.PlanInput{View: v, Stable: s.Ring, Now: time.Now()}, cluster.PlanSettings{}); dec.Kind != cluster.Nothing {
		t.Errorf("the planner takes it back: %v %s", dec.Kind, dec.Why)
	}
	d.want(0, "ring status", "pinned: n1 at weight 0.5")
	d.want(0, "ring apply --unpin n1 --now --measure -1s", "n1 follows its weight, 1", "done: stable 3")
	d.sees("no pin", func(v *cluster.View) bool {
		pins, _ := cluster.PinsOf(v)
		return len(pins) == 0 && v.Pointer.Stable == 3
	})
	d.want(0, "ring apply --remove n1 --remove n2 --force --now --measure -1s", "done: stable 4")
}

// TestApplyUndoes: who comes too late has changed nothing, pins included.
func TestApplyUndoes(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b")
	f := newFlags("x", "", "")
	c := f.change()
	e := f.etcd()
	if _, err := f.parse([]string{"--etcd", d.etcd.Addr(), "--set", "n1:0.9"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	s, err := e.open(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.c.Pin(limit(t), s.w.View(), map[string]cluster.Pin{"n2": {Weight: 1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.w.Wait(limit(t), func(v *cluster.View) bool { return len(v.Config) > 0 }); err != nil {
		t.Fatal(err)
	}
	draft, err := s.draft(limit(t), f, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.c.Versions().Activate(limit(t), draft.view.Pointer.Activation, 1, cluster.Told{By: "somebody else"}); err != nil {
		t.Fatal(err)
	}
	if _, err = s.apply(limit(t), draft, &applyFlags{now: true, share: 5}); !errors.Is(err, cluster.ErrMoved) || exitCode(err, io.Discard) != 3 {
		t.Errorf("%v", err)
	}
	d.sees("the pins as they were", func(v *cluster.View) bool {
		pins, err := cluster.PinsOf(v)
		_, n1 := pins["n1"]
		return err == nil && len(pins) == 1 && !n1 && pins["n2"].Weight == 1
	})
}

// TestTrialByHand: canary, promote, rollback, each by one pointer.
func TestTrialByHand(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@a", "n4@a", "n5@a")
	s, err := d.c.Versions().Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	for version, weight := range map[uint64]float64{2: 0.8, 3: 8} {
		r, err := s.Ring.Apply(version, ring.Change{Set: []ring.Node{{ID: "n1", Zone: "a", Weight: weight, Capacity: 10_000}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.c.Versions().Put(limit(t), r); err != nil {
			t.Fatal(err)
		}
	}
	d.want(2, "ring promote", "no canary")
	d.want(2, "ring rollback", "nothing before version 1")
	d.want(2, "ring canary 7", "no such ring version")
	d.want(2, "ring canary", "one VERSION")
	d.want(1, "ring canary 3", "limit moved")
	d.want(0, "ring canary 2 --share 10", "canary 2", "for 10.00 %")
	first := d.pointer()
	d.want(0, "ring canary 2 --share 50 --at "+fmt.Sprint(first.Activation), "for 50.00 %")
	d.want(3, "ring promote --at "+fmt.Sprint(first.Activation), "has moved")
	d.want(0, "ring promote", "stable 2", "trial of version 2")
	d.want(0, "ring rollback --why x", "version 2 is rolled back", "stable 1")
	if p := d.pointer(); p.Why != "x" || p.RolledBack != 2 || p.Activation <= first.Activation {
		t.Errorf("%+v", p)
	}
	d.want(0, "ring versions", "rolled back", "stable", "by hand")
}

// TestPaceOfThePlanner: what is shown of a trial and of what comes next goes by the times of who plans,
// and not by those that are usual.
func TestPaceOfThePlanner(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@a", "n4@a", "n5@a")
	s, err := d.c.Versions().Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Ring.Apply(2, ring.Change{Set: []ring.Node{{ID: "n1", Zone: "a", Weight: 0.9, Capacity: 10_000}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.c.Versions().Put(limit(t), r); err != nil {
		t.Fatal(err)
	}
	router := d.c.Route(d.w, cluster.RouterOptions{})
	t.Cleanup(router.Close)
	trial := cluster.TrialSettings{Hold: 10 * time.Minute}.Faster(10)
	p, err := d.c.Plan(d.w, router, cluster.PlannerOptions{ID: "n1", Plan: cluster.PlanSettings{WeightsEvery: 20 * time.Minute}.Faster(10), Trial: trial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for {
		e, err := d.c.Elected(limit(t))
		if err != nil {
			t.Fatal(err)
		}
		if e.ID == "n1" {
			break
		}
	}
	d.set("n1", func(n *deskNode) { n.weight = 8000 })
	d.sees("the weight", func(v *cluster.View) bool { return v.Weights["n1"].Value == 8000 })
	d.want(0, "ring status", "weights in 2m0s", "weights: n1 (0.8)")
	d.want(0, "ring canary 2", "canary 2")
	d.want(0, "ring status", "of 1m0s")
}

// TestZonesOfACluster: before and after, targets that are saved, and a change by hand.
func TestZonesOfACluster(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@b", "n4@b", "n5@c")
	d.want(0, "ring zones", "targets by capacity", "sigma of slots/target 0.0", "slots/target")
	d.want(0, "ring zones --targets a=0.3,b=0.4,c=0.3", "targets by set", "weights: n1 0.7", "slots move between zones")
	d.want(0, "ring zones --resources a=8:2,b=8:2,c=16:1", "targets by set", " 5851 ")
	d.want(2, "ring zones --resources a=8:2", "set one for each")
	d.want(2, "ring zones --resources a=8", "ZONE=MEMORY:CPU")
	d.want(2, "ring zones --targets a=1", "set one for each")
	d.want(2, "ring zones --targets a", "ZONE=SHARE")
	d.want(2, "ring zones --auto maybe", "on or off")
	d.want(0, "ring plan --zones --targets a=0.3,b=0.4,c=0.3", "even out zones: sigma of slots/target 0.", "limits: all are kept")
	d.want(0, "ring apply --zones --targets a=0.3,b=0.4,c=0.3 --now --measure -1s", "done: stable 2")
	v := d.sees("factors", func(v *cluster.View) bool { return v.Zones.Factors["a"] != 0 && v.Pointer.Stable == 2 })
	if z, err := cluster.ZoneConfigOf(v); err != nil || z.Targets["c"] != 0.3 {
		t.Errorf("%+v, %v", z, err)
	}
	s, err := d.c.Versions().Get(limit(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	if dec, _ := cluster.Ahead(cluster.PlanInput{View: v, Stable: s.Ring, Now: time.Now()}, cluster.PlanSettings{}); dec.Kind != cluster.Nothing {
		t.Errorf("the planner takes it back: %v %s", dec.Kind, dec.Why)
	}
	d.want(0, "ring zones --save --auto off", "targets by capacity; the planner leaves zones alone")
	d.sees("off", func(v *cluster.View) bool {
		z, err := cluster.ZoneConfigOf(v)
		return err == nil && z.Off && z.Targets == nil
	})
}
