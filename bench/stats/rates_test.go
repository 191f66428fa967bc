package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// experiment simulates pairs of runs on a machine whose speed walks: each run
// has 1.5 % of noise, and the machine changes by 2 % from run to run. Order is
// AB BA AB BA, or with blocks all of A before all of B.
func experiment(random *rand.Rand, pairs int, effect float64, blocks bool) (a, b []float64) {
	speed := 0.0
	run := func(shift float64) float64 {
		speed += 0.02 * random.NormFloat64()
		return math.Exp(speed + 0.015*random.NormFloat64() + shift)
	}
	shift := math.Log1p(effect)
	if blocks {
		for range pairs {
			a = append(a, run(0))
		}
		for range pairs {
			b = append(b, run(shift))
		}
		return a, b
	}
	for i := range pairs {
		if i%2 == 0 {
			a = append(a, run(0))
			b = append(b, run(shift))
		} else {
			b = append(b, run(shift))
			a = append(a, run(0))
		}
	}
	return a, b
}

// TestErrorRates: the numbers of the package comment.
func TestErrorRates(t *testing.T) {
	const experiments = 4000
	rates := func(pairs int, effect float64) (plain, gated float64) {
		random := rand.New(rand.NewPCG(uint64(pairs), math.Float64bits(effect)))
		for range experiments {
			a, b := experiment(random, pairs, effect, false)
			p := Compare(a, b, 0.95)
			if p.P < 0.05 {
				plain++
				if math.Abs(p.Median-1) >= 0.02 {
					gated++
				}
			}
		}
		return plain / experiments, gated / experiments
	}
	for _, c := range []struct {
		pairs                                        int
		mostPlain, mostGated, leastPlain, leastGated float64
	}{{6, .05, .03, .32, .30}, {10, .06, .03, .75, .68}, {16, .06, .03, .92, .80}} {
		alarms, gatedAlarms := rates(c.pairs, 0)
		found, gatedFound := rates(c.pairs, 0.03)
		t.Logf("%d pairs: false alarms %.1f %%, gated %.1f %%; +3 %% found %.0f %%, gated %.0f %%",
			c.pairs, 100*alarms, 100*gatedAlarms, 100*found, 100*gatedFound)
		if alarms > c.mostPlain || gatedAlarms > c.mostGated || found < c.leastPlain || gatedFound < c.leastGated {
			t.Errorf("%d pairs: beyond %+v", c.pairs, c)
		}
	}
	random := rand.New(rand.NewPCG(9, 9))
	alarms := 0.0
	for range 1000 {
		a, b := experiment(random, 10, 0, true)
		if CompareUnpaired(a, b, 0.95).P < 0.05 {
			alarms++
		}
	}
	t.Logf("blocks without pairs: false alarms %.0f %%", alarms/10)
	if alarms/1000 < 0.4 {
		t.Error("blocks do not alarm: the simulated machine does not drift")
	}
}
