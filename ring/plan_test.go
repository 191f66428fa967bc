package ring

import (
	"math"
	"slices"
	"testing"
)

func TestPlan(t *testing.T) {
	nodes := equalNodes(4)
	for i := range nodes {
		nodes[i].Capacity = 30_000
	}
	r := mustBuild(t, nodes, Options{})
	joiner := Node{ID: "node-9", Weight: 1, Capacity: 18_000}
	p, next, err := r.Plan(7, Change{Set: []Node{joiner}, Remove: []string{"node-0001"}}, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if next.Version() != 7 || len(p.Nodes) != 5 {
		t.Fatalf("version %d, %d nodes in the plan", next.Version(), len(p.Nodes))
	}
	if !slices.Equal(p.Over, []string{"node-9"}) {
		t.Errorf("over capacity: %v, want node-9: 25,000 of 18,000", p.Over)
	}
	gains, loses, devices := 0, 0, 0.0
	for _, n := range p.Nodes {
		gains += n.Gains
		loses += n.Loses
		devices += n.DevicesAfter
		if n.SlotsAfter-n.SlotsBefore != n.Gains-n.Loses {
			t.Errorf("%s: %d slots before, %d after, gains %d, loses %d", n.ID, n.SlotsBefore, n.SlotsAfter, n.Gains, n.Loses)
		}
		switch n.ID {
		case "node-0001":
			if n.WeightAfter != 0 || n.SlotsAfter != 0 || n.Load() != 0 {
				t.Errorf("the removed node: %+v", n)
			}
		case "node-9":
			if n.WeightBefore != 0 || math.Abs(n.Load()-25_000.0/18_000) > 0.02 {
				t.Errorf("the new node: %+v, load %.3f", n, n.Load())
			}
		}
	}
	if gains != p.Moved || loses != p.Moved || math.Abs(devices-100_000) > 1e-6 {
		t.Errorf("gains %d, loses %d, moved %d; %v devices", gains, loses, p.Moved, devices)
	}
	if p.Minimum > p.Moved || p.Collateral != 0 {
		t.Errorf("minimum %d, moved %d, collateral %d", p.Minimum, p.Moved, p.Collateral)
	}
	// One node of four is replaced: a quarter must move.
	if math.Abs(p.Ideal/float64(p.Slots)-0.25) > 1e-9 {
		t.Errorf("ideal %v of %d slots, want a quarter", p.Ideal, p.Slots)
	}
	if _, _, err := r.Plan(8, Change{Remove: []string{"nobody"}}, 1); err == nil {
		t.Error("an impossible change has a plan")
	}
}

// TestCompare: rings with different tables, and from and to nobody.
func TestCompare(t *testing.T) {
	small, large := mustBuild(t, equalNodes(3), Options{TableBits: 8, Raw: true}), mustBuild(t, equalNodes(3), Options{TableBits: 12, Raw: true})
	d, back := small.Compare(large), large.Compare(small)
	if d.Slots != 4096 || d.Moved != back.Moved || d.Moved != d.Collateral || d.Moved == 0 {
		t.Errorf("there %+v, back %+v", d, back)
	}
	if d := small.Compare(small); d.Moved != 0 || d.Minimum != 0 || len(d.Moves) != 0 {
		t.Errorf("to itself: %+v", d)
	}
	empty := mustBuild(t, nil, Options{TableBits: 8})
	d = empty.Compare(small)
	if d.Moved != 256 || d.Minimum != 256 || d.Moves[0].From != "" {
		t.Errorf("from nobody: %+v", d)
	}
	if d = small.Compare(empty); d.Moved != 256 || d.Minimum != 256 || d.Moves[0].To != "" {
		t.Errorf("to nobody: %+v", d)
	}
	if d := empty.Compare(empty); d.Moved != 0 {
		t.Errorf("nobody to nobody: %+v", d)
	}
	// The same nodes in other places are the same nodes.
	a := mustBuild(t, equalNodes(4), Options{TableBits: 8})
	b, err := a.Apply(2, Change{Remove: []string{"node-0000"}})
	if err != nil {
		t.Fatal(err)
	}
	def := b.Definition()
	c, err := def.Ring()
	if err != nil {
		t.Fatal(err)
	}
	if d := b.Compare(c); d.Moved != 0 {
		t.Errorf("a ring and itself made anew: %+v", d)
	}
}

// TestMinimum: where a node gains and loses, more moves than must.
func TestMinimum(t *testing.T) {
	raw, calibrated := mustBuild(t, equalNodes(4), Options{Raw: true}), mustBuild(t, equalNodes(4), Options{})
	d := raw.Compare(calibrated)
	gains := 0
	for i := range raw.Nodes() {
		gains += max(calibrated.Slots(i)-raw.Slots(i), 0)
	}
	if d.Minimum != gains || d.Minimum >= d.Moved {
		t.Errorf("minimum %d, want %d, below moved, %d", d.Minimum, gains, d.Moved)
	}
	if !slices.IsSortedFunc(d.Moves, func(a, b Move) int { return b.Slots - a.Slots }) {
		t.Errorf("moves %v are not sorted", d.Moves)
	}
}

// TestFull: a node that holds just its capacity is not over it. And all that
// leaves is ideal too.
func TestFull(t *testing.T) {
	r := mustBuild(t, []Node{{ID: "a", Weight: 1, Capacity: 1000}}, Options{TableBits: 8})
	p, _, err := r.Plan(2, Change{Set: []Node{{ID: "a", Weight: 2, Capacity: 1000}}}, 1000)
	if err != nil || len(p.Over) != 0 || p.Nodes[0].Load() != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	p, _, err = r.Plan(2, Change{Set: []Node{{ID: "a"}}}, 1000)
	if err != nil || p.Ideal != 256 || p.Moved != 256 || p.Minimum != 256 || p.Devices != 1000 {
		t.Errorf("%+v, %v", p, err)
	}
}
