package member

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"roost/server/cluster"
	"roost/server/presence"
	"roost/server/testetcd"
)

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
	// On a busy machine one may have been out of the ring meanwhile, and come back: to the same devices.
	got := a.holds(t, "a", "b")
	before, after := ring.Routes.Stable(), got.Routes.Stable()
	for i := range 1000 {
		id := fmt.Sprint("device-", i)
		if was, is := before.Node(before.Lookup(id)).ID, after.Node(after.Lookup(id)).ID; was != is {
			t.Fatalf("the ring was %v, and is %v: %s was %s's, and is %s's", ring.Pointer, got.Pointer, id, was, is)
		}
	}
	// The view of b is its own: it may have seen a go and not come back yet.
	eventually(t, "b sees that a lives", func() bool {
		l, _ := b.Leases(presence.Owner{Node: "a", Incarnation: uint64(a.Start())})
		return l == presence.LeaseHeld
	})
}
