package server

import (
	"strings"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// TestLiveCountsForATrial: a live message to a device that is here is a delivery, for the ring that
// is on trial; until 2026-11 only kept ones were, and a trial under live messages alone lasted its half an hour.
func TestLiveCountsForATrial(t *testing.T) {
	f, n := trio(t)
	var nodes []ring.Node
	for _, s := range n {
		nodes = append(nodes, ring.Node{ID: s.opt.Node, Weight: 1})
	}
	stable, err := ring.Build(1, nodes, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	canary, err := ring.Build(2, nodes[1:], ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.now.Store(&cluster.Active{Routes: ring.NewRoutes(stable, nil, 0), At: time.Now(), Pointer: cluster.Pointer{Stable: 1, Activation: 1}})
	device := f.owned(n[0].opt.Node, 1)[0]
	p := at(t, n[0], device)
	p.silent("away") // its connect is counted behind its welcome, and is not one of the trial
	f.now.Store(&cluster.Active{Routes: ring.NewRoutes(stable, canary, ring.ShareUnit), At: time.Now(),
		Pointer: cluster.Pointer{Stable: 1, Canary: 2, Share: ring.ShareUnit, Trial: 2, Activation: 2}})
	before := n[0].Trial().Share.Attempts
	if got := publish(t, n[0], `{"device":"`+device+`","class":"live","payload":1}`); !strings.Contains(got, `"written"`) {
		t.Fatal(got)
	}
	p.awaits("msg")
	if c := n[0].Trial(); c.Share.Attempts != before+1 || c.Share.P99 == 0 {
		t.Errorf("%+v, before %d attempts", c, before)
	}
}
