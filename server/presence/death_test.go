package presence

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// TestNodeDies: 2,000 devices of a node that dies are suspect and offline within the
// bounds that Options states, half of them come back, and two events say it all.
func TestNodeDies(t *testing.T) {
	for name, leases := range map[string]bool{"beats alone": false, "with leases": true} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T, d *deployment) { nodeDies(t, d, leases) })
		})
	}
}

func nodeDies(t *testing.T, d *deployment, leases bool) {
	const n, lease = 2000, 10 * time.Second
	var died atomic.Pointer[time.Time]
	o := Options{SweepSingles: 10}
	if leases {
		o.Leases = func(o Owner) (Lease, time.Time) {
			if at := died.Load(); o == n1 && at != nil && time.Since(*at) >= lease {
				return LeaseGone, at.Add(lease)
			}
			return LeaseHeld, time.Time{}
		}
	}
	var ks []*Keeper
	var ls []*Listener
	for _, self := range []Owner{n1, n2, n3} {
		o := o
		o.Self = self
		k := d.start(o)
		ks, ls = append(ks, k), append(ls, k.Feed().Listen(2*n))
	}
	for i := range n {
		mustClaim(t, ks[0], fmt.Sprint("d", i), 1)
	}
	time.Sleep(20 * time.Second)
	if got := len(changes(ls[0])); got != n {
		t.Errorf("%d changes when %d devices came", got, n)
	}
	bounds, ttl := o.Bounds(0), time.Duration(0)
	if leases {
		bounds, ttl = o.Bounds(lease), lease
	}
	if s := status(t, ks[1], "d1"); s != Online {
		t.Errorf("a device is %v, want online", s)
	}
	d.stop(ks[0])
	now := time.Now()
	died.Store(&now)
	time.Sleep(bounds.Suspect)
	if s := status(t, ks[1], "d1"); s != Suspect {
		t.Errorf("%v after the death a device is %v, want suspect", time.Since(now), s)
	}
	for i := range n / 2 {
		if c := mustClaim(t, ks[1+i%2], fmt.Sprint("d", i), 1); c.Fence != 2 || c.Previous.Owner != n1 {
			t.Fatalf("a device comes back: %+v", c)
		}
	}
	time.Sleep(max(5*time.Second, ttl) + 30*time.Second - 2*time.Second - time.Since(now))
	if s := status(t, ks[2], fmt.Sprint("d", n-1)); s != Suspect {
		t.Errorf("%v after the death, in the grace, a device is %v, want suspect", time.Since(now), s)
	}
	time.Sleep(bounds.Offline - time.Since(now))
	for i, want := range map[int]Status{0: Online, n/2 - 1: Online, n / 2: Offline, n - 1: Offline} {
		if s := status(t, ks[2], fmt.Sprint("d", i)); s != want {
			t.Errorf("%v after the death device %d is %v, want %v", time.Since(now), i, s, want)
		}
	}
	time.Sleep(10 * time.Second)
	count := map[Kind]int{}
	for _, l := range ls {
		for _, c := range changes(l) {
			count[c.Kind]++
			if c.Kind == NodeSuspect && (c.Devices != n || c.Node != n1) {
				t.Errorf("the node is suspect: %+v, want %d devices", c, n)
			}
			if c.Kind == NodeGone && (c.Devices != n || c.Back != n/2 || c.Lost != n/2 || c.Singles != 10) {
				t.Errorf("the node is gone: %+v, want %d of %d back", c, n/2, n)
			}
		}
	}
	if count[NodeSuspect] != 1 || count[NodeGone] != 1 || count[DeviceOffline] != 10 || count[DeviceOnline] != 0 || count[NodeBack] != 0 {
		t.Errorf("changes are %v, want one suspect, one gone, 10 offline", count)
	}
	nodes, _ := ks[1].Nodes()
	if got := all(t, d.m, n1); len(got) != 0 || len(nodes) != 2 {
		t.Errorf("%d devices left in the dead node's index, %d nodes", len(got), len(nodes))
	}
	if r := record(t, d.m, fmt.Sprint("d", n-1)); r.Hold != Lost || r.Reason != NodeLost {
		t.Errorf("a device that did not come back: %+v", r)
	}
}

// TestPausedNode: a node that was stopped for two minutes, swept, and goes on finds
// its devices offline, and has them online again.
func TestPausedNode(t *testing.T) {
	virtual(t, func(t *testing.T, d *deployment) {
		f := &faulty{Store: d.m}
		a, b := d.start(Options{Self: n1, Store: f}), d.start(Options{Self: n2})
		for i := range 100 {
			mustClaim(t, a, fmt.Sprint("d", i), 1)
		}
		mustClaim(t, b, "d0", 1)
		time.Sleep(time.Minute)
		f.set(true, false) // it says nothing to anybody
		time.Sleep(2 * time.Minute)
		if s := status(t, b, "d1"); s != Offline {
			t.Errorf("after two minutes a device is %v, want offline", s)
		}
		f.set(false, false)
		time.Sleep(15 * time.Second)
		if s := status(t, b, "d1"); s != Online {
			t.Errorf("when its node goes on it is %v, want online", s)
		}
		if got := all(t, d.m, n1); len(got) != 99 {
			t.Errorf("%d devices in the node's index, want 99", len(got))
		}
	})
}
