package cluster

import (
	"time"

	"roost/ring/zones"
)

func sooner(d time.Duration, pace float64) time.Duration {
	return time.Duration(float64(d) / pace)
}

// Faster returns s, defaults filled in, with the times between changes so many times
// shorter: WeightsEvery, AfterRollback, and those of Zones. What waits for nodes to come or go
// (Quiet, Most, RemoveQuiet, MostGone) stays. s must be valid, pace above 0.
func (s PlanSettings) Faster(pace float64) PlanSettings {
	s = s.WithDefaults()
	s.WeightsEvery, s.AfterRollback = sooner(s.WeightsEvery, pace), sooner(s.AfterRollback, pace)
	if s.Zones.Every == 0 {
		s.Zones.Every = zones.Every
	}
	s.Zones.Every = sooner(s.Zones.Every, pace)
	if slots, err := s.Zones.Slots.Validate(); err == nil {
		s.Zones.Slots = slots
		s.Zones.Slots.Cool = sooner(slots.Cool, pace)
	}
	return s
}

// Faster returns s, defaults filled in, with trials so many times shorter; bounds and
// samples stay. pace is above 0.
func (s TrialSettings) Faster(pace float64) TrialSettings {
	s = s.WithDefaults()
	s.Hold, s.Longest = sooner(s.Hold, pace), sooner(s.Longest, pace)
	return s
}
