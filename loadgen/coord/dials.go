package coord

import (
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
)

// dialPlan counts the dials that a phase was to make. Where due times are random
// it walks those that the workers walk: a mean of 500 has a standard deviation of
// 22, and who makes the 478 that his plan has must not be 4 % short.
type dialPlan struct {
	ramp, churn counted
}

func newDialPlan(s *scenario.Scenario, i int) (d dialPlan) {
	spec := &s.Phases[i]
	ramp, churn := swarm.Dials(s, i)
	if r := spec.Ramp; r != nil {
		d.ramp = counted{&r.Arrival, spec.For, ramp, 0}
	}
	if c := spec.Churn; c != nil {
		d.churn = counted{&c.Arrival, spec.For, churn, 0}
	}
	return d
}

// counted is how many events of one plan are due. The zero counted has none.
type counted struct {
	arrival *scenario.Arrival
	length  time.Duration // of the phase; 0: it ends by a condition
	walk    *plan.Arrivals
	n       uint64 // walked
}

// until returns how many are due before t, at most so many. The walk only goes
// forward: t must not go back.
func (c *counted) until(t time.Duration, most float64) float64 {
	if c.arrival == nil {
		return 0
	}
	if c.arrival.Kind != scenario.Poisson {
		return min(c.arrival.Planned(t, c.length), most)
	}
	for float64(c.n) < most {
		if due, ok := c.walk.Peek(); !ok || due >= t {
			break
		}
		c.walk.Next()
		c.n++
	}
	return float64(c.n)
}
