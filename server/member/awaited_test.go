package member

import (
	"testing"

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
		"one step":                     {9000, "me", ringed, nil, false}, // too little for a version
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
