package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/testredis"
)

// TestOfAnotherCluster: what is looked at must be there, and is not made by looking.
func TestOfAnotherCluster(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b")
	d.want(2, "ring status --cluster other", "belongs to another cluster")
	d.want(2, "ring status --environment production", "belongs to another cluster")
	d.want(2, "drain n1 --prefix /misspelt", "belongs to no cluster", "/misspelt")
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
		w := v.Weights["n2"]
		said, _ := w.Said()
		return said.Ring != nil
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
	d.want(0, "ring plan --remove n1 --remove n2", "zone a would be emptied: its 2 nodes would own nothing, and its 6000 devices would go to b", "limit moved: 40.")
	d.want(1, "ring apply --remove n1 --remove n2", "zone a would be emptied", "nothing has been done; --force does it all the same")
	if p := d.pointer(); p != before {
		t.Errorf("%+v", p)
	}
	if pins, err := cluster.PinsOf(d.w.View()); err != nil || len(pins) != 0 {
		t.Errorf("%v, %v", pins, err)
	}
	d.want(1, "ring apply --set n9:1", "n9 is not registered")
	d.want(1, "ring apply --drain n1", "roostctl drain n1")
	d.want(2, "ring apply --remove n9", "not in the ring")
	d.want(2, "ring apply --remove n1 --share 0", "--share")
	d.want(3, fmt.Sprintf("ring apply --set n1:0.5 --at %d", before.Activation-1), "has moved")
	d.want(0, "ring plan --remove n1 --limit-moved 10", "limit moved: 19.9 % of all devices would move, the limit is 10.0 %")
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
	d.want(0, "ring versions", "rolled back", "stable")
}

// TestDrain: asked for, watched, listed, stopped; the last one and the last of a zone
// are kept.
func TestDrain(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b", "n3@b")
	d.want(1, "drain n1", "n1 is the last node of zone a that takes devices: emptying it empties the zone", "nothing has been done")
	d.want(1, "drain n9", `node "n9" is not registered; these are: n1, n2, n3`)
	d.want(2, "drain n2 --over 10ms", "1s to 24h")
	d.want(1, "drain n2 --over 2s", "it can take 100: give it")
	d.want(0, "drain", "no node is being drained")
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.sees("the wish", func(v *cluster.View) bool { _, ok, _ := cluster.DrainOf(v, "n2"); return ok })
		for i, left := range []int{2000, 700, 0} {
			d.set("n2", func(n *deskNode) {
				n.weight, n.drain = 0, &cluster.DrainProgress{Left: left, Moved: 3000 - left, Since: time.Unix(1e9, 0), OverMS: 120_000}
			})
			if i < 2 {
				time.Sleep(300 * time.Millisecond)
			}
		}
	}()
	out := d.want(0, "drain n2 --watch --why kernel", "n2 gives up 33.", "n2 is drained over 2m0s", "n2  33 %, left 2000, moved 1000", "n2  77 %, left 700, moved 2300", "n2 is empty")
	if strings.Contains(out, "\r") {
		t.Errorf("a bar in a file: %q", out)
	}
	<-done
	d.want(0, "drain", "n2", "kernel", "3000")
	d.want(0, "ring status", "draining", "drain: n2 over 2m0s")
	d.want(1, "drain n3", "n3 is the last node of zone b")
	d.want(0, "drain n3 --force", "warning: n3 is the last node of zone b")
	d.want(1, "drain n1", "n1 is the last node that takes devices")
	d.want(0, "drain n3 --stop", "n3 fills again")
	d.want(0, "drain n3 --stop", "n3 was not being drained")
	d.want(1, "drain n1 --watch --within 300ms --over 1h --force", "n1 is not empty after 300ms: it goes on")
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

// TestRouteAgrees: the same answer from etcd, a file, what Redis has, a node's last
// ring and a node itself; and not from another ring.
func TestRouteAgrees(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@b", "n3@b")
	inTemp(t)
	p := d.pointer()
	s, err := d.c.Versions().Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile("raw", s.Bytes, 0o644), os.WriteFile("redis", append(append([]byte(nil), s.Bytes...), '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
	router := d.c.Route(d.w, cluster.RouterOptions{File: "ring.json"})
	defer router.Close()
	if _, err := router.Wait(limit(t), func(a *cluster.Active) bool { return a.From == cluster.FromEtcd }); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat("ring.json"); err == nil {
			break
		}
	}
	other := "n1"
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/ring" && r.URL.Query().Get("version") == "1" && r.URL.Query().Get("format") == "binary" {
			_, _ = w.Write(s.Bytes)
			return
		}
		owner := s.Ring.Node(s.Ring.Lookup(r.URL.Query().Get("device"))).ID
		if r.URL.Query().Get("device") == "device-7" {
			owner = other
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"node": owner, "ring": 1, "rh": p.StableHash, "candidates": []any{}})
	}))
	defer node.Close()
	for i := range 12 {
		device := fmt.Sprintf("device-%d", i)
		want := s.Ring.Node(s.Ring.Lookup(device)).ID
		says := fmt.Sprintf("%s -> %s in zone %s at ws://%s:8080", device, want, s.Ring.Node(s.Ring.Find(want)).Zone, want)
		hash := "by ring 1, hash " + p.StableHash.String()
		d.want(0, "route --device "+device, says, hash)
		for _, args := range []string{"--file raw", "--file redis", "--file ring.json", "--file raw --version 1 --hash " + p.StableHash.String()} {
			if out, err := call(t, "route --device "+device+" "+args, ""); err != nil || !strings.Contains(out, says) || !strings.Contains(out, hash) {
				t.Errorf("%s: %v\n%s", args, err, out)
			}
		}
		code := 0
		if device == "device-7" && want != other {
			code = 1
		}
		out, err := call(t, "route --device "+device+" --url "+node.URL, "")
		if got := exitCode(err, io.Discard); got != code || code == 0 && !strings.Contains(out, "the node agrees") || code == 1 && !strings.Contains(out, "they do not agree: the node says n1") {
			t.Errorf("%s: code %d, %v\n%s", device, got, err, out)
		}
		d.want(code, "route --device "+device+" --url "+node.URL, says)
	}
	d.want(1, "route --device x --hash 0123456789abcdef", "another ring: its hash is "+p.StableHash.String())
	d.want(2, "route --device x --version 9", "no such ring version")
	for line, want := range map[string]string{
		"route":                                         "--device",
		"route --device x":                              "say where the snapshot is",
		"route --device x --file raw --hash 12":         "16 hexadecimal digits",
		"route --device x --file raw --version 2":       "has ring 1, 2 was asked for",
		"route --device x --file raw --etcd x":          "give one",
		"route --device x --file ring.json --cluster y": "belongs to another cluster",
		"route --device x --url ftp://x":                "write the API address",
		"route --device x --url http://127.0.0.1:1":     "API address of a node?",
		"route --device x --file raw -n 0":              "must be 1 to",
	} {
		_, err := call(t, line, "")
		var e strings.Builder
		if code := exitCode(err, &e); code != 2 || !strings.Contains(e.String(), want) {
			t.Errorf("%s: code %d, %s", line, code, e.String())
		}
	}
}

// TestRouteOnTrial: while two rings are in force the one answers that the device is
// on.
func TestRouteOnTrial(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@a", "n4@a", "n5@a")
	d.want(0, "ring apply --set n1:0.8 --share 50 --measure -1s", "canary 2, hash", "for 50.00 %")
	stable, err := d.c.Versions().Get(limit(t), 1)
	if err != nil {
		t.Fatal(err)
	}
	canary, err := d.c.Versions().Get(limit(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	routes := ring.NewRoutes(stable.Ring, canary.Ring, 5000)
	seen := map[uint64]bool{}
	for i := range 20 {
		device := fmt.Sprint("device-", i)
		g, v := routes.Lookup(device)
		seen[g.Version()] = true
		d.want(0, "route --device "+device, device+" -> "+g.Node(v).ID, fmt.Sprintf("by ring %d", g.Version()))
	}
	if len(seen) != 2 {
		t.Errorf("only %v answered", seen)
	}
}

// TestRedisSkew: of a real Cluster; its lines are redis-cli's.
func TestRedisSkew(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six servers")
	}
	c := testredis.StartCluster(t)
	inTemp(t)
	entry := c.Addrs()[0]
	zones := ""
	for i, s := range c.Nodes()[:testredis.Masters] {
		zones += fmt.Sprintf("%s eu-%d\n", s.Addr(), i)
	}
	if err := os.WriteFile("zones", []byte(zones), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := call(t, "redis skew --redis "+entry+" --zones zones", "")
	if err != nil || !strings.Contains(out, "nothing is to be moved") || !strings.Contains(out, "eu-2") || !strings.Contains(out, "sigma over zones, of slots/target: 0.000") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = call(t, "redis skew --redis redis://"+entry+" --zones zones --targets eu-0=0.5,eu-1=0.25,eu-2=0.25", "")
	ids := c.Nodes()[0].Text("CLUSTER", "MYID")
	if err != nil || !strings.Contains(out, "redis-cli --cluster rebalance "+entry+" --cluster-weight ") || !strings.Contains(out, ids+"=8192") ||
		!strings.Contains(out, "--cluster-to "+ids+" --cluster-slots 1365 --cluster-yes") || !strings.Contains(out, "2731 slots move, 2731 of them between zones") {
		t.Errorf("%v\n%s", err, out)
	}
	// What it prints can be carried out, and then nothing is left to do.
	small := "redis skew --redis " + entry + " --zones zones --targets eu-0=0.335,eu-1=0.3325,eu-2=0.3325"
	out, err = call(t, small, "")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		args := strings.Fields(line)
		if len(args) < 3 || args[0] != "redis-cli" || args[2] != "rebalance" {
			continue
		}
		if text, err := exec.CommandContext(limit(t), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, text)
		}
	}
	testredis.Await(t, "all know the slots", func() bool {
		out, err = call(t, small, "")
		return err == nil && strings.Contains(out, "nothing is to be moved")
	})
	for line, want := range map[string]string{
		"redis skew": "--redis host:port", "redis skew --redis " + entry + " --zones zones --zone-names x": "give one",
		"redis skew --redis " + entry + " --zone-names x": "has no group", "redis skew --redis " + entry + " --zones nowhere": "nowhere",
		"redis skew --redis " + entry + " --zones zones --targets eu-0=1": "say nothing of zone", "redis skew --redis 127.0.0.1:1": "127.0.0.1:1",
	} {
		if _, err := call(t, line, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestDrainIsInterrupted: the drain goes on when nobody watches it any more.
func TestDrainIsInterrupted(t *testing.T) {
	d := newDesk(t, "n1@b", "n2@b", "n3@b")
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		d.sees("the wish", func(v *cluster.View) bool { _, ok, _ := cluster.DrainOf(v, "n2"); return ok })
		cancel()
	}()
	err := run(ctx, strings.Fields("drain n2 --watch --etcd "+d.etcd.Addr()), nil, io.Discard, io.Discard)
	if exitCode(err, io.Discard) != 130 {
		t.Errorf("%v", err)
	}
	if _, ok, err := cluster.DrainOf(d.w.View(), "n2"); !ok || err != nil {
		t.Errorf("%v", err)
	}
}
