package stats

import (
	"math"
	"testing"
)

func TestSummarizeIsMedianAndRange(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{nan}, Spread{}},
		{[]float64{5}, Spread{5, 5, 5, 1}},
		{[]float64{3, 1, 2}, Spread{2, 1, 3, 3}},
		{[]float64{4, 1, 2, 3}, Spread{2.5, 1, 4, 4}},
		{[]float64{nan, 9, 7}, Spread{8, 7, 9, 2}},
	} {
		if got := Summarize(c.in); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.in, got, c.want)
		}
	}
}
