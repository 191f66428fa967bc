package plan

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestPermutationIsABijection: every number comes once, Place undoes At.
func TestPermutationIsABijection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		p := NewPermutation(n, rapid.Uint64().Draw(t, "seed"))
		seen := make([]bool, n)
		for i := range uint64(n) {
			v := p.At(i)
			if int(v) >= n || seen[v] {
				t.Fatalf("place %d of %d has %d, again or outside", i, n, v)
			}
			seen[v] = true
			if p.Place(v) != i || p.At(i+uint64(n)) != v {
				t.Fatalf("%d is at place %d of %d, not at %d", v, p.Place(v), n, i)
			}
		}
	})
}

func TestPermutationOfExtremes(t *testing.T) {
	for _, n := range []int{-1, 0, 1} {
		p := NewPermutation(n, 1)
		if p.At(5) != 0 || p.Place(5) != 0 {
			t.Errorf("of %d numbers, place 5 has %d", n, p.At(5))
		}
	}
	p := NewPermutation(math.MaxInt64, 1)
	if p.Len() != 1<<32 || p.Place(p.At(1<<32-1)) != 1<<32-1 {
		t.Errorf("length %d", p.Len())
	}
}

// TestPermutationLooksRandom: over seeds, each place has each value about as
// often, by chi-square at 0.1 %, and neighbours do not stay neighbours.
func TestPermutationLooksRandom(t *testing.T) {
	const n, seeds = 20, 20_000
	var at [n][n]float64
	next := 0
	for seed := range uint64(seeds) {
		p := NewPermutation(n, seed)
		for i := range uint64(n) {
			at[i][p.At(i)]++
			if i > 0 && p.At(i) == p.At(i-1)+1 {
				next++
			}
		}
	}
	chi := 0.0
	for i := range n {
		for v := range n {
			d := at[i][v] - seeds/n
			chi += d * d / (seeds / n)
		}
	}
	const free = (n - 1) * (n - 1)
	if z := (chi - free) / math.Sqrt(2*free); z > 4 {
		t.Errorf("chi-square %.0f with %d degrees of freedom", chi, free)
	}
	// of n-1 pairs, each ordered pair of values is as likely: (n-1)/(n(n-1)) a pair
	if want := float64(seeds) * (n - 1) / n; math.Abs(float64(next)-want) > 5*math.Sqrt(want) {
		t.Errorf("%d neighbours stayed, want about %.0f", next, want)
	}
}

func TestCutIsASeededShare(t *testing.T) {
	for _, c := range []struct {
		n     int
		share float64
		want  int
	}{{1000, .5, 500}, {1000, 0, 0}, {1000, 1, 1000}, {1000, 2, 1000}, {3, .5, 2}, {0, .5, 0}, {10, math.NaN(), 0}, {10, -1, 0}} {
		order, count := Cut(c.n, c.share, 9)
		if count != c.want || order.Len() != c.n {
			t.Errorf("%g of %d: %d victims of %d, want %d", c.share, c.n, count, order.Len(), c.want)
		}
	}
	a, _ := Cut(1000, .5, 1)
	b, _ := Cut(1000, .5, 2)
	same := 0
	for i := range uint64(500) {
		if b.Place(a.At(i)) < 500 {
			same++
		}
	}
	if same < 200 || same > 300 {
		t.Errorf("two seeds have %d of 500 victims in common, want about 250", same)
	}
}

func BenchmarkPermutation(b *testing.B) {
	p := NewPermutation(1_000_000, 7)
	sum, i := uint32(0), uint64(0)
	for b.Loop() {
		sum += p.At(i)
		i++
	}
	_ = sum
}
