package decay

import (
	"math"
	"strings"
	"testing"
	"time"
)

// controlled is a controller of n nodes alike, decided once.
func controlled(t testing.TB, n int, set ControlSettings) (*Controller, *Pipeline, []Node) {
	t.Helper()
	only := Settings{Tau: Off}
	only.Signals[CPU].Weight = 1
	p, nodes := even(t, n, only)
	c, err := NewController(p, set)
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Update(0, 100); r.Changed != n {
		t.Fatalf("%d weights changed at first, want %d: all nodes are new", r.Changed, n)
	}
	return c, p, nodes
}

// sampleAll puts a usual sample for all nodes, with the CPU of the first one
// times by.
func sampleAll(p *Pipeline, nodes []Node, now time.Duration, by float64) {
	for i, n := range nodes {
		s := usual(now)
		if i == 0 {
			s.CPU *= by
		}
		p.Put(n, s)
	}
}

// TestNothingMovesNothingPublished: the dead band holds what noise does.
func TestNothingMovesNothingPublished(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{})
	for now := time.Second; now < 10*time.Minute; now += time.Second {
		// 0.2 % of CPU is 4 % of weight, within the band.
		sampleAll(p, nodes, now, 1+0.002*math.Sin(now.Seconds()))
		if r := c.Update(now, 100); r != (Result{}) {
			t.Fatalf("%v: %+v, want nothing", now, r)
		}
	}
	var e Explanation
	if c.Explain(nodes[0], &e); e.Why != InBand || e.New != e.Old {
		t.Errorf("%v, want held within the band", &e)
	}
}

// TestStepsToTheTarget follows one weight down: no step is larger than Step, none
// sooner than CoolDown, others stay, and it ends within Inner of the target.
func TestStepsToTheTarget(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{})
	last, at := c.Weight(nodes[0]), -time.Hour
	states := map[NodeState]bool{}
	for now := time.Second; now < 20*time.Minute; now += time.Second {
		sampleAll(p, nodes, now, 1.04)
		r := c.Update(now, 100)
		states[c.NodeState(nodes[0])] = true
		w := c.Weight(nodes[0])
		if w == last {
			continue
		}
		if r.Changed != 1 {
			t.Fatalf("%d weights changed, want that of the one node", r.Changed)
		}
		if math.Abs(w/last-1) > 0.1+1e-9 || now-at < 30*time.Second {
			t.Fatalf("%v: from %v to %v, %v after the last one", now, last, w, now-at)
		}
		last, at = w, now
	}
	if target := p.Weight(nodes[0]); math.Abs(last/target-1) > 0.02 || target > 0.5 {
		t.Errorf("it ends at %v, want 2 %% within %v", last, target)
	}
	if !states[Following] || c.NodeState(nodes[0]) != Held {
		t.Errorf("states %v, in the end %v: want following, then held", states, c.NodeState(nodes[0]))
	}
}

// TestHysteresis: once it is followed, a weight is followed past Band to Inner.
func TestHysteresis(t *testing.T) {
	set := &PlacementSettings{Band: 0.05, Inner: 0.02, Step: Off}
	n := control{weight: 1}
	for _, c := range []struct {
		smooth, want float64
		cool         bool
		why          Why
	}{
		{1.049, 1, true, InBand},
		{1.051, 1, false, CoolingDown},
		{1.03, 1.03, true, Published}, // it was being followed
		{1.05, 1.03, true, InBand},
		{0.97, 0.97, true, Published},
		{0.96, 0.97, true, InBand},
	} {
		n.smooth = c.smooth
		n.decide(set, c.cool)
		if n.weight != c.want || n.why != c.why {
			t.Fatalf("smoothed %v: %v (%v), want %v (%v)", c.smooth, n.weight, n.why, c.want, c.why)
		}
	}
}

func TestMembersComeAndGo(t *testing.T) {
	c, p, nodes := controlled(t, 3, ControlSettings{})
	n, _ := p.Add(time.Second, "new", 2)
	if c.Weight(n) != 0 || c.LiveWeight(n) != 0 {
		t.Error("a node that no Update has seen has a weight")
	}
	if r := c.Update(time.Second, 100); r.Changed != 1 || c.Weight(n) != 2 || c.LiveWeight(n) != 2 {
		t.Errorf("a join: %+v, weight %v; want it published at once, with its capacity", r, c.Weight(n))
	}
	p.SetCapacity(n, 3)
	if r := c.Update(2*time.Second, 100); r.Changed != 1 || c.Weight(n) != 3 {
		t.Errorf("a new capacity: %+v, weight %v; want 3 at once", r, c.Weight(n))
	}
	p.Remove(nodes[0])
	if r := c.Update(3*time.Second, 100); r.Changed != 1 || c.Weight(nodes[0]) != 0 {
		t.Errorf("a leave: %+v", r)
	}
}

// TestStorm plays the states of the cluster.
func TestStorm(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{})
	now := time.Duration(0)
	play := func(d time.Duration, rate, by float64) (changed int) {
		for end := now + d; now < end; {
			now += time.Second
			sampleAll(p, nodes, now, by)
			changed += c.Update(now, rate).Changed
		}
		return changed
	}
	play(30*time.Second, 100, 1)
	play(time.Second, 2000, 1)
	if c.State() != Normal {
		t.Fatal("a storm although not even a minute has been seen")
	}
	play(10*time.Minute, 100, 1.04)
	if w := c.Weight(nodes[0]); w > 0.6 {
		t.Fatalf("a node above the mean has %v", w)
	}
	play(time.Second, 480, 1.04)
	if c.State() != Normal {
		t.Error("4.8 times the usual rate is a storm")
	}
	if changed := play(time.Second, 600, 1.04); c.State() != Storm || changed == 0 || c.Weight(nodes[0]) != 1 {
		t.Errorf("6 times the usual rate: %v, weight %v; want a storm and the capacity at once", c.State(), c.Weight(nodes[0]))
	}
	var e Explanation
	if c.Explain(nodes[0], &e); e.Why != Stormed || !strings.Contains(e.String(), "capacity: storm") {
		t.Errorf("explained as %v", &e)
	}
	if changed := play(20*time.Second, 600, 1.04) + play(29*time.Second, 150, 1.04); changed != 0 || c.State() != Storm {
		t.Errorf("%d weights changed in the storm; %v", changed, c.State())
	}
	play(2*time.Second, 150, 1.04)
	if c.State() != Normal {
		t.Error("30 s of calm, and it is still a storm")
	}
	play(time.Minute, 100, 1.04)
	play(10*time.Minute, 1000, 1.04)
	if c.State() != Storm {
		t.Error("10 times the usual rate is no storm")
	}
	play(time.Second, 1000, 1.04)
	if c.State() != Normal {
		t.Error("a storm of more than 10 minutes")
	}
	play(5*time.Minute, 1000, 1.04)
	if c.State() != Normal {
		t.Error("what has lasted for 10 minutes is the usual rate")
	}
	play(30*time.Second, math.NaN(), 1)
	play(30*time.Second, math.Inf(1), 1)
	if c.State() != Normal {
		t.Error("a rate that is not known is a storm")
	}
}

// TestFewConnectionsAreNoStorm: below the floor.
func TestFewConnectionsAreNoStorm(t *testing.T) {
	c, _, _ := controlled(t, 3, ControlSettings{})
	for now := time.Second; now < 5*time.Minute; now += time.Second {
		rate := 0.0
		if now > 4*time.Minute {
			rate = 50
		}
		if c.Update(now, rate); c.State() == Storm {
			t.Fatalf("50 connections a second are a storm")
		}
	}
}

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

// TestClockBackInAStorm: it ends after Quiet all the same, and is learned anew.
func TestClockBackInAStorm(t *testing.T) {
	c, _, _ := controlled(t, 20, ControlSettings{})
	now := 3 * time.Hour
	play := func(d time.Duration, rate float64) {
		for end := now + d; now < end; now += time.Second {
			c.Update(now, rate)
		}
	}
	play(2*time.Minute, 100)
	play(10*time.Second, 1000)
	if c.State() != Storm {
		t.Fatal("no storm")
	}
	now -= 2 * time.Hour
	play(20*time.Second, 100)
	if c.State() != Storm {
		t.Error("20 s of calm end a storm")
	}
	play(20*time.Second, 100)
	if c.State() != Normal {
		t.Error("40 s of calm do not end a storm after the clock went back")
	}
}

// TestClockJumps: back or far ahead, nothing is decided too often, and it goes on.
func TestClockJumps(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true}})
	now := 10 * time.Minute
	for _, jump := range []time.Duration{0, -9 * time.Minute, 1000 * time.Hour, -2000 * time.Hour, math.MaxInt64 / 2, -math.MaxInt64 / 2} {
		now += jump
		sampleAll(p, nodes, now, 1.5)
		before := c.Weight(nodes[0])
		r := c.Update(now, 100)
		if jump < 0 && r != (Result{}) {
			t.Errorf("after %v: %+v, want nothing", jump, r)
		}
		if w := c.Weight(nodes[0]); math.Abs(w/before-1) > 0.1+1e-9 || r.Moved > 0.01+1e-12 {
			t.Errorf("after %v: weight from %v to %v, moved %v", jump, before, w, r.Moved)
		}
	}
	for end := now + 20*time.Minute; now < end; now += time.Second {
		sampleAll(p, nodes, now, 1.5)
		c.Update(now, 100)
	}
	if w := c.Weight(nodes[0]); w > 0.3 {
		t.Errorf("after all these jumps and 20 minutes a full node has %v", w)
	}
}

func TestControlSettingsSayWhatIsWrong(t *testing.T) {
	for _, name := range []string{"default", "live", "undamped"} {
		if s, err := ControlPreset(name); err != nil || s.Validate() != nil {
			t.Errorf("preset %s: %v, %v", name, err, s.Validate())
		}
	}
	if _, err := ControlPreset("best"); err == nil {
		t.Error("an unknown preset is known")
	}
	for want, s := range map[string]ControlSettings{
		"alpha is 2":               {Placement: PlacementSettings{Alpha: 2}},
		"inner 0.1 is wider":       {Placement: PlacementSettings{Inner: 0.1}},
		"update is -1s":            {Placement: PlacementSettings{Update: -time.Second}},
		"live budget is 2":         {Live: LiveSettings{Budget: 2}},
		"live gain is NaN":         {Live: LiveSettings{Gain: math.NaN()}},
		"storm calm is 9":          {Storm: StormSettings{Calm: 9}},
		"storm multiple is 0.5":    {Storm: StormSettings{Multiple: 0.5, Calm: 0.1}},
		"cool-down is 2h0m0s":      {Placement: PlacementSettings{CoolDown: 2 * time.Hour}},
		"live band is -2":          {Live: LiveSettings{Band: -2}},
		"storm longest is 1ns":     {Storm: StormSettings{Longest: 1}},
		"placement step is 0.0005": {Placement: PlacementSettings{Step: 0.0005}},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
		p, _ := NewPipeline(Settings{})
		if _, err := NewController(p, s); err == nil {
			t.Errorf("NewController takes settings that Validate refuses: %q", want)
		}
	}
}
