package cluster

import (
	"fmt"
	"testing"

	"roost/server/testetcd"
)

// TestSetBack: an etcd that is set back to an older state of its own data has the same history
// and smaller revisions. Watchers see what is put there, all of them with one new history, and the
// pointer is a younger one than any that was seen.
func TestSetBack(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("restarts etcd twice: runs without -short")
	}
	s := testetcd.Start(t)
	c := identified(t, s)
	v := c.Versions()
	stored(t, v, built(t, 1, "n1"), built(t, 2, "n1", "n2"))
	first, err := v.Activate(limit(t), 0, 1, Told{By: "before", At: tell.At})
	if err != nil {
		t.Fatal(err)
	}
	s.Save()
	// Life goes on, after the backup.
	w := watching(t, c, fast)
	old := w.View()
	for i := range 300 {
		put(t, c, c.keys.config()+"x", fmt.Sprint(i))
	}
	if _, err := v.Activate(limit(t), first.Activation, 2, Told{By: "after", At: tell.At}); err != nil {
		t.Fatal(err)
	}
	seen := sees(t, w, "version 2", func(v *View) bool { return v.Pointer.Stable == 2 })
	s.SetBack()
	other := dial(t, s)
	last := put(t, other, other.keys.config()+"y", "there")
	if last >= seen.Revision {
		t.Fatalf("revision %d after %d: nothing was set back", last, seen.Revision)
	}
	back := sees(t, w, "what was put since", func(v *View) bool {
		return v.Stale.IsZero() && string(v.Config["y"].Value) == "there" && v.Pointer.Stable == 1
	})
	if back.History == old.History || back.Config["x"].Revision != 0 {
		t.Errorf("history %q, was %q; x is %+v", back.History, old.History, back.Config["x"])
	}
	if !back.Pointer.At.After(seen.Pointer.At) || back.Pointer.By != "before" {
		t.Errorf("the pointer is %+v, younger than %+v is wanted", back.Pointer, seen.Pointer)
	}
	// Who looks for the first time sees the same, and nobody begins another one.
	fresh := watching(t, other, fast)
	put(t, other, other.keys.config()+"y", "more")
	sees(t, w, "what is put now", func(v *View) bool { return string(v.Config["y"].Value) == "more" })
	if h := fresh.View().History; h != back.History || w.View().History != h {
		t.Errorf("histories %q and %q, was %q", h, w.View().History, back.History)
	}
}

// TestSetBackMany: of many watchers that notice it one begins the history; a watcher that comes
// when revisions have caught up goes by that.
func TestSetBackMany(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("restarts etcd twice: runs without -short")
	}
	s := testetcd.Start(t)
	c := identified(t, s)
	s.Save()
	old := watching(t, c, fast).View().History
	var all []*Watcher
	for range 5 {
		all = append(all, watching(t, dial(t, s), fast))
	}
	put(t, c, c.keys.config()+"x", "lost")
	for _, w := range all {
		sees(t, w, "x", func(v *View) bool { return string(v.Config["x"].Value) == "lost" })
	}
	s.SetBack()
	other := dial(t, s)
	for _, w := range all {
		sees(t, w, "no x, another history", func(v *View) bool { return v.Config["x"].Value == nil && v.History != old })
	}
	put(t, other, other.keys.config()+"y", "there")
	history := ""
	for i, w := range all {
		v := sees(t, w, "y", func(v *View) bool { return string(v.Config["y"].Value) == "there" })
		if i > 0 && v.History != history {
			t.Errorf("watcher %d: history %q, the first has %q", i, v.History, history)
		}
		history = v.History
	}
}
