package slots

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// holdings draws nodes in zones: with any number of slots, or near their targets.
func holdings(t *rapid.T) []Holding {
	n := rapid.IntRange(1, 20).Draw(t, "nodes")
	near := rapid.Bool().Draw(t, "near")
	hs := make([]Holding, n)
	for i := range hs {
		hs[i] = Holding{Node: fmt.Sprint("n", i), Zone: fmt.Sprint("z", rapid.IntRange(0, 3).Draw(t, "zone"))}
		if near {
			hs[i].Slots = rapid.IntRange(988, 1012).Draw(t, "slots")
			hs[i].Weight = 1
			if rapid.IntRange(0, 5).Draw(t, "empties") == 0 {
				hs[i].Weight, hs[i].Slots = 0, hs[i].Slots-988
			}
			continue
		}
		hs[i].Slots = rapid.IntRange(0, 4000).Draw(t, "slots")
		hs[i].Weight = rapid.SampledFrom([]float64{0, 0.001, 0.35, 1, 1, 1, 2.5, 1e9}).Draw(t, "weight")
	}
	hs[0].Weight = 1
	return hs
}

// TestPlanIsMinimal: what Rebalance promises, for any holdings.
func TestPlanIsMinimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hs := holdings(t)
		threshold := rapid.SampledFrom([]int{0, 1, 5, 20}).Draw(t, "threshold")
		p, err := Rebalance(hs, threshold)
		if err != nil {
			t.Fatal(err)
		}
		far := map[string]bool{}
		var over, under int
		for i, h := range hs {
			off := h.Slots - p.Targets[i]
			if far[h.Node] = max(off, -off) > threshold || h.Weight == 0 && off > 0; far[h.Node] {
				over, under = over+max(off, 0), under+max(-off, 0)
			}
		}
		checkMoves(t, hs, p, far, threshold)
		if p.Moved != max(over, under) || p.Moved != p.Minimum {
			t.Fatalf("%d slots move, at least %d must, Minimum is %d", p.Moved, max(over, under), p.Minimum)
		}
		if least := leastAcross(hs, p, far); p.Across != least {
			t.Fatalf("%d slots move between zones, at least %d must", p.Across, least)
		}
		// Once made, the plan is empty.
		again, err := Rebalance(p.holdings(hs), threshold)
		if err != nil || again.Moved != 0 {
			t.Fatalf("after the plan %d slots are to move, %v", again.Moved, err)
		}
		// The order of the list is nothing to the plan.
		shuffled := rapid.Permutation(hs).Draw(t, "shuffled")
		if again, err = Rebalance(shuffled, threshold); err != nil || !slices.Equal(again.Moves, p.Moves) {
			t.Fatalf("in another order the moves are %v, not %v, %v", again.Moves, p.Moves, err)
		}
	})
}

// checkMoves makes the moves, and looks at where they lead.
func checkMoves(t *rapid.T, hs []Holding, p *Plan, far map[string]bool, threshold int) {
	slots := map[string]int{}
	zone := map[string]string{}
	for _, h := range hs {
		slots[h.Node], zone[h.Node] = h.Slots, h.Zone
	}
	moved, across := 0, 0
	for _, m := range p.Moves {
		if m.Slots <= 0 || !far[m.From] && !far[m.To] {
			t.Fatalf("move %v between nodes that are not far off", m)
		}
		slots[m.From] -= m.Slots
		slots[m.To] += m.Slots
		moved += m.Slots
		if m.Across != (zone[m.From] != zone[m.To]) {
			t.Fatalf("move %v is from %s to %s", m, zone[m.From], zone[m.To])
		}
		if m.Across {
			across += m.Slots
		}
	}
	if moved != p.Moved || across != p.Across {
		t.Fatalf("%d slots move, %d across, the plan says %d and %d", moved, across, p.Moved, p.Across)
	}
	for i, h := range hs {
		if slots[h.Node] != p.After[i] || p.After[i] < 0 {
			t.Fatalf("node %s has %d after the moves, the plan says %d", h.Node, slots[h.Node], p.After[i])
		}
		if off := p.After[i] - p.Targets[i]; max(off, -off) > threshold || far[h.Node] && off != 0 {
			t.Fatalf("node %s is still %d off", h.Node, off)
		}
	}
}

// leastAcross tries all ways to choose, zone by zone, how many slots those that are a
// little off give or get, so that as few move as can. Of given numbers to give and to get, what
// a zone has too many of must leave it.
func leastAcross(hs []Holding, p *Plan, far map[string]bool) int {
	type zone struct{ give, get, littleGive, littleGet int }
	zones := map[string]*zone{}
	over, under := 0, 0
	for i, h := range hs {
		z := zones[h.Zone]
		if z == nil {
			z = &zone{}
			zones[h.Zone] = z
		}
		off := h.Slots - p.Targets[i]
		switch give, get := max(off, 0), max(-off, 0); far[h.Node] {
		case true:
			z.give, z.get, over, under = z.give+give, z.get+get, over+give, under+get
		case false:
			z.littleGive, z.littleGet = z.littleGive+give, z.littleGet+get
		}
	}
	left := max(over, under) - min(over, under)
	best := make([]int, left+1) // least across, by how many are chosen
	for i := range best {
		best[i] = 1 << 30
	}
	best[0] = 0
	for _, z := range zones {
		next := slices.Repeat([]int{1 << 30}, left+1)
		little := z.littleGet
		if over < under {
			little = z.littleGive
		}
		for used := range best {
			for n := 0; n <= min(little, left-used); n++ {
				leaves := max(z.give-z.get-n, 0)
				if over < under {
					leaves = max(z.give+n-z.get, 0)
				}
				next[used+n] = min(next[used+n], best[used]+leaves)
			}
		}
		best = next
	}
	return best[left]
}

// TestAcrossIsMinimal: what is far off settles at home with what is a little off,
// before it leaves the zone. 20 slots went across, 10 are enough.
func TestAcrossIsMinimal(t *testing.T) {
	p, err := Rebalance([]Holding{{"a", "B", 1010, 1}, {"b", "A", 1010, 1}, {"c", "C", 990, 1}, {"d", "B", 995, 1}, {"e", "B", 995, 1}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Move{{"a", "d", 5, false}, {"a", "e", 5, false}, {"b", "c", 10, true}}; !slices.Equal(p.Moves, want) || p.Across != 10 || p.Moved != 20 {
		t.Errorf("moves %v, %d across, want %v", p.Moves, p.Across, want)
	}
}

// TestOrderOfMoves: the largest first, of equals the smaller name, however they
// are listed.
func TestOrderOfMoves(t *testing.T) {
	hs := []Holding{{"d", "", 70, 1}, {"a", "", 120, 1}, {"c", "", 80, 1}, {"b", "", 130, 1}, {"f", "", 80, 1}, {"e", "", 120, 1}}
	want := []Move{{"b", "d", 30, false}, {"a", "c", 20, false}, {"e", "f", 20, false}}
	for range 2 {
		p, err := Rebalance(hs, 5)
		if err != nil || !slices.Equal(p.Moves, want) {
			t.Errorf("moves %v, %v; want %v", p.Moves, err, want)
		}
		slices.Reverse(hs)
	}
}

// TestWeightZeroIsEmptied: the threshold is no reason to keep slots where none
// should be.
func TestWeightZeroIsEmptied(t *testing.T) {
	for _, weight := range []float64{0, 1e-320} {
		p, err := Rebalance([]Holding{{"a", "", 100, 1}, {"b", "", 98, 1}, {"c", "", 3, weight}}, 5)
		if err != nil || p.After[2] != 0 || p.Moved != 3 || p.Minimum != 3 {
			t.Errorf("weight %v: %+v, %v", weight, p, err)
		}
	}
}

func TestLimit(t *testing.T) {
	p := &Plan{Moves: []Move{{"a", "b", 3, false}, {"a", "c", 4, true}}}
	for n, want := range map[int][]Move{-1: nil, 0: nil, 2: {{"a", "b", 2, false}}, 3: {{"a", "b", 3, false}}, 5: {{"a", "b", 3, false}, {"a", "c", 2, true}}, 9: p.Moves} {
		if got := p.Limit(n); !slices.Equal(got, want) {
			t.Errorf("at most %d: %v, want %v", n, got, want)
		}
	}
}
