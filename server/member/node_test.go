package member

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/server/admission"
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
	if err != nil || w.Value != 10_000 || in.Accept != admission.UsualBudget || in.Redis == nil || !*in.Redis || in.Drain != nil || !strings.Contains(string(in.Explanation), `"text":"b at`) {
		t.Errorf("b says %v, %+v, %s; %v", w.Value, in, in.Explanation, err)
	}
	if v.Members["b"].Start != b.Start() || b.Start() == 0 {
		t.Errorf("b began at %d, and says %d", b.Start(), v.Members["b"].Start)
	}
	if got := a.Budget("b"); got != admission.UsualBudget {
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
