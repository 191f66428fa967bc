package decay

import (
	"math"
	"time"
)

// ClusterState is a controller's, of all nodes.
type ClusterState uint8

// A cluster's state moves so:
//
//	          placements/s > Multiple x usual, and > Floor
//	Normal ──────────────────────────────────────────────> Storm
//	       <──────────────────────────────────────────────
//	          < Calm x usual for Quiet, or after Longest
const (
	Normal ClusterState = iota
	Storm               // so many connect that weights are the capacities
)

func (s ClusterState) String() string {
	return [...]string{"normal", "storm"}[min(s, Storm)]
}

// learn is how long rates must have been seen before one can be unusual, and the
// most time that one rate stands for.
const learn = time.Minute

// storm recognises that very many connect.
type storm struct {
	set StormSettings
	on  bool

	// Of the rates outside of storms, each by the time that it stands for:
	//
	//	rates <- e^(-dt/Tau) rates + (1 - e^(-dt/Tau)) rate,   ones likewise with 1
	//
	// so that rates/ones is their mean from the first one on, however often one
	// comes.
	rates, ones DecayingSum
	first, seen time.Duration // when the first and the last one was

	last   time.Duration
	began  time.Duration
	busy   time.Duration // when the rate was last above Calm
	normal float64       // the usual rate when the storm began
}

func newStorm(set StormSettings) storm {
	s := storm{set: set}
	s.forget()
	return s
}

// forget makes no rate a usual one.
func (s *storm) forget() {
	s.rates = DecayingSum{lambda: 1 / s.set.Tau.Seconds()}
	s.ones = s.rates
}

// note takes a rate into the mean. Of what was usual before rates were unknown
// for long, nothing is left.
func (s *storm) note(now time.Duration, rate float64) {
	if s.stale(now) {
		s.forget()
	}
	if !s.ones.begun {
		s.first, s.seen = now, now
	}
	by := -math.Expm1(-s.rates.lambda * min(elapsed(s.seen, now), learn.Seconds()))
	s.rates.Add(now, by*rate)
	s.ones.Add(now, by)
	s.seen = now
}

// stale reports that no rate has been known for long.
func (s *storm) stale(now time.Duration) bool {
	return since(s.seen, now)/3 > max(s.set.Tau, learn)
}

// hold keeps what was usual as it is: time does not pass for it.
func (s *storm) hold(now time.Duration) { s.seen, s.rates.last, s.ones.last = now, now, now }

// usual is the mean rate; ok is false if not enough has been seen.
func (s *storm) usual(now time.Duration) (rate float64, ok bool) {
	n := s.ones.At(now)
	if n <= 0 || s.stale(now) {
		return 0, false
	}
	return s.rates.At(now) / n, since(s.first, now) >= learn
}

// update takes the rate of placements in connections a second, and reports
// whether there is a storm. A rate that is NaN, negative or above 1e15 is not
// known: it neither begins a storm nor keeps one up.
func (s *storm) update(now time.Duration, rate float64) bool {
	if s.set.Off {
		return false
	}
	if now < s.last { // the clock was set back: times begin anew
		s.first, s.began, s.busy = now, now, now
		s.hold(now)
	}
	s.last = now
	known := rate >= 0 && rate <= huge
	if !s.on {
		usual, ok := s.usual(now)
		s.began, s.busy, s.normal = now, now, usual
		s.on = known && ok && rate > s.set.Floor && rate > s.set.Multiple*usual
		if known && !s.on {
			s.note(now, rate)
		}
		return s.on
	}
	s.hold(now)
	// Below the floor nothing is a storm, whatever is usual.
	if known && rate > s.set.Floor && rate > s.set.Calm*s.normal {
		s.busy = now
	}
	switch {
	case since(s.began, now) >= s.set.Longest:
		s.on = false
		s.forget()
		if known {
			s.note(now, rate)
		}
	case since(s.busy, now) >= s.set.Quiet:
		s.on = false
	}
	return s.on
}
