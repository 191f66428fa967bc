package decay

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestLiveMovesUnderBudget: a node at twice the load of 19 others is relieved by
// no more than 1 % of connections a minute.
func TestLiveMovesUnderBudget(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true, Update: 20 * time.Second}})
	load, total := 2.0, 0.0
	for now := time.Second; now <= 30*time.Minute; now += time.Second {
		sampleAll(p, nodes, now, load)
		r := c.Update(now, 100)
		if r.Moved > 0.01+1e-12 {
			t.Fatalf("%v: %.2f %% moved at once, the budget is 1 %%", now, 100*r.Moved)
		}
		total += r.Moved
		if total > 0.01*now.Minutes()+1e-9 {
			t.Fatalf("%v: %.2f %% moved until now", now, 100*total)
		}
		sum := 0.0
		for _, n := range nodes {
			sum += c.LiveWeight(n)
		}
		// The load follows the share at once.
		load = 2 * 20 * c.LiveWeight(nodes[0]) / sum
	}
	if math.Abs(load-1) > 0.05 || total == 0 {
		t.Errorf("after half an hour its load is %.2f of the others'", load)
	}
}

// TestLiveHeld: while it is held a weight stays, however long a load is above the mean; the first
// step afterwards is an update later, within the budget.
func TestLiveHeld(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true, Update: 20 * time.Second}})
	until := 10 * time.Minute
	var first time.Duration
	for now := time.Second; now <= until+time.Minute && first == 0; now += time.Second {
		sampleAll(p, nodes, now, 2)
		c.HoldLive(now >= 30*time.Second && now < until)
		if r := c.Update(now, 100); r.Moved == 0 {
			continue
		} else if r.Moved > 0.01+1e-12 {
			t.Errorf("%v: %.2f %% moved at once", now, 100*r.Moved)
		}
		if now >= 30*time.Second {
			first = now
		}
	}
	if want := until - time.Second + 20*time.Second; first != want {
		t.Errorf("the first step was after %v, want %v", first, want)
	}
}

// TestNothingMovesInAStorm: connections that are open stay where they are.
func TestNothingMovesInAStorm(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true}})
	moved := map[ClusterState]float64{}
	for now := time.Second; now < 15*time.Minute; now += time.Second {
		rate := 100.0
		if now > 5*time.Minute && now < 10*time.Minute {
			rate = 1000
		}
		sampleAll(p, nodes, now, 1.5)
		r := c.Update(now, rate)
		moved[r.State] += r.Moved
	}
	if moved[Storm] != 0 || moved[Normal] == 0 {
		t.Errorf("moved in the storm %v, otherwise %v; want nothing and something", moved[Storm], moved[Normal])
	}
}

// TestLiveMovesNearItsBounds: where one of two weights is nearly at its bound,
// moves are not in proportion to the step. What the budget allows is moved all the
// same, until both are there.
func TestLiveMovesNearItsBounds(t *testing.T) {
	for k := range 100 {
		capacity := 0.5 + 0.015*float64(k)
		only := Settings{Tau: Off}
		only.Signals[CPU].Weight = 1
		p, _ := NewPipeline(only)
		a, _ := p.Add(-time.Hour, "a", 1)
		b, _ := p.Add(-time.Hour, "b", capacity)
		c, _ := NewController(p, ControlSettings{Live: LiveSettings{On: true}})
		for now := time.Duration(0); now < 6*time.Hour; now += 20 * time.Second {
			p.Put(a, Sample{At: now, CPU: 90})
			p.Put(b, Sample{At: now, CPU: 40})
			c.Update(now, 100)
		}
		if w, v := c.LiveWeight(a), c.LiveWeight(b); w > 0.2501 || v < 1.9999*capacity {
			t.Errorf("capacity %.3f: 6 h of 90 %% against 40: weights %.4f and %.4f, want 0.25 and %.3f", capacity, w, v, 2*capacity)
		}
	}
}

// TestLiveStepsAreOfNow: decisions about placement may be rare, moves see the
// levels of now: of a load that swings evenly nothing is moved.
func TestLiveStepsAreOfNow(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Placement: PlacementSettings{Update: time.Hour}, Live: LiveSettings{On: true}})
	r := rand.New(rand.NewPCG(1, 1))
	for now := time.Second; now < 58*time.Minute; now += time.Second {
		swing := 1 + 0.5*math.Sin(now.Minutes()/10)
		for _, n := range nodes {
			s := usual(now)
			s.CPU *= swing * (1 + 0.002*r.NormFloat64())
			p.Put(n, s)
		}
		if m := c.Update(now, 100).Moved; m != 0 {
			t.Fatalf("%v: %.2f %% moved, all nodes being alike", now, 100*m)
		}
	}
}

// TestLiveBudgetIsKept: what a step leaves of the budget is there for the next,
// and a step may be as large as the budget, not the half of it.
func TestLiveBudgetIsKept(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true, Step: 0.02, Budget: 0.0005, Burst: 0.002}})
	for now := time.Second; now <= 7*time.Minute; now += time.Second {
		by := 1.0 // five minutes gather the burst
		if now > 5*time.Minute {
			by = 1.5
		}
		sampleAll(p, nodes, now, by)
		// A step of 2 % of a twentieth is 0.1 %: two of them are there.
		if r := c.Update(now, 100); now%time.Minute == 0 && now > 5*time.Minute && math.Abs(r.Moved-0.00095) > 0.00005 {
			t.Errorf("%v: %.4f %% moved, want a step of 0.095", now, 100*r.Moved)
		}
	}
	c, p, nodes = controlled(t, 20, ControlSettings{Live: LiveSettings{On: true, Budget: 0.001, Burst: 0.001}})
	for now := time.Second; now <= 5*time.Minute; now += time.Second {
		sampleAll(p, nodes, now, 1.5)
		if r := c.Update(now, 100); now%time.Minute == 0 && math.Abs(r.Moved-0.001) > 1e-6 {
			t.Errorf("%v: %.4f %% moved, the budget is 0.1", now, 100*r.Moved)
		}
	}
}

// TestLiveStepOff: the gain alone bounds it.
func TestLiveStepOff(t *testing.T) {
	for step, want := range map[float64]float64{Off: 0.5, 0.1: 0.9} {
		c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true, Step: step, Gain: 1, Budget: 1, Burst: 1}})
		sampleAll(p, nodes, time.Minute, 1.5)
		c.Update(time.Minute, 100)
		if w := c.LiveWeight(nodes[0]); math.Abs(w-want) > 0.05 {
			t.Errorf("step %v: a node at 1.5 x the mean has %v, want %v", step, w, want)
		}
	}
}

// TestSetLive: a weight goes on from what was learned before, within its bounds, and stays there without a reason
// to move.
func TestSetLive(t *testing.T) {
	p, err := NewPipeline(Settings{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewController(p, ControlSettings{Live: LiveSettings{On: true}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := p.Add(0, "a", 2)
	if err != nil {
		t.Fatal(err)
	}
	if c.SetLive(n, 1) {
		t.Error("of a node that no Update has seen")
	}
	c.Update(0, math.NaN())
	for _, tt := range []struct{ w, want float64 }{{1.6, 1.6}, {100, 4}, {0.01, 0.5}} {
		if !c.SetLive(n, tt.w) || c.LiveWeight(n) != tt.want {
			t.Errorf("%v: %v, want %v", tt.w, c.LiveWeight(n), tt.want)
		}
		c.Update(time.Hour, math.NaN())
		if c.LiveWeight(n) != tt.want {
			t.Errorf("%v: later %v", tt.w, c.LiveWeight(n))
		}
	}
	if c.SetLive(n, 0) || c.SetLive(n, math.NaN()) || c.SetLive(Node{}, 1) {
		t.Error("what is no weight, or no node")
	}
}
