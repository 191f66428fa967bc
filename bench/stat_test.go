package bench

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"roost/bench/stats"
)

// TestRatiosCancelTheMachine: when a round is slower for all, ratios do not see
// it, while medians do.
func TestRatiosCancelTheMachine(t *testing.T) {
	speed := []float64{1, 1.3, 0.8}
	var mine, floor []float64
	for _, s := range speed {
		mine, floor = append(mine, 12*s), append(floor, 6*s)
	}
	got := stats.Summarize(ratios(mine, floor))
	if math.Abs(got.Median-2) > 1e-9 || math.Abs(got.Max-got.Min) > 1e-9 {
		t.Errorf("%+v, want 2 in every round", got)
	}
	// A round in which one of the two does not count has no ratio.
	nan := math.NaN()
	r := ratios([]float64{4, nan, 8, 5}, []float64{2, 2, nan, 0})
	if r[0] != 2 || !math.IsNaN(r[1]) || !math.IsNaN(r[2]) || !math.IsNaN(r[3]) {
		t.Errorf("%v", r)
	}
	if r := ratios([]float64{1, 2}, nil); !math.IsNaN(r[0]) || !math.IsNaN(r[1]) {
		t.Errorf("without a floor: %v", r)
	}
}

func TestOrderRunsEachOnceAndRotates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		round := rapid.IntRange(0, 50).Draw(t, "round")
		order := runOrder(n, round)
		slices.Sort(order)
		for i, v := range order {
			if v != i {
				t.Fatalf("%d subjects, round %d: %v is not each once", n, round, order)
			}
		}
	})
	if a, b := runOrder(11, 0), runOrder(11, 1); a[0] == b[0] {
		t.Errorf("rounds 0 and 1 both begin with %d", a[0])
	}
}
