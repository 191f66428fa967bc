package member

import (
	"strings"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/testetcd"
)

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
