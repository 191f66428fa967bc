package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"roost/server/testetcd"
)

// TestWatchThroughCompaction: a watcher that slept while etcd was compacted lists
// anew, and misses nothing.
func TestWatchThroughCompaction(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c, other := identified(t, s), dial(t, s)
	w := watching(t, c, fast)
	lists := w.Lists()
	// The watch begins at a revision that is compacted away: as if its connection had
	// been gone until then.
	w.Close()
	last := int64(0)
	for i := range 50 {
		last = put(t, other, other.keys.config()+"x", fmt.Sprint(i))
	}
	if _, err := other.etcd.Compact(limit(t), last); err != nil {
		t.Fatal(err)
	}
	behind := &Watcher{c: c, o: w.o, gset: w.gset, done: make(chan struct{}), raw: &View{Revision: 1}}
	behind.view.Store(&View{})
	if err := behind.follow(limit(t)); err == nil || errors.Is(err, errSilent) {
		t.Errorf("a watch from a revision that is compacted away: %v", err)
	}
	again := watching(t, c, fast)
	sees(t, again, "the last value", func(v *View) bool { return string(v.Config["x"].Value) == "49" })
	if lists == 0 {
		t.Error("no list was counted")
	}
}

// TestWatchCompactedWhileAway: the same with a watcher that lives: etcd hangs for
// it, is written to and compacted by its own hand after a restart.
func TestWatchCompactedWhileAway(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for leases for seconds: runs without -short")
	}
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	put(t, c, c.keys.config()+"x", "before")
	sees(t, w, "before", func(v *View) bool { return string(v.Config["x"].Value) == "before" })
	lists := w.Lists()
	s.Kill()
	sees(t, w, "a view of the past", func(v *View) bool { return !v.Stale.IsZero() })
	s.Restart()
	other := dial(t, s)
	last := put(t, other, other.keys.config()+"x", "after")
	if _, err := other.etcd.Compact(limit(t), last); err != nil {
		t.Fatal(err)
	}
	v := sees(t, w, "after", func(v *View) bool { return v.Stale.IsZero() && string(v.Config["x"].Value) == "after" })
	if w.Lists() == lists || v.Revision < last {
		t.Errorf("lists %d, was %d; revision %d of %d", w.Lists(), lists, v.Revision, last)
	}
}

// TestBlackout: with etcd gone or hanging the last view stays, marked; what changed
// meanwhile is there afterwards.
func TestBlackout(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	for i := range 3 {
		joined(t, c, member(fmt.Sprint("n", i)), RegisterOptions{TTL: 5 * time.Second})
	}
	sees(t, w, "three nodes", func(v *View) bool { return len(v.Members) == 3 })
	for _, away := range []struct {
		name     string
		go_, com func()
	}{{"killed", s.Kill, s.Restart}, {"hanging", s.Pause, s.Resume}} {
		away.go_()
		v := sees(t, w, away.name, func(v *View) bool { return !v.Stale.IsZero() })
		if len(v.Members) != 3 || len(v.Held) != 0 {
			t.Errorf("%s: %d members, %d held", away.name, len(v.Members), len(v.Held))
		}
		away.com()
		sees(t, w, away.name+": back", func(v *View) bool { return v.Stale.IsZero() && len(v.Members) == 3 && len(v.Held) == 0 })
	}
}

// TestMoreThanHalfGone: those who all go at once stay until a second look, and
// those who come back before it never went.
func TestMoreThanHalfGone(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	slow := fast
	slow.Look = time.Second
	w := watching(t, c, slow)
	text := func(id string) string { m := member(id); b, _ := m.encode(); return b }
	for _, id := range []string{"a", "b", "c", "d"} {
		put(t, c, c.keys.node(id), text(id))
	}
	sees(t, w, "four", func(v *View) bool { return len(v.Members) == 4 && len(v.Held) == 0 })
	if _, err := c.etcd.Delete(limit(t), c.keys.nodes(), prefixed); err != nil {
		t.Fatal(err)
	}
	v := sees(t, w, "four, held", func(v *View) bool { return len(v.Held) == 4 })
	if len(v.Members) != 4 || v.Has("a") {
		t.Errorf("%d members, Has(a) %v", len(v.Members), v.Has("a"))
	}
	put(t, c, c.keys.node("a"), text("a"))
	sees(t, w, "one is back", func(v *View) bool { return v.Has("a") && len(v.Members) == 4 && len(v.Held) == 3 })
	v = sees(t, w, "the second look", func(v *View) bool { return len(v.Held) == 0 })
	if len(v.Members) != 1 || !v.Has("a") {
		t.Errorf("after the second look: %v", sorted(v.Members))
	}
}

// TestSubscriptions: a subscriber that sleeps blocks nobody, and finds the newest
// view when it wakes.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	sub := w.Subscribe()
	last := int64(0)
	for i := range 200 {
		last = put(t, c, c.keys.config()+"x", fmt.Sprint(i))
	}
	eventually(t, "the newest view", func() bool { return w.View().Revision >= last })
	<-sub.C
	if v := w.View(); string(v.Config["x"].Value) != "199" {
		t.Errorf("the newest value is %s", v.Config["x"].Value)
	}
	sub.Close()
	sub.Close()
	select {
	case <-sub.C: // one signal may be left
	default:
	}
	put(t, c, c.keys.config()+"x", "more")
	sees(t, w, "more", func(v *View) bool { return string(v.Config["x"].Value) == "more" })
	select {
	case <-sub.C:
		t.Error("a signal after Close")
	default:
	}
}
