package cluster

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"roost/ring"
	slot "roost/ring/slots"
	"roost/ring/zones"
	"roost/server/testetcd"
)

// zoned is a view of nodes "id@zone" of equal capacity, that publish it.
func zonedView(nodes ...string) *View {
	v := planView(50, "")
	for _, s := range nodes {
		id, zone, _ := strings.Cut(s, "@")
		m := member(id)
		m.Zone = zone
		v.Members[id], v.Weights[id] = m, Weight{Value: m.Capacity}
	}
	return v
}

// ringOf is the ring that a view asks for.
func ringOf(t testing.TB, v *View, version uint64) *ring.Ring {
	t.Helper()
	set := PlanSettings{}.WithDefaults()
	w := shortfallOf(v, nil, &set)
	r, err := ring.Build(version, w.joins, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestZonesAreEvenedOut: targets that an operator sets are followed after three
// checks, by factors; with these the ring is as it should be, also for a planner
// that begins.
func TestZonesAreEvenedOut(t *testing.T) {
	v := zonedView("a1@a", "a2@a", "b1@b", "b2@b", "c1@c", "c2@c")
	r := ringOf(t, v, 1)
	if d, _ := Ahead(PlanInput{View: v, Stable: r, Now: planBegin}, PlanSettings{}); d.Kind != Nothing {
		t.Fatalf("equal zones: %v %s", d.Kind, d.Why)
	}
	v.Config = map[string]Entry{"zones": {Value: []byte(`{"targets":{"a":0.40,"b":0.35,"c":0.25}}`)}}
	d, after := Ahead(PlanInput{View: v, Stable: r, Now: planBegin}, PlanSettings{})
	if d.Kind != Zones || after != 5*time.Minute+2*zones.Every {
		t.Fatalf("%v after %v: %s", d.Kind, after, d.Why)
	}
	next, err := r.Apply(2, d.Stable)
	if err != nil {
		t.Fatal(err)
	}
	v.Zones.Factors, v.Pointer = d.Factors, Pointer{Activation: 60, Stable: 2}
	if d, _ := Ahead(PlanInput{View: v, Stable: next, Now: planBegin.Add(time.Hour)}, PlanSettings{}); d.Kind != Nothing {
		t.Errorf("afterwards: %v %s", d.Kind, d.Why)
	}
	table, err := zones.Of(next, ZoneNodes(v, next, PlanSettings{}), v.Zones.Factors, map[string]float64{"a": 0.40, "b": 0.35, "c": 0.25})
	if err != nil || table.Before.Sigma > 0.05 {
		t.Errorf("sigma %v, %v", table, err)
	}
	// Without the factors the weights would be taken back.
	v.Zones = ZoneFactors{}
	if d, _ := Ahead(PlanInput{View: v, Stable: next, Now: planBegin}, PlanSettings{}); d.Kind != Weights {
		t.Errorf("without factors: %v %s", d.Kind, d.Why)
	}
}

// TestPinnedZones: what an operator keeps from a node is not made up for by its zone.
func TestPinnedZones(t *testing.T) {
	v := zonedView("a1@a", "b1@b")
	r := ringOf(t, v, 1)
	next, err := r.Apply(2, ring.Change{Set: []ring.Node{{ID: "a1", Addr: member("a1").Addr, Zone: "a", Weight: 0.4, Capacity: 10_000}}})
	if err != nil {
		t.Fatal(err)
	}
	v.Config = map[string]Entry{"weights": {Value: []byte(`{"nodes":{"a1":{"weight":0.4}}}`)}}
	if d, _ := Ahead(PlanInput{View: v, Stable: next, Now: planBegin}, PlanSettings{}); d.Kind != Nothing {
		t.Errorf("%v: %s", d.Kind, d.Why)
	}
}

// TestPinsBeatZones: a weight that an operator has raised is not taken back by its zone, neither by capacity, nor by
// targets that are set: then the other nodes of the zone make up for it, and the plan says so.
func TestPinsBeatZones(t *testing.T) {
	v := zonedView("a1@a", "a2@a", "b1@b", "b2@b")
	r := ringOf(t, v, 1)
	raised := ring.Node{ID: "a1", Addr: member("a1").Addr, Zone: "a", Weight: 2, Capacity: 10_000}
	next, err := r.Apply(2, ring.Change{Set: []ring.Node{raised}})
	if err != nil {
		t.Fatal(err)
	}
	v.Config = map[string]Entry{"weights": {Value: []byte(`{"nodes":{"a1":{"weight":2}}}`)}}
	if d, _ := Ahead(PlanInput{View: v, Stable: next, Now: planBegin}, PlanSettings{}); d.Kind != Nothing {
		t.Errorf("by capacity: %v: %s", d.Kind, d.Why)
	}
	v.Config["zones"] = Entry{Value: []byte(`{"targets":{"a":1,"b":1}}`)}
	d, _ := Ahead(PlanInput{View: v, Stable: next, Now: planBegin}, PlanSettings{})
	if d.Kind != Zones || !strings.Contains(d.Why, "pinned, so left as they are: a1") || len(d.Stable.Set) != 3 {
		t.Fatalf("by targets: %v: %s, %v", d.Kind, d.Why, d.Stable.Set)
	}
	weights := map[string]float64{"a1": 2}
	for _, n := range d.Stable.Set {
		weights[n.ID] = n.Weight
	}
	if weights["a1"] != 2 || math.Abs(weights["a2"]-0.5) > 0.02 || math.Abs(weights["b1"]-1.25) > 0.02 {
		t.Errorf("weights %v", weights)
	}
	v.Zones.Factors = d.Factors
	after, err := next.Apply(3, d.Stable)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := Ahead(PlanInput{View: v, Stable: after, Now: planBegin}, PlanSettings{}); d.Kind != Nothing {
		t.Errorf("and then: %v: %s", d.Kind, d.Why)
	}
	if n, _ := Wanted(v, after, "a1", PlanSettings{}); n.Weight != 2 {
		t.Errorf("a1 shall have %v", n.Weight)
	}
}

// TestZonesAreLeftAlone: where that is said, where nothing can be compared, where
// a node would hold more than it can, and while something else is going on.
func TestZonesAreLeftAlone(t *testing.T) {
	uneven := `{"targets":{"a":3,"b":1}`
	for name, c := range map[string]struct {
		config string
		change func(*View)
		why    string
	}{
		"off":             {uneven + `,"off":true}`, nil, "as it should be"},
		"damaged":         {`{"targets":`, nil, "/config/zones"},
		"negative":        {`{"targets":{"a":-1,"b":1}}`, nil, "not negative"},
		"one is left out": {`{"targets":{"a":3}}`, nil, "as it should be"},
		"would be full": {uneven + `}`, func(v *View) {
			for id, w := range v.Weights {
				w.Inputs = []byte(`{"connections":9000}`)
				v.Weights[id] = w
			}
		}, "above capacity"},
		"one zone": {uneven + `}`, func(v *View) { delete(v.Members, "b1") }, "gone: b1"},
	} {
		t.Run(name, func(t *testing.T) {
			v := zonedView("a1@a", "b1@b")
			r := ringOf(t, v, 1)
			v.Config = map[string]Entry{"zones": {Value: []byte(c.config)}}
			if c.change != nil {
				c.change(v)
			}
			d, _ := Ahead(PlanInput{View: v, Stable: r, Now: planBegin}, PlanSettings{})
			if d.Kind == Zones || !strings.Contains(d.Why, c.why) {
				t.Errorf("%v: %s", d.Kind, d.Why)
			}
		})
	}
}

// TestFactorsAreStored: by compare-and-swap, and seen; what cannot be read leaves
// the last in force.
func TestFactorsAreStored(t *testing.T) {
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	v := c.Versions()
	f, err := v.PutFactors(limit(t), 0, ZoneFactors{Factors: map[string]float64{"a": 1.5}, By: "ada", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	sees(t, w, "factors", func(v *View) bool {
		return v.Zones.Revision == f.Revision && v.Zones.of("a") == 1.5 && v.Zones.of("b") == 1
	})
	if _, err := v.PutFactors(limit(t), 0, ZoneFactors{}); !errors.Is(err, ErrMoved) {
		t.Errorf("late: %v", err)
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1), 5, 0.1} {
		if _, err := v.PutFactors(limit(t), f.Revision, ZoneFactors{Factors: map[string]float64{"a": bad}}); !errors.Is(err, ErrOptions) {
			t.Errorf("factor %v: %v", bad, err)
		}
	}
	if _, err := c.etcd.Put(limit(t), c.keys.zones(), `{"factors":{"a":1e9}}`); err != nil {
		t.Fatal(err)
	}
	sees(t, w, "spoilt factors", func(v *View) bool { return v.Refused[c.keys.zones()] != nil && v.Zones.of("a") == 1.5 })
	if err := c.PutZoneConfig(limit(t), ZoneConfig{Targets: map[string]float64{"a": 0}}); !errors.Is(err, ErrOptions) {
		t.Errorf("%v", err)
	}
	if err := c.PutZoneConfig(limit(t), ZoneConfig{Targets: map[string]float64{"a": 1}, By: "ada"}); err != nil {
		t.Fatal(err)
	}
	sees(t, w, "targets", func(v *View) bool { z, err := ZoneConfigOf(v); return err == nil && z.Targets["a"] == 1 })
	if other := dial(t, s, func(o *Options) { o.Cluster.ID = "other" }); !errors.Is(other.PutZoneConfig(limit(t), ZoneConfig{}), ErrOtherCluster) {
		t.Error("another cluster sets targets")
	}
}

// TestPlannerEvensOutZones: for real, from targets in etcd to a ring whose zones
// have them.
func TestPlannerEvensOutZones(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for three versions")
	}
	s := testetcd.Start(t)
	plan := quick
	plan.Share, plan.TableBits = ring.ShareUnit, 16
	plan.Zones = zones.Settings{Every: 100 * time.Millisecond, Slots: slot.Settings{Cool: time.Second}}
	n := startNode(t, s, "n1", plan, TrialSettings{})
	for id, zone := range map[string]string{"a": "x", "b": "x", "c": "y", "d": "y"} {
		m := member(id)
		m.Zone = zone
		joined(t, n.c, m, RegisterOptions{TTL: 5 * time.Second})
	}
	has(t, n.r, "all", "a", "b", "c", "d", "n1")
	// n1's zone is a.
	if err := n.c.PutZoneConfig(limit(t), ZoneConfig{Targets: map[string]float64{"a": 0.2, "x": 0.6, "y": 0.2}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the zones have their shares", func() bool {
		r := n.r.Load().Routes.Stable()
		table, err := zones.Of(r, ZoneNodes(n.w.View(), r, plan), nil, map[string]float64{"a": 0.2, "x": 0.6, "y": 0.2})
		return err == nil && table.Before.Sigma < 0.06
	})
	if f := n.w.View().Zones; !(f.of("x") > 1) || !(f.of("y") < 1) {
		t.Errorf("factors %+v", f)
	}
}
