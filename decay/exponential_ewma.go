package decay

import (
	"fmt"
	"math"
	"time"
)

// DefaultTau is the time constant of an average unless set: 30 s.
const DefaultTau = 30 * time.Second

// EWMA is an exponentially weighted moving average of samples at irregular times:
// a sample dt after the last one moves the value by
//
//	w = e^(-dt/tau)
//	value = w value + (1-w) sample
//
// so that what is old counts by how old it is, not by how many samples came since.
// (The fixed alpha of samples at equal distances d is 1 - e^(-d/tau).) The first
// sample is the value. Of several samples at one instant the first one counts: the
// others come 0 after it. The zero value has a tau of DefaultTau. 32 bytes; it
// belongs to one goroutine.
//
// A sample that is not a number, infinite or larger than 1e300 either way is
// dropped: value and time are held. A time before the last one holds the value and
// is the time that dt is counted from next, so that a clock that has leapt ahead
// and comes back does not stop the average.
type EWMA struct {
	tau   time.Duration // 0 is DefaultTau
	value float64
	last  time.Duration
	begun bool
}

// NewEWMA returns an average without a sample. tau must be positive.
func NewEWMA(tau time.Duration) (EWMA, error) {
	if tau <= 0 {
		return EWMA{}, fmt.Errorf("decay: tau of %v: want more than none", tau)
	}
	return EWMA{tau: tau}, nil
}

// Add takes a sample at time now and reports whether it was a number.
func (a *EWMA) Add(now time.Duration, sample float64) bool {
	if !(math.Abs(sample) <= maxSample) {
		return false
	}
	if !a.begun {
		a.value, a.last, a.begun = sample, now, true
		return true
	}
	// 1-w by Expm1, because dt/tau may be small, 1 ms in 30 s; the two products
	// rather than value + (1-w)(sample-value), which forgets a small sample after
	// a large value.
	dt := a.dt(now)
	a.value = math.Exp(-dt)*a.value - math.Expm1(-dt)*sample
	a.last = now
	return true
}

// dt returns the time since the last sample in units of tau.
func (a *EWMA) dt(now time.Duration) float64 {
	tau := a.tau
	if tau == 0 {
		tau = DefaultTau
	}
	return elapsed(a.last, now) / tau.Seconds()
}

// Value returns the average, 0 before the first sample.
func (a *EWMA) Value() float64 { return a.value }

// Begun reports whether there was a sample.
func (a *EWMA) Begun() bool { return a.begun }

// PeakEWMA is an EWMA that takes a rise at once and decays down: the cost of a node
// whose latency has just jumped is believed at the first sample, its recovery only
// over tau. It is the cost of Finagle's peak-EWMA balancer (there with a tau of 10
// s), for samples of 0 and more, latencies as a rule. A negative sample is dropped
// as one that is not a number is. The zero value has a tau of DefaultTau.
type PeakEWMA struct{ mean EWMA }

// NewPeakEWMA returns a peak average without a sample. tau must be positive.
func NewPeakEWMA(tau time.Duration) (PeakEWMA, error) {
	mean, err := NewEWMA(tau)
	return PeakEWMA{mean}, err
}

// Add takes a sample at time now and reports whether it was a number, 0 or more.
func (p *PeakEWMA) Add(now time.Duration, sample float64) bool {
	if !(sample >= 0 && sample <= maxSample) {
		return false
	}
	if sample > p.mean.value {
		p.mean.value, p.mean.last, p.mean.begun = sample, now, true
		return true
	}
	return p.mean.Add(now, sample)
}

// Value returns the average as of the last sample, 0 before the first.
func (p *PeakEWMA) Value() float64 { return p.mean.value }

// At returns the average at time now, decayed towards 0 since the last sample:
// a node of which nothing is heard is tried again, as Finagle does. It is Value if
// now is before the last sample.
func (p *PeakEWMA) At(now time.Duration) float64 {
	return p.mean.value * math.Exp(-p.mean.dt(now))
}

// Begun reports whether there was a sample.
func (p *PeakEWMA) Begun() bool { return p.mean.begun }
