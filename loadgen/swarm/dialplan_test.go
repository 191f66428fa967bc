package swarm

import (
	"testing"
	"time"

	"roost/loadgen/scenario"
)

// TestChurnMakesItsWalk: with random due times two workers together end and dial
// as many as the walk has, whatever its mean.
func TestChurnMakesItsWalk(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(40, ramp(40), upheaval(func(p *scenario.Phase) {
		p.Churn = &scenario.Churn{Arrival: scenario.Arrival{Kind: scenario.Poisson, Rate: 200}, How: scenario.CloseRST}
	}))
	walked, mean := uint64(0), uint64(s.Phases[1].For*200/time.Second)
	for s.Seed = 1; walked == 0 || walked == mean; s.Seed++ { // one that tells them apart
		walked = 0
		for _, churn := Dials(s, 1); ; walked++ {
			if _, ok := churn.Next(); !ok {
				break
			}
		}
	}
	s.Seed--
	r := newRig(t, s, 2)
	r.run(0)
	r.begin(1)
	r.await("churn", func() bool { p := r.progress(); return p.PlanDone && p.Connected == 40 })
	r.finish(nil)
	if c := r.sum.Total(); c.Ended != walked || c.Dials != 40+walked {
		t.Errorf("ended %d, dialled %d after 40, planned %d", c.Ended, c.Dials-40, walked)
	}
}
