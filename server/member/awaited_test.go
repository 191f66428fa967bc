package member

import (
	"math"
	"testing"
	"time"

	"roost/decay/dawn"
	"roost/ring"
	"roost/server/cluster"
)

// TestAwaited: when a weight waits for the ring.
func TestAwaited(t *testing.T) {
	stable, err := ring.Build(1, []ring.Node{{ID: "me", Zone: "a", Weight: 1}, {ID: "out", Zone: "a"}, {ID: "other", Zone: "a", Weight: 1}}, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ringed := &cluster.Active{Routes: ring.NewRoutes(stable, nil, 0)}
	for name, row := range map[string]struct {
		weight float64
		id     string
		a      *cluster.Active
		change func(v *cluster.View)
		want   bool
	}{
		"in force":                     {10_000, "me", ringed, nil, false},
		"half a step":                  {9500, "me", ringed, nil, false}, // too little for a version
		"one step":                     {9000, "me", ringed, nil, true},
		"two steps":                    {8100, "me", ringed, nil, true},
		"up":                           {11_500, "me", ringed, nil, true},
		"a trial":                      {10_000, "me", ringed, func(v *cluster.View) { v.Pointer.Canary = 2 }, true},
		"pinned":                       {10_000, "me", ringed, func(v *cluster.View) { pinned(v, `{"nodes":{"me":{"weight":1}}}`) }, true},
		"another one is pinned":        {10_000, "me", ringed, func(v *cluster.View) { pinned(v, `{"nodes":{"other":{"weight":3}}}`) }, false},
		"its zone has a factor":        {20_000, "me", ringed, func(v *cluster.View) { v.Zones.Factors = map[string]float64{"a": 0.5} }, false},
		"its zone has another by now":  {10_000, "me", ringed, func(v *cluster.View) { v.Zones.Factors = map[string]float64{"a": 0.5} }, true},
		"in the ring without a weight": {10_000, "out", ringed, nil, true},
		"not in the ring":              {10_000, "new", ringed, nil, true},
		"no ring":                      {10_000, "me", &cluster.Active{Routes: ring.NewRoutes(nil, nil, 0)}, nil, true},
	} {
		v := viewOf(1, map[string]cluster.Weight{row.id: {Value: row.weight}, "other": {Value: 10_000}})
		for id, m := range v.Members {
			m.Zone = "a"
			v.Members[id] = m
		}
		if row.change != nil {
			row.change(v)
		}
		if got := awaited(v, row.a, row.id, cluster.PlanSettings{}); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func pinned(v *cluster.View, pins string) {
	v.Config = map[string]cluster.Entry{"weights": {Value: []byte(pins), Revision: 5}}
}

// TestNightByTheClusterClock: a node whose clock is five minutes ahead of the others' falls with them, not
// five minutes before.
func TestNightByTheClusterClock(t *testing.T) {
	now := time.Now()
	begin := now.Add(-15 * time.Minute)
	night := dawn.Record{Entries: []dawn.Entry{{Stage: dawn.Falling, Opening: dawn.Opening{Window: "w", Nodes: dawn.Group{IDs: []string{"me"}},
		Start: begin.Add(30 * time.Minute), End: begin.Add(2 * time.Hour), Begin: begin, Curve: dawn.DefaultCurve}}}}
	for _, ahead := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute, time.Hour} {
		l := &weightLoop{n: &Node{o: Options{ID: "me"}}, j: &Join{}, records: records{list: []dawn.Record{night}}}
		own := now.Add(ahead) // what this node takes for now
		for revision := range int64(2) {
			said := map[string]cluster.Weight{"a": saying(t, revision+1, 1, now, cluster.Inputs{}), "b": saying(t, revision+1, 1, now, cluster.Inputs{})}
			if err := l.n.peers.update(viewOf(revision+1, said), own); err != nil {
				t.Fatal(err)
			}
		}
		if f := l.factor(viewOf(3, nil), own); math.Abs(f-0.55) > 1e-6 {
			t.Errorf("a clock %v ahead: the weight is at %.3f of what it is, half way down to 0.1 it is at 0.55", ahead, f)
		}
	}
}
