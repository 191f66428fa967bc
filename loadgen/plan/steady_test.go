package plan

import (
	"math"
	"math/rand/v2"
	"testing"
)

func made(n int, seed uint64, at func(i int, random *rand.Rand) float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 0))
	x := make([]float64, n)
	for i := range x {
		x[i] = at(i, random)
	}
	return x
}

func TestMannKendallByHand(t *testing.T) {
	// 8 rising points: S = 28, variance 8*7*21/18 = 65.33, Z = 27/8.083
	got := MannKendall([]float64{1, 2, 4, 8, 16, 32, 64, 128})
	if math.Abs(got.Z-3.3404) > 1e-3 || math.Abs(got.P-8.37e-4) > 1e-5 {
		t.Errorf("%+v", got)
	}
	// ties of 2, 3: variance (8*7*21 - 2*1*9 - 3*2*11)/18
	if v := kendallVariance([]float64{1, 1, 2, 2, 2, 3, 4, 5}); math.Abs(v-(1176-18-66)/18.) > 1e-9 {
		t.Errorf("variance with ties %g", v)
	}
	if got := MannKendall([]float64{0, 3, 6, 9, 12, 15, 18, 21}); got.Slope != 3 {
		t.Errorf("slope %g, want 3", got.Slope)
	}
	for _, none := range [][]float64{nil, {1, 2, 3, 4, 5, 6, 7}, make([]float64, 100), {math.NaN(), 1, 2, 3, 4, 5, 6, 7, math.Inf(1)}} {
		if got := MannKendall(none); got.P != 1 || got.Z != 0 {
			t.Errorf("%v: %+v", none, got)
		}
	}
}

// TestMannKendallAlarms: of 1000 series of 120 points without a trend about 1 %
// are found to have one at 1 %; also where each point has half of the one
// before in it, of which 14 % have one by the test without its correction for that.
func TestMannKendallAlarms(t *testing.T) {
	for _, c := range []struct {
		name string
		keep float64
		most int
	}{{"independent", 0, 25}, {"correlated", .5, 50}} {
		alarms := 0
		for seed := range uint64(1000) {
			last := 0.0
			x := made(120, seed, func(_ int, random *rand.Rand) float64 {
				last = c.keep*last + random.ExpFloat64() // skewed, as latencies are
				return last
			})
			if MannKendall(x).P < .01 {
				alarms++
			}
		}
		t.Logf("%s: %d of 1000", c.name, alarms)
		if alarms > c.most {
			t.Errorf("%s: %d of 1000 series without a trend have one, at most %d", c.name, alarms, c.most)
		}
	}
}

func TestSteady(t *testing.T) {
	noise := func(i int, random *rand.Rand) float64 { return 100 + 5*random.NormFloat64() }
	for _, c := range []struct {
		name   string
		series []float64
		steady bool
		change float64
	}{
		{"noise", made(120, 1, noise), true, 0},
		{"rising by half", made(120, 2, func(i int, r *rand.Rand) float64 { return noise(i, r) + 40*float64(i)/119 }), false, .33},
		{"falling", made(5000, 3, func(i int, r *rand.Rand) float64 { return noise(i, r) - 40*float64(i)/4999 }), false, -.5},
		{"rising by little", made(1000, 4, func(i int, r *rand.Rand) float64 { return noise(i, r) + 2*float64(i)/999 }), true, .02},
		{"too short to tell", []float64{1, 2, 3}, true, 0},
		{"nothing", nil, true, 0},
		{"of zeros", make([]float64, 50), true, 0},
	} {
		steady, change := Steady(c.series, .05)
		if steady != c.steady || math.Abs(change-c.change) > .04 {
			t.Errorf("%s: steady %v, change %.3f, want %v, %.2f", c.name, steady, change, c.steady, c.change)
		}
	}
}
