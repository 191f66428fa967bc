package cluster

import (
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"roost/server/testetcd"
)

// TestDrains: a wish is seen by all who watch, replaced by a later one, and gone
// once stopped.
func TestDrains(t *testing.T) {
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	drains := c.Drains()
	begin := time.Now()
	first, err := drains.Start(limit(t), "n1", Drain{Over: 2 * time.Minute, By: "ada", Why: strings.Repeat("w", 2*maxWords)})
	if err != nil || first.Revision == 0 || first.At.Before(begin.Add(-time.Second)) {
		t.Fatalf("%+v, %v", first, err)
	}
	v := sees(t, w, "the drain", func(v *View) bool { _, ok, _ := DrainOf(v, "n1"); return ok })
	d, _, err := DrainOf(v, "n1")
	if err != nil || d.Over != 2*time.Minute || d.By != "ada" || len(d.Why) != maxWords || !d.At.Equal(first.At) || d.Revision != first.Revision {
		t.Errorf("%+v, %v, put %+v", d, err, first)
	}
	if _, ok, err := DrainOf(v, "n"); ok || err != nil {
		t.Errorf("a node whose name begins so drains too: %v", err)
	}
	second, err := drains.Start(limit(t), "n1", Drain{Over: time.Second})
	if err != nil || second.Revision <= first.Revision {
		t.Fatalf("%+v, %v", second, err)
	}
	if all, err := drains.List(limit(t)); err != nil || len(all) != 1 || all["n1"].Over != time.Second {
		t.Errorf("%+v, %v", all, err)
	}
	if was, err := drains.Stop(limit(t), "n1"); err != nil || !was {
		t.Errorf("%v, %v", was, err)
	}
	sees(t, w, "no drain", func(v *View) bool { all, _ := DrainsOf(v); return len(all) == 0 })
	if was, err := drains.Stop(limit(t), "n1"); err != nil || was {
		t.Errorf("stopped twice: %v, %v", was, err)
	}
}

// TestDrainsRefused: what cannot be, and another cluster's prefix.
func TestDrainsRefused(t *testing.T) {
	s := testetcd.Start(t)
	c := identified(t, s)
	for _, over := range []time.Duration{0, -time.Second, time.Millisecond, MostOver + 1} {
		if _, err := c.Drains().Start(limit(t), "n1", Drain{Over: over}); !errors.Is(err, ErrOptions) {
			t.Errorf("over %v: %v", over, err)
		}
	}
	for _, node := range []string{"", "a\n", strings.Repeat("n", 256)} {
		if _, err := c.Drains().Start(limit(t), node, Drain{Over: time.Minute}); !errors.Is(err, ErrOptions) {
			t.Errorf("node %q: %v", node, err)
		}
	}
	other := dial(t, s, func(o *Options) { o.Cluster.ID = "other" })
	if _, err := other.Drains().Start(limit(t), "n1", Drain{Over: time.Minute}); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("%v", err)
	}
	if _, err := other.Drains().Stop(limit(t), "n1"); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("%v", err)
	}
	if err := other.Known(limit(t)); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("%v", err)
	}
	nobody := dial(t, s, func(o *Options) { o.Prefix = "/misspelt" })
	if err := nobody.Known(limit(t)); !errors.Is(err, ErrNoCluster) {
		t.Errorf("%v", err)
	}
	if resp, err := c.etcd.Get(limit(t), "/misspelt", prefixed); err != nil || len(resp.Kvs) != 0 {
		t.Errorf("looking has put %v, %v", resp, err)
	}
}

// TestDamagedDrains: they are said, beside the others.
func TestDamagedDrains(t *testing.T) {
	v := &View{Config: map[string]Entry{}}
	for node, value := range map[string]string{"good": `{"over_ms":60000,"more":1}`, "none": `{}`, "text": `over`, "long": `{"over_ms":9223372036854775807}`, "big": strings.Repeat(" ", maxDrain+1)} {
		v.Config["drain/"+node] = Entry{Value: []byte(value), Revision: 5}
	}
	v.Config["drained"] = Entry{Value: []byte("x")}
	all, err := DrainsOf(v)
	if len(all) != 1 || all["good"].Over != time.Minute || !errors.Is(err, ErrDamaged) {
		t.Errorf("%+v, %v", all, err)
	}
	for _, node := range []string{"none", "text", "long", "big"} {
		if _, ok, err := DrainOf(v, node); !ok || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), node) {
			t.Errorf("%s: %v, %v", node, ok, err)
		}
	}
}

// TestInputs: what a node says is read back, and nothing is made up.
func TestInputs(t *testing.T) {
	n, yes := 1234, true
	in := Inputs{Explanation: []byte(`"because"`), Ring: &HeldRing{Activation: 7, Version: 3, Hash: 0xff}, Connections: &n, Accept: 2000, Redis: &yes,
		Drain: &DrainProgress{Left: 5, Moved: 6, Since: time.Unix(1e9, 0).UTC(), OverMS: 120_000}}
	b, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w := Weight{Inputs: b}
	got, err := w.Said()
	if err != nil || *got.Connections != n || *got.Ring != *in.Ring || *got.Drain != *in.Drain || got.Accept != in.Accept || !*got.Redis || string(got.Explanation) != `"because"` {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := (&Weight{}).Said(); err != nil || got.Ring != nil || got.Connections != nil || got.Drain != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := (&Weight{Inputs: []byte(`{"ring":5}`)}).Said(); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	p := Pointer{Stable: 3, StableHash: 0xff, Activation: 9}
	if !in.Ring.Agrees(&p) {
		t.Error("the same rings by an older activation disagree")
	}
	p.StableHash = 0xfe
	if in.Ring.Agrees(&p) {
		t.Error("another hash agrees")
	}
	if (&Active{}).Held() != nil {
		t.Error("nothing is held")
	}
}

// TestElected: who plans can be asked by who does not.
func TestElected(t *testing.T) {
	s := testetcd.Start(t)
	c := identified(t, s)
	if e, err := c.Elected(limit(t)); err != nil || e.ID != "" || e.Trial != (TrialSettings{}).WithDefaults() || e.Plan != (PlanSettings{}).WithDefaults() {
		t.Errorf("%+v, %v", e, err)
	}
	plan, trial := quick.Faster(10), TrialSettings{}.Faster(10)
	startNode(t, s, "n1", plan, trial)
	eventually(t, "n1 plans", func() bool {
		e, err := c.Elected(limit(t))
		return err == nil && e.ID == "n1" && !e.Since.IsZero() && e.Plan == plan && e.Trial == trial
	})
	if _, err := c.etcd.Put(limit(t), c.keys.planner(), "x", clientv3.WithIgnoreLease()); err != nil {
		t.Fatal(err)
	}
	if e, err := c.Elected(limit(t)); err != nil || e.Trial.Hold != 5*time.Minute {
		t.Errorf("%+v, %v", e, err)
	}
}
