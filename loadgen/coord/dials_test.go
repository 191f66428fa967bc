package coord

import (
	"math"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
)

// TestDialsOfRandomPlans: what was to be dialled is what the workers' plan has,
// which is not its mean.
func TestDialsOfRandomPlans(t *testing.T) {
	at := scenario.Arrival{Kind: scenario.Poisson, Rate: 50}
	s := &scenario.Scenario{Phases: []scenario.Phase{{For: 10 * time.Second, Ramp: &scenario.Ramp{To: 10_000, Arrival: at}, Churn: &scenario.Churn{Arrival: at}}}}
	off := 0
	for s.Seed = range uint64(20) {
		_, churn := swarm.Dials(s, 0)
		want := 0.0
		for due, ok := churn.Next(); ok && due < 7*time.Second; due, ok = churn.Next() {
			want++
		}
		once, often := newDialPlan(s, 0), newDialPlan(s, 0)
		for d := time.Duration(0); d < 7*time.Second; d += 300 * time.Millisecond {
			often.churn.until(d, math.Inf(1))
		}
		if a, b := once.churn.until(7*time.Second, math.Inf(1)), often.churn.until(7*time.Second, math.Inf(1)); a != want || b != want {
			t.Errorf("seed %d: %v at once, %v step by step, want %v", s.Seed, a, b, want)
		}
		if n := once.ramp.until(7*time.Second, 30); n != 30 {
			t.Errorf("of 30 that are missing %v are due", n)
		}
		if math.Abs(want-350) > 0.005*350 {
			off++
		}
	}
	if off < 10 {
		t.Errorf("%d of 20 plans are more than 0.5 %% off their mean: nothing was tested", off)
	}
	if n := new(counted).until(time.Hour, 10); n != 0 {
		t.Errorf("no plan has %v", n)
	}
}
