package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/server/cluster"
)

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

// TestDrainsTogether: of the last two nodes of a zone one is kept, also if both are drained at once, or one is drained and the
// other pinned to 0.
func TestDrainsTogether(t *testing.T) {
	d := newDesk(t, "n1@a", "n2@a", "n3@b")
	var all sync.WaitGroup
	var done atomic.Int32
	for _, node := range []string{"n1", "n2"} {
		all.Go(func() {
			err := run(t.Context(), strings.Fields("drain "+node+" --etcd "+d.etcd.Addr()), nil, io.Discard, io.Discard)
			if err == nil {
				done.Add(1)
			} else if exitCode(err, io.Discard) != 1 || !strings.Contains(err.Error(), "the last node of zone a") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 {
		t.Errorf("%d drains were taken, want 1", done.Load())
	}
	v := d.w.View()
	d.sees("one drain", func(now *cluster.View) bool { v = now; all, _ := cluster.DrainsOf(now); return len(all) == 1 })
	for _, node := range []string{"n1", "n2"} {
		if v.Takes(node) {
			d.want(1, "ring apply --measure -1s --set "+node+":0", "no node of zone a would take devices", "nothing has been done")
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
