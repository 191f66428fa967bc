package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// level appends n values around a level.
func level(v []float64, random *rand.Rand, n int, at, noise float64) []float64 {
	for range n {
		v = append(v, at*(1+noise*random.NormFloat64()))
	}
	return v
}

func TestStepsFindsLevels(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	v := level(level(level(nil, random, 20, 100, 0.01), random, 15, 110, 0.01), random, 12, 95, 0.01)
	steps := Steps(v, StepOptions{})
	if len(steps) != 2 || steps[0].At != 20 || steps[1].At != 35 {
		t.Fatalf("%+v", steps)
	}
	if r := steps[0].Ratio; math.Abs(r-1.1) > 0.02 {
		t.Errorf("first ratio %v", r)
	}
	if r := steps[1].Ratio; math.Abs(r-95.0/110) > 0.02 {
		t.Errorf("second ratio %v", r)
	}
	// The same series, the same answer.
	again := Steps(v, StepOptions{})
	if len(again) != 2 || again[0] != steps[0] || again[1] != steps[1] {
		t.Errorf("%+v, then %+v", steps, again)
	}
}

func TestStepsOfLittle(t *testing.T) {
	for name, v := range map[string][]float64{
		"nothing": nil, "one": {1}, "seven": {1, 1, 1, 1, 9, 9, 9}, "zeros": make([]float64, 30),
		"constant": {5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, "small": {100, 100, 100, 100, 100, 100, 101, 101, 101, 101, 101, 101},
		"infinite": {math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)},
	} {
		if steps := Steps(v, StepOptions{}); len(steps) > 0 {
			t.Errorf("%s: %+v", name, steps)
		}
	}
}

// TestStepsFalseAlarms: series without a step show one in about Alpha of all
// cases (the minimum effect takes most of those away too).
func TestStepsFalseAlarms(t *testing.T) {
	const series = 120
	alarms := 0
	for i := range series {
		random := rand.New(rand.NewPCG(uint64(i), 5))
		if len(Steps(level(nil, random, 40, 100, 0.05), StepOptions{Alpha: 0.05})) > 0 {
			alarms++
		}
	}
	if share := float64(alarms) / series; share > 0.09 {
		t.Errorf("false alarms in %.1f %% of series, want at most 5", 100*share)
	}
}
