package plan

import (
	"math"
	"slices"
	"testing"
)

func TestSizes(t *testing.T) {
	const n = 100_000
	s := NewSizes(200, 4096, 16384, 5)
	all := make([]int, n)
	for k := range all {
		all[k] = s.At(uint64(k))
	}
	slices.Sort(all)
	if all[0] < MinSize || all[n-1] > 16384 {
		t.Errorf("sizes %d to %d", all[0], all[n-1])
	}
	for _, c := range []struct {
		q    float64
		want float64
	}{{.5, 200}, {.99, 4096}} {
		if got := float64(all[int(c.q*n)]); math.Abs(got/c.want-1) > .06 {
			t.Errorf("quantile %g is %.0f bytes, want %.0f", c.q, got, c.want)
		}
	}
}

func TestSizesFixedAndCut(t *testing.T) {
	for _, c := range []struct{ p50, p99, largest, want int }{
		{128, 0, 0, 128}, {10, 0, 0, MinSize}, {128, 128, 1000, 128}, {500, 600, 200, 200}, {500, 400, 200, 200}, {-1, -1, -1, MinSize}, {100, 200, 1, MinSize},
	} {
		s := NewSizes(c.p50, c.p99, c.largest, 1)
		for k := range uint64(1) {
			if got := s.At(k); got != c.want && c.p99 <= c.p50 || got > max(c.largest, c.p50, MinSize) {
				t.Errorf("%+v: %d", c, got)
			}
		}
	}
}
