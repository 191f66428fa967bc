package plan

import "math"

// MinSize is the smallest payload in bytes: a stamp has to fit.
const MinSize = 64

// Sizes picks the sizes of payloads.
type Sizes struct {
	seed      uint64
	mu, sigma float64 // of the logarithm
	max       int     // 0: all are as large as fixed
	fixed     int
}

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// NewSizes picks from a log-normal distribution with the given median and 99th
// percentile, in bytes, cut to MinSize..largest. With largest 0, or a
// percentile that is not above the median, all payloads have p50.
func NewSizes(p50, p99, largest int, seed uint64) Sizes {
	p50 = max(p50, MinSize)
	if largest <= 0 || p99 <= p50 {
		if largest > 0 {
			p50 = min(p50, max(largest, MinSize))
		}
		return Sizes{fixed: p50}
	}
	mu := math.Log(float64(p50))
	return Sizes{seed: finalise(seed), mu: mu, sigma: (math.Log(float64(p99)) - mu) / z99, max: max(largest, MinSize)}
}

// At returns the size of payload k in bytes.
func (s *Sizes) At(k uint64) int {
	if s.max == 0 {
		return s.fixed
	}
	z := math.Sqrt2 * math.Erfinv(2*unit(mix(s.seed, k))-1) // -Inf at 0: the smallest
	return int(min(max(math.Round(math.Exp(s.mu+s.sigma*z)), MinSize), float64(s.max)))
}
