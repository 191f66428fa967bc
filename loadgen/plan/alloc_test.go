//go:build !race

package plan

import (
	"testing"
	"time"
)

// TestAllocPlan: walking a plan and looking somebody up costs no allocation.
func TestAllocPlan(t *testing.T) {
	for _, kind := range []string{"constant", "linear", "step", "poisson", "spike", "replay"} {
		a := Arrival{Kind: kind, Rate: 1e5, To: 2e5, Steps: []float64{1e5, 2e5}, At: 1, For: time.Second, Times: []time.Duration{0, 1000}, Loop: true}
		it := NewArrivals(a, time.Hour, 1)
		if n := testing.AllocsPerRun(1000, func() { it.Peek(); it.Next() }); n != 0 {
			t.Errorf("%s: %v allocations for each due time", kind, n)
		}
	}
	p, z, s := NewPermutation(1000, 1), NewZipf(1000, 1.1, 1), NewSizes(128, 4096, 8192, 1)
	g := NewGroups([]float64{.5, .3, .2}, 1)
	topics := make([]uint32, 0, 8)
	k := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		k++
		p.At(k)
		p.Place(uint32(k % 1000))
		z.Topic(k)
		s.At(k)
		g.Of(uint32(k))
		Chosen(uint32(k), .3, 1)
		topics = z.AppendTopics(topics[:0], uint32(k), 8)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
