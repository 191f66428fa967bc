package slots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestTargets: who gets the slots that rounding down leaves.
func TestTargets(t *testing.T) {
	for name, test := range map[string]struct {
		hs   []Holding
		want []int
	}{
		"the largest remainder": {[]Holding{{"a", "", 0, 10.2}, {"b", "", 0, 10.7}, {"c", "", 0, 10.1}}, []int{10, 11, 10}},
		"two of them":           {[]Holding{{"a", "", 0, 10.8}, {"b", "", 0, 10.4}, {"c", "", 0, 10.8}}, []int{11, 10, 11}},
		"the smaller name":      {[]Holding{{"b", "", 0, 10.5}, {"a", "", 0, 10.5}}, []int{10, 11}},
		"who has it keeps it":   {[]Holding{{"a", "", 0, 10.2}, {"b", "", 0, 10.7}, {"c", "", 11, 10.1}}, []int{10, 10, 11}},
		"who has just the whole part does not": {
			[]Holding{{"a", "", 0, 10.2}, {"b", "", 0, 10.7}, {"c", "", 10, 10.1}}, []int{10, 11, 10}},
		"nor who has too many of a whole share": {
			[]Holding{{"a", "", 20, 10}, {"b", "", 0, 10.5}, {"c", "", 0, 10.5}}, []int{10, 11, 10}},
		"all but whole is whole": {[]Holding{{"a", "", 0, 3 - 1e-12}, {"b", "", 5, 4 + 1e-12}}, []int{3, 4}},
		"and comes before those who have the odd slot": {
			[]Holding{{"a", "", 0, 3 - 1e-12}, {"b", "", 5, 4.4}, {"c", "", 5, 4.6 + 1e-12}}, []int{3, 4, 5}},
		"nothing for weight 0": {[]Holding{{"a", "", 9, 0}, {"b", "", 0, 0.5}, {"c", "", 0, 0.5}}, []int{0, 5, 4}},
	} {
		total := 0
		for _, n := range test.want {
			total += n
		}
		if got, err := Targets(test.hs, total); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: targets %v, %v; want %v", name, got, err, test.want)
		}
	}
}

// TestSticky: whoever holds the odd slots keeps them, whatever the remainders:
// rounding alone moves nothing.
func TestSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hs := holdings(t)
		total := rapid.IntRange(0, 20000).Draw(t, "total")
		left := total
		var odd []int // with a remainder
		weights := sumWeights(hs)
		for i, h := range hs {
			exact := h.Weight / weights * float64(total)
			if math.Abs(exact-math.Round(exact)) < 1e-5 {
				hs[i].Slots = int(math.Round(exact))
			} else {
				hs[i].Slots = int(exact)
				odd = append(odd, i)
			}
			left -= hs[i].Slots
		}
		if left < 0 || left > len(odd) {
			t.Skip("shares that are whole but for more than a float's last bits")
		}
		for _, i := range rapid.Permutation(odd).Draw(t, "odd")[:left] {
			hs[i].Slots++
		}
		targets, err := Targets(hs, total)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range hs {
			if targets[i] != h.Slots {
				t.Fatalf("targets %v for %v", targets, hs)
			}
		}
	})
}

// TestTargetsSum: any weights, any total: the targets sum to it, and none is more
// than a slot from its share. Sums of very different numbers of slots and weights
// must not lose any.
func TestTargetsSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		n := 1 + rng.IntN(8)
		hs := make([]Holding, n)
		for i := range hs {
			hs[i] = Holding{fmt.Sprint(i), "", rng.IntN(3000), math.Ldexp(rng.Float64(), rng.IntN(120)-60)}
			if rng.IntN(5) == 0 {
				hs[i].Weight = float64(rng.IntN(4))
			}
		}
		if sumWeights(hs) == 0 {
			continue
		}
		checkTargets(t, hs, []int{0, 1, 7, Count, 1 << 30, maxSlots}[rng.IntN(6)])
	}
	// A hundred thousand weights whose plain sum is off by several slots of 2^40.
	many := make([]Holding, 100_000)
	for i := range many {
		many[i] = Holding{fmt.Sprint(i), "", 0, 0.1}
	}
	checkTargets(t, many, maxSlots)
}

func checkTargets(t *testing.T, hs []Holding, total int) {
	t.Helper()
	targets, err := Targets(hs, total)
	if err != nil {
		t.Fatal(err)
	}
	sum, weights := 0, sumWeights(hs)
	for i, n := range targets {
		sum += n
		if exact := hs[i].Weight / weights * float64(total); n < 0 || math.Abs(float64(n)-exact) > 1.001 || exact == 0 && n != 0 {
			t.Fatalf("node %d of %d, of %d slots: target %d of exactly %v", i, len(hs), total, n, exact)
		}
	}
	if sum != total {
		t.Fatalf("%d nodes: targets sum to %d of %d slots", len(hs), sum, total)
	}
}

// TestSumWeights: no order loses anything, nor gives another last bit.
func TestSumWeights(t *testing.T) {
	many := make([]Holding, 100_000)
	for i := range many {
		many[i].Weight = 0.1
	}
	if got := sumWeights(many); got != 10_000 { // a plain sum gives 1.9e-8 more
		t.Errorf("a hundred thousand times 0.1 is %v", got)
	}
	odd := []Holding{{Weight: 0x1p-52}, {Weight: 0x1p-105}, {Weight: 3}, {Weight: 0x1p-105}}
	if a, b := sumWeights(odd), sumWeights([]Holding{odd[1], odd[2], odd[3], odd[0]}); a != b {
		t.Errorf("%v and %v in another order", a, b)
	}
	for _, weights := range [][]float64{{1, 1e-16, 1e-16}, {1e-16, 1, 1e-16}, {1e-16, 1e-16, 1}} {
		hs := make([]Holding, len(weights))
		for i := range hs {
			hs[i].Weight = weights[i]
		}
		if got := sumWeights(hs); got != 1+0x1p-52 {
			t.Errorf("%v sum to 1 + %v, want 1 + 2^-52", weights, got-1)
		}
	}
}
