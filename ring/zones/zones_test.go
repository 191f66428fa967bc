package zones

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/ring"
	slot "roost/ring/slots"
)

// fine are options of a ring that follows weights to a slot or so of 16,384.
var fine = ring.Options{PointsPerUnit: 8000, TableBits: 18}

// build returns a ring of nodes "id@zone" by weight, and the nodes as published.
func build(t testing.TB, o ring.Options, weights map[string]float64) (*ring.Ring, []Node) {
	t.Helper()
	var list []ring.Node
	var nodes []Node
	for name, w := range weights {
		id, zone, _ := strings.Cut(name, "@")
		list = append(list, ring.Node{ID: id, Zone: zone, Weight: w, Capacity: 10_000})
		nodes = append(nodes, Node{ID: id, Zone: zone, Published: w, Capacity: 10_000, Counts: 10_000, Devices: -1})
	}
	r, err := ring.Build(1, list, o)
	if err != nil {
		t.Fatal(err)
	}
	return r, nodes
}

// TestGivenCase: 7210/5120/4054 under 0.40/0.35/0.25 become 6554/5734/4096.
func TestGivenCase(t *testing.T) {
	r, nodes := build(t, fine, map[string]float64{"a@eu-1": 7.210, "b@eu-2": 5.120, "c@eu-3": 4.054})
	targets := map[string]float64{"eu-1": 0.40, "eu-2": 0.35, "eu-3": 0.25}
	table, err := Of(r, nodes, nil, targets)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ slots, target int }{{7210, 6554}, {5120, 5734}, {4054, 4096}} {
		z := table.Zones[i]
		if z.Target != want.target || z.After != want.target || math.Abs(float64(z.Slots-want.slots)) > 8 {
			t.Errorf("%+v, want %+v", z, want)
		}
	}
	if s := table.Before.Sigma; math.Abs(s-0.208) > 0.003 {
		t.Errorf("sigma before is %.4f, want 0.208", s)
	}
	if s := table.After.Sigma; s > 1e-3 {
		t.Errorf("sigma after is %.4f", s)
	}
	next, err := r.Apply(2, ring.Change{Set: table.Weights})
	if err != nil {
		t.Fatal(err)
	}
	later, err := Of(next, nodes, table.Factors(), targets)
	if err != nil || later.Before.Sigma > 0.005 {
		t.Errorf("the ring that follows has sigma %.4f, %v", later.Before.Sigma, err)
	}
}

// TestRingFollows: a ring of the usual fineness comes to its zones' targets within
// two percent, and moves no more than three quarters more than a table of owners.
func TestRingFollows(t *testing.T) {
	weights := map[string]float64{}
	for i := range 12 {
		zone := []string{"a", "a", "a", "b", "b", "c"}[i%6]
		weights[fmt.Sprintf("n%d@%s", i, zone)] = 1
	}
	r, nodes := build(t, ring.Options{}, weights)
	targets := map[string]float64{"a": 0.34, "b": 0.36, "c": 0.30}
	table, err := Of(r, nodes, nil, targets)
	if err != nil {
		t.Fatal(err)
	}
	next, err := r.Apply(2, ring.Change{Set: table.Weights})
	if err != nil {
		t.Fatal(err)
	}
	d := r.Compare(next)
	later, err := Of(next, nodes, table.Factors(), targets)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("sigma %.3f -> %.3f, moved %.2f %%, a table of owners %.2f %%", table.Before.Sigma, later.Before.Sigma, 100*d.Share(d.Moved), 100*float64(table.Plan.Moved)/slot.Count)
	if later.Before.Deviation > 0.02 || float64(d.Moved)/float64(d.Slots) > 1.75*float64(table.Plan.Moved)/slot.Count {
		t.Errorf("deviation %.3f, moved %d of %d slots, the plan %d of %d", later.Before.Deviation, d.Moved, d.Slots, table.Plan.Moved, slot.Count)
	}
	for _, m := range d.Moves {
		if from, to := r.Node(r.Find(m.From)), r.Node(r.Find(m.To)); from.Zone == to.Zone && d.Share(m.Slots) > 0.01 {
			t.Errorf("%.2f %% move from %s to %s in one zone", 100*d.Share(m.Slots), m.From, m.To)
		}
	}
}

// TestTargets: where they come from, and what keeps them from being known.
func TestTargets(t *testing.T) {
	r, nodes := build(t, ring.Options{}, map[string]float64{"a@x": 1, "b@y": 1})
	at := func(id string) *Node {
		for i := range nodes {
			if nodes[i].ID == id {
				return &nodes[i]
			}
		}
		return nil
	}
	share := func(targets map[string]float64) (string, float64, error) {
		table, err := Of(r, nodes, nil, targets)
		if err != nil {
			return "", 0, err
		}
		return table.From, table.Zones[0].Share, nil
	}
	if from, s, err := share(nil); from != "capacity" || s != 0.5 || err != nil {
		t.Errorf("%s %v %v", from, s, err)
	}
	at("a").Counts = 30_000
	if from, s, err := share(nil); from != "capacity" || s != 0.75 || err != nil {
		t.Errorf("%s %v %v", from, s, err)
	}
	if from, s, err := share(map[string]float64{"x": 3, "y": 1}); from != "set" || s != 0.75 || err != nil {
		t.Errorf("%s %v %v", from, s, err)
	}
	for _, bad := range []map[string]float64{{}, {"x": 1}, {"x": 0, "y": 0}, {"x": -1, "y": 2}, {"x": math.NaN(), "y": 1}, {"x": math.Inf(1), "y": 1}} {
		if _, _, err := share(bad); !errors.Is(err, ErrTargets) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	at("b").Counts = 0
	if _, _, err := share(nil); !errors.Is(err, ErrTargets) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("%v", err)
	}
	at("b").Published = 0
	if _, _, err := share(nil); !errors.Is(err, ErrFew) {
		t.Errorf("one zone drains: %v", err)
	}
}

// TestTableKeeps: whatever the zones, the sum of weights stays, zones that stay
// keep their weights, the others keep their proportions, and slots are all there.
func TestTableKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(t, "nodes")
		list := make([]ring.Node, n)
		nodes := make([]Node, n)
		factors, targets := map[string]float64{}, map[string]float64{}
		for i := range n {
			zone := []string{"a", "b", "", "d"}[rapid.IntRange(0, 3).Draw(t, "zone")]
			published := rapid.Float64Range(0.2, 3).Draw(t, "weight")
			if _, ok := factors[zone]; !ok {
				factors[zone] = rapid.Float64Range(0.5, 2).Draw(t, "factor")
				targets[zone] = rapid.Float64Range(0.2, 1).Draw(t, "target")
			}
			id := fmt.Sprint("n", i)
			list[i] = ring.Node{ID: id, Zone: zone, Weight: published * factors[zone], Capacity: 1000}
			nodes[i] = Node{ID: id, Zone: zone, Published: published, Capacity: 1000, Counts: 1000, Devices: -1}
		}
		r, err := ring.Build(1, list, ring.Options{TableBits: 14})
		if err != nil {
			t.Fatal(err)
		}
		before := maps.Clone(factors)
		table, err := Of(r, nodes, factors, targets)
		if errors.Is(err, ErrFew) {
			return
		}
		if err != nil || !reflect.DeepEqual(factors, before) {
			t.Fatalf("%v, factors %v, were %v", err, factors, before)
		}
		weights := map[string]float64{}
		sum, next, slots, after := 0.0, 0.0, 0, 0
		for _, o := range list {
			weights[o.ID] = o.Weight
			sum += o.Weight
		}
		for _, o := range table.Weights {
			weights[o.ID] = o.Weight
		}
		clamped := false
		for _, z := range table.Zones {
			slots, after = slots+z.Slots, after+z.After
			clamped = clamped || z.Factor == LeastFactor || z.Factor == MostFactor
			for _, o := range nodes {
				if o.Zone == z.Name && math.Abs(weights[o.ID]/(o.Published*z.Factor)-1) > 1e-9 && weights[o.ID] > 0.01 {
					t.Errorf("%s has weight %v, %v x %v is meant", o.ID, weights[o.ID], o.Published, z.Factor)
				}
			}
			if z.Stays && z.Factor != factors[z.Name] {
				t.Errorf("%+v stays and had %v", z, factors[z.Name])
			}
		}
		for _, w := range weights {
			next += w
		}
		if slots != slot.Count || after != slot.Count {
			t.Errorf("%d slots, %d after", slots, after)
		}
		if !clamped && math.Abs(next/sum-1) > 0.05 { // the ring's shares are not quite its weights'
			t.Errorf("weights sum to %v, were %v", next, sum)
		}
	})
}

// TestCheck: three checks in a row, then once; jitter of the targets starts nothing,
// and what it was given stays good.
func TestCheck(t *testing.T) {
	r, nodes := build(t, ring.Options{}, map[string]float64{"a@x": 1, "b@x": 1, "c@y": 1, "d@y": 1})
	now := time.Unix(1e9, 0)
	run := func(m Memory, targets map[string]float64, factors map[string]float64) (Verdict, Memory) {
		now = now.Add(Every)
		return Check(m, now, r, nodes, factors, targets, Settings{})
	}
	var m Memory
	for range 50 {
		var v Verdict
		if v, m = run(m, map[string]float64{"x": 0.54, "y": 0.46}, nil); v.Act {
			t.Fatalf("sigma 0.16 acts: %s", v.Why)
		}
	}
	var v Verdict
	m = Memory{}
	uneven := map[string]float64{"x": 0.6, "y": 0.4}
	for i := range 2 {
		if v, m = run(m, uneven, nil); v.Act || v.State != slot.Watching {
			t.Fatalf("check %d: %+v", i, v)
		}
	}
	again := m
	if v, m = run(m, uneven, nil); !v.Act || len(v.Table.Weights) != 4 || v.Next != Every {
		t.Fatalf("%+v", v)
	}
	if v, _ := Check(m, now.Add(Every/2), r, nodes, nil, uneven, Settings{}); v.Act || v.Next != Every/2 {
		t.Errorf("between checks: %+v", v)
	}
	if same, _ := Check(again, now, r, nodes, nil, uneven, Settings{}); !same.Act || !reflect.DeepEqual(same.Table.Factors(), m.verdict.Table.Factors()) {
		t.Errorf("the same memory says %+v", same)
	}
	// Targets that are set anew are not smoothed into the old ones.
	other := m
	for range 3 {
		v, other = run(other, map[string]float64{"x": 0.35, "y": 0.65}, nil)
	}
	if !v.Act || v.Table.Zones[0].After/10 != slot.Count*35/1000 {
		t.Errorf("%+v", v)
	}
	// Nobody is known, then everybody again: it begins anew.
	if v, m = Check(m, now.Add(Every), r, nil, nil, nil, Settings{}); v.Act || v.Why == "" {
		t.Errorf("%+v", v)
	}
	now = now.Add(Every)
	if v, _ = run(m, uneven, nil); v.Act || v.State != slot.Watching {
		t.Errorf("%+v", v)
	}
}

// TestOverloaded: nobody is brought above capacity, who is above it already may be
// relieved, and where devices are not known nothing is said.
func TestOverloaded(t *testing.T) {
	r, nodes := build(t, ring.Options{}, map[string]float64{"a@x": 1, "b@y": 1})
	for _, c := range []struct {
		a, b float64
		want string
	}{{-1, 100, ""}, {6000, 6000, ""}, {7000, 7000, "a"}, {9000, 12000, "a"}} {
		for i := range nodes {
			nodes[i].Devices = map[string]float64{"a": c.a, "b": c.b}[nodes[i].ID]
		}
		table, err := Of(r, nodes, nil, map[string]float64{"x": 3, "y": 1})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(table.Overloaded(r, nodes), " "); got != c.want {
			t.Errorf("a %v, b %v: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}
