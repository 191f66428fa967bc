package member

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/presence"
	"roost/server/testetcd"
)

// TestJoin: nodes that join see each other, publish weights that say what they measure and
// which ring they hold, get a ring, and leave so that the ring goes on without them first.
func TestJoin(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a := joins(t, s, "a")
	b := joins(t, s, "b")
	b.fake.devices.Store(7)
	x := a.holds(t, "a", "b")
	v := a.sees(t, "what b says", func(v *cluster.View) bool {
		w := v.Weights["b"]
		in, err := w.Said()
		return err == nil && in.Ring != nil && in.Ring.Agrees(&v.Pointer) && in.Connections != nil && *in.Connections == 7 && in.Load != nil && in.Load.CPU != nil
	})
	w := v.Weights["b"]
	in, err := w.Said()
	if err != nil || w.Value != 10_000 || in.Accept != usualAccept || in.Redis == nil || !*in.Redis || in.Drain != nil || !strings.Contains(string(in.Explanation), `"text":"b at`) {
		t.Errorf("b says %v, %+v, %s; %v", w.Value, in, in.Explanation, err)
	}
	if v.Members["b"].Start != b.Start() || b.Start() == 0 {
		t.Errorf("b began at %d, and says %d", b.Start(), v.Members["b"].Start)
	}
	if got := a.Budget("b"); got != usualAccept {
		t.Errorf("budget of b: %v", got)
	}
	self := presence.Owner{Node: "b", Incarnation: uint64(b.Start())}
	eventually(t, "the lease of b", func() bool { l, _ := a.Leases(self); return l == presence.LeaseHeld })
	if l, since := a.Leases(presence.Owner{Node: "b", Incarnation: 1}); l != presence.LeaseGone || since.IsZero() {
		t.Errorf("a former start of b: %v since %v", l, since)
	}
	select {
	case <-a.Changed():
	default:
		t.Error("nobody was told of the ring")
	}

	began := time.Now()
	b.Leave(limit(t), time.Second)
	if owns(b.Rings().Load(), "b") {
		t.Errorf("after Leave the ring still has b: %+v", b.Rings().Load().Routes.Stable().Nodes())
	}
	if !a.watcher.View().Has("b") {
		t.Error("b was gone from etcd before it was closed")
	}
	b.close(t)
	a.sees(t, "b gone", func(v *cluster.View) bool { _, weight := v.Weights["b"]; return !v.Has("b") && !weight })
	eventually(t, "the lease of b gone", func() bool {
		l, since := a.Leases(self)
		return l == presence.LeaseGone && !since.Before(began)
	})
	if y := a.holds(t, "a"); y.Pointer.Activation <= x.Pointer.Activation {
		t.Error("the ring has not moved")
	}
}

// TestTwoIDs: of two processes with one id the second ends with what to do, and the first goes
// on; one of the same data directory is refused at once.
func TestTwoIDs(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	dir := t.TempDir()
	a := joins(t, s, "a", func(o *Options) { o.DataDir = dir })
	if _, err := dialed(t, s, "a", func(o *Options) { o.DataDir = dir }); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("the same data directory: %v", err)
	}
	before := a.holds(t, "a").Pointer.Activation
	b, err := dialed(t, s, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err = b.Join(limit(t), b.join()); err == nil {
		select {
		case err = <-b.Failed():
		case <-time.After(bound):
			t.Fatal("nobody was told of two processes with one id")
		}
	}
	if !errors.Is(err, cluster.ErrTaken) || !strings.Contains(err.Error(), "give this node another id") {
		t.Errorf("the second one: %v", err)
	}
	b.Leave(limit(t), time.Second)
	b.close(t)
	if st := a.Status().Registration; st.State != cluster.Registered || st.Times != 1 {
		t.Errorf("the first one: %+v", st)
	}
	// What the second one said of itself would have been said of the first.
	revision := a.watcher.View().Revision
	put(t, s, "/roost/config/x", "y")
	v := a.sees(t, "what came before now", func(v *cluster.View) bool { return v.Revision > revision })
	if w := v.Weights["a"]; w.Value != 10_000 || v.Members["a"].Start != a.Start() || a.Rings().Load().Pointer.Activation != before {
		t.Errorf("the first one has a weight of %v, start %d, activation %d; it was %d", w.Value, v.Members["a"].Start, a.Rings().Load().Pointer.Activation, before)
	}
}

// TestRestart: a process that was killed and comes again with its data directory has its id
// at once, another start of it.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	dir := t.TempDir()
	with := func(o *Options) { o.DataDir, o.TTL = dir, 20*time.Second }
	a := joins(t, s, "a", with)
	first := a.Start()
	token, err := os.ReadFile(filepath.Join(dir, tokenName))
	if err != nil {
		t.Fatal(err)
	}
	// As a kill: nothing is said any more, the key stays, the lock goes.
	if err := errors.Join(a.client.Close(), a.token.close()); err != nil {
		t.Fatal(err)
	}
	a.closed = true
	defer a.Close()
	b := joins(t, s, "a", with)
	if st := b.Status().Registration; st.State != cluster.Registered {
		t.Errorf("the restarted one: %+v", st)
	}
	if again, err := os.ReadFile(filepath.Join(dir, tokenName)); err != nil || string(again) != string(token) {
		t.Errorf("the token was %q, and is %q, %v", token, again, err)
	}
	b.sees(t, "its start", func(v *cluster.View) bool { return v.Members["a"].Start == b.Start() })
	if first >= b.Start() {
		t.Errorf("starts %d, %d", first, b.Start())
	}
}

// TestToken: a token that was spoilt is made anew.
func TestToken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	for _, spoilt := range []string{"", "x", strings.Repeat("a", 26), strings.Repeat("A", 10_000)} {
		one, err := openToken(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, tokenName), []byte(spoilt), 0o600); err != nil {
			t.Fatal(err)
		}
		two, err := openToken(dir)
		if err != nil || len(two.text) != 26 || two.text == one.text {
			t.Fatalf("%.30q: %q after %q, %v", spoilt, two.text, one.text, err)
		}
		if err := two.close(); err != nil {
			t.Fatal(err)
		}
		three, err := openToken(dir)
		if err != nil || three.text != two.text {
			t.Fatalf("%.30q: %q, then %q, %v", spoilt, two.text, three.text, err)
		}
		if err := three.close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := openToken("/proc/nowhere"); err == nil {
		t.Error("a directory that cannot be made")
	}
	none, err := openToken("")
	if err != nil || none.text != "" || none.close() != nil {
		t.Errorf("no directory: %+v, %v", none, err)
	}
}

// TestOtherCluster: a prefix of another cluster is refused with what to do, also by a node that
// finds out late because etcd was down when it started.
func TestOtherCluster(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a := joins(t, s, "a")
	other := func(o *Options) { o.Cluster.ID = "other" }
	if _, err := dialed(t, s, "x", other); !errors.Is(err, cluster.ErrOtherCluster) || !strings.Contains(err.Error(), "give one of them another prefix") {
		t.Errorf("another cluster: %v", err)
	}
	s.Kill()
	x, err := dialed(t, s, "x", other)
	if err != nil {
		t.Fatal(err)
	}
	j := x.join()
	j.Within = 100 * time.Millisecond
	if err := x.Join(limit(t), j); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	select {
	case err := <-x.Failed():
		if !errors.Is(err, cluster.ErrOtherCluster) {
			t.Errorf("found out late: %v", err)
		}
	case <-time.After(bound):
		t.Fatal("it does not find out")
	}
	a.sees(t, "a view of now without x", func(v *cluster.View) bool { return v.Stale.IsZero() && v.Has("a") && !v.Has("x") })
	select {
	case err := <-a.Failed():
		t.Errorf("the one whose prefix it is: %v", err)
	default:
	}
}

// TestBlackout: while etcd is away rings and members stay as they were, a node that starts has
// the ring from its file, and all is as before once etcd is back, whether its process was
// stopped, killed, or has compacted its past.
func TestBlackout(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as leases live")
	}
	t.Parallel()
	s := testetcd.Start(t)
	file := filepath.Join(t.TempDir(), "ring.json")
	a := joins(t, s, "a", func(o *Options) { o.RingFile = file })
	b := joins(t, s, "b")
	ring := a.holds(t, "a", "b")
	eventually(t, "the ring's file", func() bool { _, err := os.Stat(file); return err == nil })
	for _, x := range []struct {
		name       string
		away, back func()
	}{
		{"stopped", s.Pause, s.Resume},
		{"killed", s.Kill, s.Restart},
		{"compacted", func() {}, func() {
			for range 3 {
				put(t, s, "/roost/config/x", "y")
			}
			head := gateway(t, s, "kv/range", map[string]any{"key": b64("/roost/config/x")})["header"].(map[string]any)
			gateway(t, s, "kv/compaction", map[string]any{"revision": head["revision"], "physical": true})
		}},
	} {
		x.away()
		if x.name != "compacted" {
			a.sees(t, x.name+": a view of the past", func(v *cluster.View) bool { return !v.Stale.IsZero() })
			if l, _ := a.Leases(presence.Owner{Node: "b", Incarnation: uint64(b.Start())}); l != presence.LeaseUnknown {
				t.Errorf("%s: the lease of b is %v", x.name, l)
			}
			if got := a.Rings().Load(); got.Pointer.StableHash != ring.Pointer.StableHash {
				t.Errorf("%s: the ring has changed: %+v", x.name, got.Pointer)
			}
			c, err := dialed(t, s, "c", func(o *Options) { o.RingFile = file })
			if err != nil {
				t.Fatalf("%s: a node that starts: %v", x.name, err)
			}
			if got := c.Rings().Load(); got.From != cluster.FromFile || got.Pointer.StableHash != ring.Pointer.StableHash {
				t.Errorf("%s: a node that starts has %v %+v", x.name, got.From, got.Pointer)
			}
			c.close(t)
		}
		x.back()
		for _, r := range []*rig{a, b} {
			r.sees(t, x.name+": a view of now", func(v *cluster.View) bool {
				_, wa := v.Weights["a"]
				_, wb := v.Weights["b"]
				return v.Stale.IsZero() && v.Has("a") && v.Has("b") && wa && wb
			})
		}
		ring = a.holds(t, "a", "b")
	}
	for _, r := range []*rig{a, b} {
		select {
		case err := <-r.Failed():
			t.Errorf("%s ends: %v", r.o.ID, err)
		default:
		}
	}
}

// TestKeyLost: a node whose key somebody deletes puts it again, as the same start.
func TestKeyLost(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	// With a lease this long only a look at the view tells in time.
	a := joins(t, s, "a", func(o *Options) { o.TTL = 120 * time.Second })
	v := a.sees(t, "a", func(v *cluster.View) bool { return v.Has("a") })
	was := v.Members["a"]
	remove(t, s, "/roost/nodes/a")
	v = a.sees(t, "a again", func(v *cluster.View) bool { return v.Has("a") && v.Members["a"].Created != was.Created })
	if m := v.Members["a"]; m.Incarnation != was.Incarnation || m.Start != was.Start {
		t.Errorf("it was %+v, and is %+v", was, m)
	}
	eventually(t, "it was put twice", func() bool { return a.Status().Registration.Times == 2 })
}

// TestLeasesLost: where etcd has forgotten the leases, node and weight are put anew.
func TestLeasesLost(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a, b := joins(t, s, "a"), joins(t, s, "b")
	ring := a.holds(t, "a", "b")
	whole := func(v *cluster.View) bool { return v.Has("a") && v.Has("b") && len(v.Weights) == 2 }
	v := a.sees(t, "both", whole)
	was := v.Members["b"]
	leases, _ := gateway(t, s, "lease/leases", map[string]any{})["leases"].([]any)
	if len(leases) < 4 {
		t.Fatalf("leases: %v", leases)
	}
	for _, l := range leases {
		gateway(t, s, "lease/revoke", l.(map[string]any))
	}
	v = a.sees(t, "both again", func(v *cluster.View) bool { return whole(v) && v.Members["b"].Created != was.Created })
	if m := v.Members["b"]; m.Incarnation != was.Incarnation || m.Start != was.Start {
		t.Errorf("it was %+v, and is %+v", was, m)
	}
	if got := a.holds(t, "a", "b"); got.Pointer.StableHash != ring.Pointer.StableHash {
		t.Errorf("the ring was %v, and is %v", ring.Pointer, got.Pointer)
	}
	if l, _ := b.Leases(presence.Owner{Node: "a", Incarnation: uint64(a.Start())}); l == presence.LeaseGone {
		t.Error("the lease of a is gone")
	}
}

// TestDrain: an order to drain empties the node, is taken back, and outlives a restart: a node
// that starts under one has a weight of 0 from the start.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a := joins(t, s, "a")
	dir := t.TempDir()
	b := joins(t, s, "b", func(o *Options) { o.DataDir = dir })
	a.holds(t, "a", "b")
	b.fake.devices.Store(100)
	orders := a.Client().Drains()
	if _, err := orders.Start(limit(t), "b", cluster.Drain{Over: 90 * time.Second, By: "ops", Why: "disk"}); err != nil {
		t.Fatal(err)
	}
	a.holds(t, "a")
	eventually(t, "b empties", func() bool { return b.fake.noted() == "[1m30s]" })
	b.fake.devices.Store(40)
	v := a.sees(t, "progress", func(v *cluster.View) bool {
		w := v.Weights["b"]
		in, _ := w.Said()
		return in.Drain != nil && in.Drain.Left == 40
	})
	w := v.Weights["b"]
	in, err := w.Said()
	if err != nil || w.Value != 0 || in.Drain.Moved != 60 || in.Drain.OverMS != 90_000 || in.Drain.Since.IsZero() || !strings.Contains(string(in.Explanation), "drained by ops: disk") {
		t.Errorf("b says %v, %+v, %s, %v", w.Value, in.Drain, in.Explanation, err)
	}
	if !b.Status().Emptying {
		t.Error("Status does not say that b empties")
	}

	// Another time for it is told to the server.
	if _, err := orders.Start(limit(t), "b", cluster.Drain{Over: time.Minute}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another time", func() bool { return b.fake.noted() == "[1m30s 1m0s]" })

	// A restart changes nothing.
	b.close(t)
	a.sees(t, "b gone", func(v *cluster.View) bool { return !v.Has("b") })
	ever := a.watcher.Subscribe()
	defer ever.Close()
	c := joins(t, s, "b", func(o *Options) { o.DataDir = dir })
	eventually(t, "the restarted b empties", func() bool { return c.fake.noted() == "[1m0s]" })
	v = a.sees(t, "b, empty", func(v *cluster.View) bool { return v.Has("b") })
	if w, said := v.Weights["b"]; !said || w.Value != 0 {
		t.Errorf("b is back with a weight of %v, %v", w.Value, said)
	}
	if owns(a.Rings().Load(), "b") {
		t.Error("b owns something")
	}

	if was, err := orders.Stop(limit(t), "b"); err != nil || !was {
		t.Fatalf("Stop: %v, %v", was, err)
	}
	eventually(t, "b stays", func() bool { return c.fake.noted() == "[1m0s -1ns]" })
	a.holds(t, "a", "b")

	// An order that cannot be read is one.
	put(t, s, "/roost/config/drain/b", "spoilt")
	a.holds(t, "a")
	eventually(t, "b empties once more", func() bool { return strings.HasSuffix(c.fake.noted(), "2m0s]") })
}

// TestLeaveWhileDraining: the end of the process goes on from a drain, and nothing ends it.
func TestLeaveWhileDraining(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	a, b := joins(t, s, "a"), joins(t, s, "b")
	a.holds(t, "a", "b")
	if _, err := a.Client().Drains().Start(limit(t), "b", cluster.Drain{Over: time.Minute}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b empties", func() bool { return b.fake.noted() == "[1m0s]" })
	b.Leave(limit(t), time.Second)
	if _, err := a.Client().Drains().Stop(limit(t), "b"); err != nil {
		t.Fatal(err)
	}
	revision := b.sees(t, "the order gone", func(v *cluster.View) bool { _, ok, _ := cluster.DrainOf(v, "b"); return !ok }).Revision
	b.sees(t, "what b says after it", func(v *cluster.View) bool { return v.Revision > revision })
	if got := b.fake.noted(); got != "[1m0s]" || !b.Status().Emptying {
		t.Errorf("it leaves, and: %s, %+v", got, b.Status())
	}
}

// TestOptions: what cannot be is refused.
func TestOptions(t *testing.T) {
	if _, err := Dial(limit(t), Options{Endpoints: []string{"127.0.0.1:1"}, Cluster: desk}); !errors.Is(err, cluster.ErrOptions) {
		t.Errorf("no id: %v", err)
	}
	if _, err := Dial(limit(t), Options{ID: "a", Cluster: desk}); !errors.Is(err, cluster.ErrOptions) {
		t.Errorf("no endpoints: %v", err)
	}
	j := Join{Member: cluster.Member{ID: "b"}, Hooks: (&fake{}).hooks()}
	if err := j.withDefaults("a"); !errors.Is(err, cluster.ErrOptions) {
		t.Errorf("another id: %v", err)
	}
	if err := (&Join{}).withDefaults("a"); !errors.Is(err, cluster.ErrOptions) {
		t.Errorf("no Load: %v", err)
	}
	if _, err := newWeigher("a", j.Weights, DefaultControl()); err != nil {
		t.Errorf("the default settings: %v", err)
	}
}
