package live

import (
	"math"
	"time"

	"roost/loadgen/tally"
)

// bounds are the upper bounds of the buckets of a histogram as Prometheus has
// them, in ns: six a decade from 2 us to 60 s, so that a quantile that is
// interpolated in one is off by a quarter at most. Below 2 us a tally.Hist,
// whose steps are 512 ns, tells little.
var bounds = func() (list []int64) {
	for decade := int64(1000); decade < tally.MaxValue; decade *= 10 {
		for _, tenths := range []int64{10, 15, 20, 30, 50, 70} {
			if b := decade / 10 * tenths; b >= 2000 && b < tally.MaxValue {
				list = append(list, b)
			}
		}
	}
	return append(list, tally.MaxValue)
}()

// buckets is a histogram that stays as it is: how many are at most each of
// bounds. Misses are beyond all of them.
type buckets struct {
	upTo  []uint64
	count uint64  // misses included
	sum   float64 // of what came, in seconds
}

// fold returns the buckets of h. A value of the histogram stands for those up to
// 0.1 % or 512 ns below it, so one that is so close below a bound may count in
// the next bucket. It takes 0.5 ms, and 0.6 MB that is garbage at once.
func fold(h *tally.Hist) *buckets {
	b := &buckets{upTo: make([]uint64, len(bounds)), count: h.Count()}
	if mean := h.Mean(); !math.IsNaN(mean) {
		b.sum = mean / float64(time.Second) * float64(b.count-h.Misses)
	}
	i := 0
	h.Each(func(value int64, n uint64) {
		for i < len(bounds)-1 && value > bounds[i] {
			i++
		}
		b.upTo[i] += n
	})
	for i := 1; i < len(b.upTo); i++ {
		b.upTo[i] += b.upTo[i-1]
	}
	return b
}
