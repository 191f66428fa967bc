package verify

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// throw puts n ids into k cells by chance.
func throw(r *rand.Rand, n, k int) []float64 {
	counts := make([]float64, k)
	for range n {
		counts[r.IntN(k)]++
	}
	return counts
}

// TestEqualCellsIsChiSquare where there are many ids a cell.
func TestEqualCellsIsChiSquare(t *testing.T) {
	d := distuv.ChiSquared{K: 16383}
	for _, x := range []float64{15800, 16383, 16700, 16948, 17300} {
		got, want := equalCells(16384, 1e8).above(x), d.Survival(x)
		if !near(got, want, 0.02) {
			t.Errorf("chance of %v is %v, want %v", x, got, want)
		}
	}
	// With its own spread and skewness a chance is the distribution exactly.
	c := chance{mean: 15, sd: math.Sqrt(30), skew: math.Sqrt(8.0 / 15)}
	for _, x := range []float64{3, 15, 30, 60} {
		if got, want := c.above(x), (distuv.ChiSquared{K: 15}).Survival(x); !near(got, want, 1e-8) {
			t.Errorf("chance of %v is %v, want %v", x, got, want)
		}
	}
	if l := c.limit(1e-3); !near(l, 37.697, 1e-4) {
		t.Errorf("1 in 1,000 is at %v, want 37.697", l)
	}
}

// TestFewIDsInManySlots: p holds what it says also where a slot has far less than
// one id, where chi-square's own distribution does not.
func TestFewIDsInManySlots(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const k = 1024
	for _, n := range []int{3, 12, 50, 200, 1000, 4000} {
		const rounds = 1000
		var tails [3]int
		levels := [3]float64{0.1, 0.01, rare}
		for range rounds {
			c := cells{counts: throw(r, n, k), effective: float64(n)}
			x := c.chiSquare(float64(n), c.shareOf)
			for i, level := range levels {
				if x.P < level {
					tails[i]++
				}
			}
		}
		for i, level := range levels {
			share := float64(tails[i]) / rounds
			if most := 1.6*level + 4*math.Sqrt(level/rounds); share > most {
				t.Errorf("%d ids: p is below %v in %.4f of the rounds, want at most %.4f", n, level, share, most)
			}
			if n >= 200 && share < level/2-4*math.Sqrt(level/rounds) {
				t.Errorf("%d ids: p is below %v in only %.4f of the rounds", n, level, share)
			}
		}
	}
}

// TestPerfectAgainstSimulation: what a perfect hash is said to have is what chance
// gives.
func TestPerfectAgainstSimulation(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, tt := range []struct{ n, k, rounds int }{
		{100, 1024, 1000}, {1000, 1024, 600}, {5000, 1024, 120}, {40000, 1024, 30}, {1000, 8, 1500}, {100000, 16, 20},
	} {
		var sigma, high, short, dev []float64
		c := cells{effective: float64(tt.n)}
		var s *Spread
		for range tt.rounds {
			c.counts = throw(r, tt.n, tt.k)
			if s == nil {
				s = c.spread(slotLimits)
			}
			other := &Spread{Cells: tt.k, Total: float64(tt.n)}
			low := slices.Min(c.counts)
			top := slices.Max(c.counts)
			mean := float64(tt.n) / float64(tt.k)
			sigma, high = append(sigma, (top-low)/mean), append(high, top/mean)
			c.entropy(other)
			short = append(short, other.Entropy.Short.Value)
			square := 0.0
			for _, v := range c.counts {
				square += (v/mean - 1) * (v/mean - 1)
			}
			dev = append(dev, math.Sqrt(square/float64(tt.k)))
		}
		for _, f := range []struct {
			name  string
			seen  []float64
			m     Measure
			exact bool
		}{{"sigma", sigma, s.Sigma, false}, {"max", high, s.Max, false}, {"bits short", short, s.Entropy.Short, true}, {"deviation", dev, s.StdDev, true}} {
			mean, sd := meanSD(f.seen)
			slack := 5*sd/math.Sqrt(float64(tt.rounds)) + 0.02*mean
			if f.exact {
				slack = 5*sd/math.Sqrt(float64(tt.rounds)) + 0.001*mean
			}
			if f.name == "deviation" {
				slack += mean / (3 * float64(tt.k)) // the root of a mean is not the mean of roots
			}
			if math.Abs(mean-f.m.Perfect) > slack {
				t.Errorf("%d ids in %d cells: %s is %.5f on average, said to be %.5f", tt.n, tt.k, f.name, mean, f.m.Perfect)
			}
			over := 0
			for _, v := range f.seen {
				if v > f.m.Look {
					over++
				}
			}
			if float64(over) > 0.004*float64(tt.rounds)+1 {
				t.Errorf("%d ids in %d cells: %s is above its limit %d times in %d by chance", tt.n, tt.k, f.name, over, tt.rounds)
			}
		}
		if _, sd := meanSD(short); math.Abs(sd-c.shortChance().sd) > 0.15*sd+1e-12 {
			t.Errorf("%d ids in %d cells: bits short scatter by %v, said to by %v", tt.n, tt.k, sd, c.shortChance().sd)
		}
	}
}

func meanSD(v []float64) (mean, sd float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(len(v)-1)
	}
	return mean, math.Sqrt(sd)
}

// TestNodesAgainstSimulation: the same for cells whose shares and targets differ.
func TestNodesAgainstSimulation(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	share := []float64{0.31, 0.19, 0.12, 0.08, 0.3, 0}
	target := []float64{0.3, 0.2, 0.1, 0.1, 0.3, 0}
	const n, rounds = 3000, 120
	var sigma, high, short, square []float64
	var s *Spread
	chi := 0
	for range rounds {
		c := cells{counts: make([]float64, len(share)), share: share, target: target, effective: n}
		for range n {
			v, i := r.Float64(), 0
			for v > share[i] && i < 4 {
				v -= share[i]
				i++
			}
			c.counts[i]++
		}
		got := c.spread(nodeLimits)
		if s == nil {
			s = got
		}
		sigma, high = append(sigma, got.Sigma.Value), append(high, got.Max.Value)
		short, square = append(short, got.Entropy.Short.Value), append(square, got.StdDev.Value*got.StdDev.Value)
		if got.Chi.P < 0.05 {
			chi++
		}
	}
	if s.Cells != 5 || s.Chi.Freedom != 4 {
		t.Fatalf("%d cells, %d degrees of freedom", s.Cells, s.Chi.Freedom)
	}
	if part := float64(chi) / rounds; math.Abs(part-0.05) > 0.02 {
		t.Errorf("p is below 0.05 in %.3f of the rounds", part)
	}
	for _, f := range []struct {
		name string
		seen []float64
		want float64
	}{{"sigma", sigma, s.Sigma.Perfect}, {"max", high, s.Max.Perfect}, {"bits short", short, s.Entropy.Short.Perfect}, {"square", square, s.StdDev.Perfect * s.StdDev.Perfect}} {
		mean, sd := meanSD(f.seen)
		if math.Abs(mean-f.want) > 5*sd/math.Sqrt(rounds)+0.03*mean {
			t.Errorf("%s is %.6f on average, said to be %.6f", f.name, mean, f.want)
		}
	}
}

// TestMomentsMeet: the sums and the series agree where one takes over.
func TestMomentsMeet(t *testing.T) {
	for _, want := range []float64{30, 50, 80} {
		a, b := momentsOf(fewIDs, want), momentsOf(fewIDs*1.0001, want)
		if math.Abs(a.mean-b.mean) > 0.02 || !near(a.slope, b.slope, 0.01) && math.Abs(a.slope-b.slope) > 0.01 || !near(a.bend, b.bend, 0.05) || !near(a.rest, b.rest, 0.1) {
			t.Errorf("at %v: %+v, and right above %+v", want, a, b)
		}
	}
}
