package bench

import (
	"math"
	"time"

	"roost/loadgen/result"
)

// useOf is a part of the CPU time that a server used in a phase.
type useOf func(u *result.ServerUse) time.Duration

func cpuOf(u *result.ServerUse) time.Duration     { return u.CPU }
func userOf(u *result.ServerUse) time.Duration    { return u.User }
func systemOf(u *result.ServerUse) time.Duration  { return u.System }
func softirqOf(u *result.ServerUse) time.Duration { return u.Softirq }
func allOf(u *result.ServerUse) time.Duration     { return u.CPU + u.Softirq }

// measured calls f for the phases that something was delivered in and that are
// no warm-up, and returns how much was.
func measured(r *result.Result, f func(p *result.Phase)) (deliveries float64) {
	for i := range r.Phases {
		p := &r.Phases[i]
		if n := delivered(p); !p.Warmup && n > 0 && len(p.Servers) > 0 {
			deliveries += float64(n)
			f(p)
		}
	}
	return deliveries
}

// serverMicros is a server's CPU time in microseconds for each delivery.
func serverMicros(of useOf) func(r *result.Result) float64 {
	return func(r *result.Result) float64 {
		var used time.Duration
		n := measured(r, func(p *result.Phase) { used += of(&p.Servers[0]) })
		return float64(used) / 1e3 / n // NaN where there is nothing
	}
}

// clientMicros is the generator's.
func clientMicros(r *result.Result) float64 {
	var used float64 // seconds
	n := measured(r, func(p *result.Phase) { used += p.Workers.Cores * p.Length.Seconds() })
	return used * 1e6 / n
}

// accepted is how many of a phase's messages the API took over.
func accepted(p *result.Phase) float64 {
	n := p.Tally.Total()
	return float64(n.Sent) - float64(n.Refused) - float64(n.Unknown)
}

// acceptedPerSecond is the rate of that while it was measured.
func acceptedPerSecond(r *result.Result) float64 {
	var n, length float64
	measured(r, func(p *result.Phase) {
		n += accepted(p)
		length += p.Length.Seconds()
	})
	if length == 0 {
		return math.NaN()
	}
	return n / length
}
