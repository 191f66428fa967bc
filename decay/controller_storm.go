package decay

import "time"

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

// learn is how long rates must have been seen before one can be unusual.
const learn = time.Minute

// storm recognises that very many connect.
type storm struct {
	set StormSettings
	on  bool

	// Of the rates outside of storms: their decaying sum over that of as many
	// ones is their mean, from the first one on.
	rates, ones DecayingSum
	first       time.Duration // when the first one was

	last  time.Duration
	began time.Duration
	busy  time.Duration // when the rate was last above Calm
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

// note takes a rate into the mean.
func (s *storm) note(now time.Duration, rate float64) {
	if !s.ones.begun {
		s.first = now
	}
	s.rates.Add(now, rate)
	s.ones.Add(now, 1)
}

// usual is the mean rate; ok is false if not enough has been seen.
func (s *storm) usual(now time.Duration) (rate float64, ok bool) {
	n := s.ones.At(now)
	if n <= 0 {
		return 0, false
	}
	return s.rates.At(now) / n, now-s.first >= learn
}

// update takes the rate of placements in connections a second, and reports
// whether there is a storm. A rate that is NaN, negative or above 1e15 is not
// known: it neither begins a storm nor keeps one up.
func (s *storm) update(now time.Duration, rate float64) bool {
	if s.set.Off {
		return false
	}
	if now < s.last { // the clock was set back: times of a storm begin anew
		s.first, s.began, s.busy = now, now, now
	}
	s.last = now
	known := rate >= 0 && rate <= huge
	usual, ok := s.usual(now)
	if !s.on {
		s.began, s.busy = now, now
		s.on = known && ok && rate > s.set.Floor && rate > s.set.Multiple*usual
		if known && !s.on {
			s.note(now, rate)
		}
		return s.on
	}
	// Below the floor nothing is a storm, whatever is usual.
	if known && rate > s.set.Floor && rate > s.set.Calm*usual {
		s.busy = now
	}
	switch {
	case now-s.began >= s.set.Longest:
		s.on = false
		s.forget()
		if known {
			s.note(now, rate)
		}
	case now-s.busy >= s.set.Quiet:
		s.on = false
	}
	return s.on
}
