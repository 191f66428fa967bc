package decaysim

import (
	"math"
	"math/rand/v2"
	"time"
)

// load is the load of the replay: Poisson arrivals at a base rate, and at
// Factor times that in bursts of one length at equal distances.
type load struct {
	Rate        float64       `json:"rate"`         // base, requests/s
	Requests    int           `json:"requests"`     // that are measured
	Factor      float64       `json:"burst_factor"` // of the base rate; 1 is none
	Burst       time.Duration `json:"burst"`
	Every       time.Duration `json:"every"`      // from begin to begin; the first one comes half of it after WarmUp
	WarmUp      time.Duration `json:"warm_up"`    // of base load before, not measured
	Places      int           `json:"places"`     // of the server
	Service     time.Duration `json:"service"`    // mean of a request
	ServiceSD   float64       `json:"service_sd"` // of the logarithm of a service time
	Seed        uint64        `json:"seed"`
	TargetShare float64       `json:"target_share"` // of the capacity, that the limiter lets in
	Hard        bool          `json:"hard_limit"`   // the limiter models what it lets in, and lets in while that is under the target
}

// trace is one load drawn out: the same for every model.
type trace struct {
	load    load
	arrival []time.Duration // ascending
	service []time.Duration // of each
	first   int             // the first request that is measured
}

// inBurst returns the burst that t lies in, or -1.
func (l load) inBurst(t time.Duration) int {
	if l.Factor == 1 || t < l.WarmUp {
		return -1
	}
	since := t - l.WarmUp - l.Every/2
	if since < 0 || since%l.Every >= l.Burst {
		return -1
	}
	return int(since / l.Every)
}

// burstSince reports whether there was a burst in the time before t.
func (l load) burstSince(t, before time.Duration) bool {
	if l.inBurst(t) >= 0 {
		return true
	}
	since := t - l.WarmUp - l.Every/2
	return l.Factor != 1 && since >= 0 && since%l.Every < l.Burst+before
}

// calm returns how much of the time from the end of the warm-up to t lies neither
// in a burst nor within a time after one.
func (l load) calm(t, after time.Duration) time.Duration {
	calm := t - l.WarmUp
	if l.Factor == 1 {
		return calm
	}
	for i := 0; l.burst(i) < t; i++ {
		calm -= min(l.Burst+after, l.Every, t-l.burst(i))
	}
	return calm
}

// burst returns when burst i begins.
func (l load) burst(i int) time.Duration {
	return l.WarmUp + l.Every/2 + time.Duration(i)*l.Every
}

// rateAt returns the rate of arrivals at t.
func (l load) rateAt(t time.Duration) float64 {
	if l.inBurst(t) >= 0 {
		return l.Rate * l.Factor
	}
	return l.Rate
}

// capacity is how many requests/s the server can finish.
func (l load) capacity() float64 { return float64(l.Places) / l.Service.Seconds() }

// target is how many requests/s the limiter lets in.
func (l load) target() float64 { return l.TargetShare * l.capacity() }

// draw draws the load out. Arrivals in time that changes its rate are arrivals at
// the highest rate, of which each is kept with the share that its instant has of
// it (thinning).
func (l load) draw() *trace {
	rng := rand.New(rand.NewPCG(l.Seed, 0xdeca7))
	x := &trace{load: l, first: -1}
	highest := l.Rate * max(l.Factor, 1)
	// The mean of a log-normal time is its median x e^(sd^2/2).
	median := float64(l.Service) * math.Exp(-l.ServiceSD*l.ServiceSD/2)
	var now float64
	for x.first < 0 || len(x.arrival)-x.first < l.Requests {
		now += rng.ExpFloat64() / highest
		at := time.Duration(now * 1e9)
		if rng.Float64()*highest >= l.rateAt(at) {
			continue
		}
		if x.first < 0 && at >= l.WarmUp {
			x.first = len(x.arrival)
		}
		x.arrival = append(x.arrival, at)
		x.service = append(x.service, time.Duration(median*math.Exp(l.ServiceSD*rng.NormFloat64())))
	}
	return x
}
