package swarm

import (
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// TestServerThatAnswersNoUpgrade: what waits for it was held, and is no lag of
// ours.
func TestServerThatAnswersNoUpgrade(t *testing.T) {
	f := newFake(t, &fake{mute: true})
	s := f.plain(20, scenario.Phase{For: 300 * time.Millisecond,
		Ramp: &scenario.Ramp{To: 20, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 100}}})
	s.Clients.Window = 8
	r := newRig(t, s, 2)
	r.begin(0)
	r.await("a full window", func() bool { return r.progress().Dialing == 8 })
	end := r.clock.Now() + int64(300*time.Millisecond)
	r.await("the ramp's end", func() bool { return r.clock.Now() > end })
	r.finish(nil)
	if c := r.sum.Total(); c.Dials != 8 || c.HeldDials != 12 {
		t.Errorf("%+v", c)
	}
}

// TestSlowUpgrades: the lag of a dial is without the wait for the window.
func TestSlowUpgrades(t *testing.T) {
	f := &fake{}
	f.slow = 200 * time.Millisecond
	newFake(t, f)
	s := f.plain(20, ramp(20))
	s.Clients.Window = 4
	r := newRig(t, s, 1)
	c := r.run(0)
	r.await("connections", func() bool { return r.progress().Connected == 20 })
	r.tick()
	c = r.sum.Total()
	// Five times four handshakes.
	if lag, connect := r.sum.Hists[tally.DialLag], r.sum.Hists[tally.Connect]; c.Ready != 20 || c.HeldDials != 0 || connect.Max() < int64(800*time.Millisecond) || lag.Quantile(.5) > int64(200*time.Millisecond) {
		t.Errorf("%+v, lag %d of %d ns", c, lag.Quantile(.5), connect.Max())
	}
}

// TestChurnOfNobody is not due.
func TestChurnOfNobody(t *testing.T) {
	f := newFake(t, &fake{})
	r := newRig(t, f.plain(10, scenario.Phase{For: 200 * time.Millisecond,
		Churn: &scenario.Churn{Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 100}, How: scenario.CloseRST}}), 2)
	if c := r.run(0); c.Dials != 0 || c.HeldDials != 20 {
		t.Errorf("%+v", c)
	}
}
