package swarm

import (
	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// Dials returns the walks over the dials that phase i of a scenario is to make:
// of its ramp, and of clients that come in place of others; nil where it has
// none. All workers together make what one walk has. The ramp's ends where
// everybody is dialled, which the walk does not know.
func Dials(s *scenario.Scenario, i int) (ramp, churn *plan.Arrivals) {
	spec := &s.Phases[i]
	if r := spec.Ramp; r != nil {
		a := arrivalOf(&r.Arrival)
		if r.Arrival.Kind == scenario.AtOnce {
			a.Burst = max(int(levels(s.Phases[:i+1]))-int(levels(s.Phases[:i])), 1)
		}
		ramp = walk(a, spec, plan.Seed(s.Seed, uint64(i), seedRamp))
	}
	if c := spec.Churn; c != nil {
		churn = walk(arrivalOf(&c.Arrival), spec, plan.Seed(s.Seed, uint64(i), seedChurn))
	}
	return ramp, churn
}
