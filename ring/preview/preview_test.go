package preview

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"roost/ring"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build returns a ring of "id@zone" by weight, each with a capacity of 10,000.
func build(t testing.TB, version uint64, names ...string) *ring.Ring {
	t.Helper()
	var nodes []ring.Node
	for _, s := range names {
		id, zone, _ := strings.Cut(s, "@")
		nodes = append(nodes, ring.Node{ID: id, Zone: zone, Weight: 1, Capacity: 10_000})
	}
	r, err := ring.Build(version, nodes, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func apply(t testing.TB, r *ring.Ring, c ring.Change) *ring.Ring {
	t.Helper()
	next, err := r.Apply(r.Version()+1, c)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func connected(devices float64, ids ...string) map[string]Known {
	known := map[string]Known{}
	for _, id := range ids {
		known[id] = Known{Devices: devices, Accept: 100}
	}
	return known
}

// TestFourthNode: it takes a quarter, and nothing moves between the others.
func TestFourthNode(t *testing.T) {
	before := build(t, 1, "a@x", "b@x", "c@y")
	after := apply(t, before, ring.Change{Set: []ring.Node{{ID: "d", Zone: "y", Weight: 1, Capacity: 10_000}}})
	r := Of(Input{Before: before, After: after, Known: connected(4000, "a", "b", "c"), Over: time.Minute})
	if m := r.Moved(); m < 0.23 || m > 0.27 || r.Diff.Collateral != 0 {
		t.Errorf("moved %v, collateral %d", m, r.Diff.Collateral)
	}
	if r.Total != 12_000 || math.Abs(r.Devices-3000) > 240 {
		t.Errorf("%v of %v devices move", r.Devices, r.Total)
	}
	d := r.node("d")
	if d.Before != 0 || math.Abs(d.After()-r.Devices) > 1e-6 || math.Abs(d.Rate-r.Devices/60) > 1e-9 {
		t.Errorf("%+v", d)
	}
	for _, f := range r.Flows {
		if f.To != "d" {
			t.Errorf("%+v", f)
		}
	}
	if list := r.Check(Limits{}); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if len(r.Zones) != 2 || r.Zones[1].Name != "y" || r.Zones[1].Nodes != 1 || r.Zones[1].NodesAfter != 2 || r.Zones[1].Capacity != 20_000 {
		t.Errorf("%+v", r.Zones)
	}
}

// TestLimits: each is violated by what it is for, with a sentence that names it.
func TestLimits(t *testing.T) {
	four := build(t, 1, "a@x", "b@x", "c@y", "d@y")
	gone := func(ids ...string) ring.Change { return ring.Change{Remove: ids} }
	for name, c := range map[string]struct {
		change ring.Change
		known  map[string]Known
		over   time.Duration
		limits Limits
		want   []Rule
		say    string
	}{
		"one goes":           {gone("a"), connected(1000, "a", "b", "c", "d"), time.Minute, Limits{}, nil, ""},
		"a zone is emptied":  {gone("c", "d"), connected(1000, "a", "b", "c", "d"), time.Minute, Limits{Moved: 0.6}, []Rule{RuleEmpty}, "zone y would be emptied: its 2 nodes would own nothing, and its 2000 devices would go to x"},
		"too many move":      {gone("a", "b"), nil, 0, Limits{}, []Rule{RuleMoved, RuleEmpty}, "% of all devices would move, the limit is 30.0 %"},
		"most go":            {gone("a", "b", "c"), connected(10, "a", "b", "c", "d"), time.Minute, Limits{Moved: 1}, []Rule{RuleRemoved, RuleEmpty}, "3 of 4 nodes would own nothing any more"},
		"one would be full":  {gone("a"), connected(9000, "a", "b", "c", "d"), time.Hour, Limits{}, []Rule{RuleZone, RuleNode, RuleNode, RuleNode}, "% of its capacity of 10000"},
		"too fast":           {gone("a"), connected(6000, "a", "b", "c", "d"), 10 * time.Second, Limits{}, []Rule{RuleReconnects, RuleReconnects, RuleReconnects}, "it can take 100: give it"},
		"too fast, allowed":  {gone("a"), connected(6000, "a", "b", "c", "d"), 10 * time.Second, Limits{Reconnects: 4}, nil, ""},
		"by weight, not key": {ring.Change{Set: []ring.Node{{ID: "c", Zone: "y"}, {ID: "d", Zone: "y"}}}, nil, 0, Limits{Moved: 1}, []Rule{RuleEmpty}, "zone y"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Of(Input{Before: four, After: apply(t, four, c.change), Known: c.known, Over: c.over})
			var got []Rule
			var said []string
			for _, v := range r.Check(c.limits) {
				got, said = append(got, v.Rule), append(said, v.Reason)
			}
			if !slices.Equal(got, c.want) || !strings.Contains(strings.Join(said, "\n"), c.say) {
				t.Errorf("%v, want %v\n%s", got, c.want, strings.Join(said, "\n"))
			}
		})
	}
	for _, bad := range []Limits{{Moved: -1}, {Moved: 1.1}, {Load: math.NaN()}, {Reconnects: -2}, {Removed: 2}} {
		if err := bad.Validate(); !errors.Is(err, ErrLimits) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if err := (Limits{}).Validate(); err != nil {
		t.Error(err)
	}
}

// TestFirstRing: nobody moves, so nothing is violated.
func TestFirstRing(t *testing.T) {
	r := Of(Input{After: build(t, 1, "a@x", "b@y")})
	if list := r.Check(Limits{}); len(list) != 0 || r.Devices != 0 || len(r.Nodes) != 2 {
		t.Errorf("%+v, %+v", list, r)
	}
}

// TestRelief: who is above capacity and gets fewer is no reason to refuse.
func TestRelief(t *testing.T) {
	before := build(t, 1, "a@x", "b@x")
	after := apply(t, before, ring.Change{Set: []ring.Node{{ID: "c", Zone: "x", Weight: 1, Capacity: 100_000}}})
	r := Of(Input{Before: before, After: after, Known: connected(20_000, "a", "b"), Over: time.Hour})
	if list := r.Check(Limits{Moved: 0.5}); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestConserved: whatever the change, devices and slots are neither made nor lost,
// and zones are the sums of their nodes.
func TestConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(least int, label string) (nodes []ring.Node) {
			for i := range rapid.IntRange(least, 6).Draw(t, label) {
				zone := string(rune('x' + rapid.IntRange(0, 2).Draw(t, "zone")))
				nodes = append(nodes, ring.Node{ID: fmt.Sprint(label[:1], i), Zone: zone, Weight: float64(rapid.IntRange(0, 4).Draw(t, "weight")), Capacity: 1000})
			}
			return nodes
		}
		old := draw(1, "old")
		old[0].Weight = 1
		before, err := ring.Build(1, old, ring.Options{TableBits: 12})
		if err != nil {
			t.Fatal(err)
		}
		c := ring.Change{Set: draw(0, "new")}
		for _, n := range old[1:] {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				c.Remove = append(c.Remove, n.ID)
			case 1:
				n.Weight = float64(rapid.IntRange(0, 3).Draw(t, "weight"))
				c.Set = append(c.Set, n)
			}
		}
		if rapid.Bool().Draw(t, "larger table") {
			c.TableBits = 13
		}
		after, err := before.Apply(2, c)
		if err != nil {
			t.Fatal(err)
		}
		in := Input{Before: before, After: after, Known: map[string]Known{}, Devices: 5000, Over: time.Minute}
		for i, n := range before.Nodes() {
			if before.Slots(i) > 0 && rapid.Bool().Draw(t, "known") {
				in.Known[n.ID] = Known{Devices: float64(rapid.IntRange(0, 3000).Draw(t, "devices")), Accept: 50}
			}
		}
		r := Of(in)
		sums := map[string]float64{}
		was, is, leave, come, slotsBefore, slotsAfter := 0.0, 0.0, 0.0, 0.0, 0, 0
		for _, n := range r.Nodes {
			if n.After() < -1e-6 || n.Leave > n.Before+1e-6 {
				t.Errorf("%+v", n)
			}
			was, is, leave, come = was+n.Before, is+n.After(), leave+n.Leave, come+n.Come
			slotsBefore, slotsAfter = slotsBefore+n.SlotsBefore, slotsAfter+n.SlotsAfter
			sums[n.Zone] += n.After()
		}
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-6*(1+math.Abs(a)) }
		if !near(was, r.Total) || !near(is, r.Total) || !near(leave, r.Devices) || !near(come, r.Devices) {
			t.Errorf("before %v, after %v of %v; %v leave, %v come, %v move", was, is, r.Total, leave, come, r.Devices)
		}
		if slotsBefore != r.Diff.Slots || slotsAfter != r.Diff.Slots {
			t.Errorf("slots %d, %d of %d", slotsBefore, slotsAfter, r.Diff.Slots)
		}
		for _, z := range r.Zones {
			if !near(z.After, sums[z.Name]) {
				t.Errorf("%+v, its nodes have %v", z, sums[z.Name])
			}
		}
	})
}

// TestOutcome: what was measured stands beside what was planned for the share that
// has been moved; a node that said nothing counts for nothing.
func TestOutcome(t *testing.T) {
	before := build(t, 1, "a@x", "b@x")
	after := apply(t, before, ring.Change{Set: []ring.Node{{ID: "c", Zone: "x", Weight: 1, Capacity: 10_000}}})
	r := Of(Input{Before: before, After: after, Known: connected(3000, "a", "b")})
	o := r.Outcome(500, ring.ShareUnit, map[string]float64{"a": 3000, "b": 3000, "c": 0}, map[string]float64{"a": 2950, "c": 90})
	if math.Abs(o.Planned-r.Devices*0.05) > 1e-6 || o.Moved != 90 || len(o.Nodes) != 3 {
		t.Errorf("%+v", o)
	}
	if a, b, c := o.Nodes[0], o.Nodes[1], o.Nodes[2]; a.Gained != -50 || !a.Known || b.Known || c.Gained != 90 || math.Abs(c.Planned-o.Planned) > 1e-6 {
		t.Errorf("%+v", o.Nodes)
	}
}
