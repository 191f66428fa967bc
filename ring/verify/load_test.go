package verify

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"roost/ring"
)

// TestLoadByChance: ids whose loads differ make a verdict of bad no more often than
// a perfect hash may, however few they are for their nodes.
func TestLoadByChance(t *testing.T) {
	source := rand.NewPCG(0, 0)
	rnd := rand.New(source)
	for name, tt := range map[string]struct {
		nodes, ids, rounds int
		count              func() uint64
	}{
		"few ids a node":   {256, 3000, 2, func() uint64 { return 1 + uint64(10*rnd.ExpFloat64()) }},
		"few ids":          {16, 300, 8, func() uint64 { return 1 + uint64(10*rnd.ExpFloat64()) }},
		"heavy ids":        {64, 2000, 3, func() uint64 { return 1 + uint64(math.Exp(1.5*rnd.NormFloat64())*10) }},
		"two ids, 3 nodes": {3, 2, 8, func() uint64 { return 1 + rnd.Uint64N(2) }},
	} {
		source.Seed(21, uint64(len(name))) // cases come in any order
		r, err := ring.Build(1, nodes(tt.nodes, func(i int) float64 { return 0.5 + float64(i%4) }), ring.Options{})
		if err != nil {
			t.Fatal(err)
		}
		over := 0
		for range tt.rounds {
			m := loadOf(t, rnd, r, tt.ids, tt.count)
			if m.Verdict == Bad {
				t.Errorf("%s: %+v", name, m)
			}
			if m.Verdict == Look {
				over++
			}
			if m.Verdict == OK && (m.Says == fewIDsANode) != (m.Value > nodeLoadLimits.farLook) {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if over > 1 {
			t.Errorf("%s: look %d times in %d by chance", name, over, tt.rounds)
		}
	}
}

// loadOf counts ids by chance and returns the largest load of a node.
func loadOf(t *testing.T, rnd *rand.Rand, r *ring.Ring, ids int, count func() uint64) Measure {
	t.Helper()
	c, err := New(Options{}, Roost(r))
	if err != nil {
		t.Fatal(err)
	}
	for range ids {
		var id [16]byte
		binary.LittleEndian.PutUint64(id[:], rnd.Uint64())
		binary.LittleEndian.PutUint64(id[8:], rnd.Uint64())
		if err := c.Add(id[:], count()); err != nil {
			t.Fatal(err)
		}
	}
	if s := c.Report().Placements[0].Nodes.Load; s != nil {
		return s.Max
	}
	return Measure{}
}

// TestLimitOfLoad: what the limit says is passed as often as it should be, for loads
// that are alike and for such that are not.
func TestLimitOfLoad(t *testing.T) {
	source := rand.NewPCG(0, 0)
	rnd := rand.New(source)
	const k, p = 8, 0.02
	for name, tt := range map[string]struct {
		ids  int
		load func() float64
	}{
		"the same, few":    {40, func() float64 { return 1 }},
		"the same, many":   {2000, func() float64 { return 3 }},
		"exponential":      {400, rnd.ExpFloat64},
		"exponential, few": {40, rnd.ExpFloat64},
		"lognormal":        {400, func() float64 { return math.Exp(rnd.NormFloat64()) }},
	} {
		const rounds = 1500
		source.Seed(23, uint64(len(name)))
		over := 0
		for range rounds {
			counts, sum, squares, cubes := make([]float64, k), 0.0, 0.0, 0.0
			high := 0.0
			for range tt.ids {
				l, at := tt.load(), rnd.IntN(k)
				sum, squares, cubes = sum+l, squares+l*l, cubes+l*l*l
				counts[at] += l
				high = max(high, counts[at])
			}
			c := cells{counts: counts, effective: sum * sum / squares, lumps: lumps(cubes * sum / (squares * squares))}
			if high*k/sum > c.lumps.limit(c.bins(), p) {
				over++
			}
		}
		if share := float64(over) / rounds; share > 1.5*p || share < p/8 {
			t.Errorf("%s: the limit of %v is passed in %.4f of the rounds", name, p, share)
		}
	}
}

// TestLoadThatIsNoChance: a node with twice its load is found where there are ids
// enough.
func TestLoadThatIsNoChance(t *testing.T) {
	c := cells{counts: []float64{26000, 9000, 8000, 8000, 9000}, effective: 20_000, lumps: 1.5,
		share: []float64{0.2, 0.2, 0.2, 0.2, 0.2}, target: []float64{0.2, 0.2, 0.2, 0.2, 0.2}}
	if m := c.spread(nodeLoadLimits).Max; m.Verdict != Bad || m.Look != nodeLoadLimits.farLook || m.Bad != nodeLoadLimits.farBad {
		t.Errorf("%+v", m)
	}
}
