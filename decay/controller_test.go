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

// TestClockBackDelaysAStep: a step that moves is Update after it.
func TestClockBackDelaysAStep(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true, Burst: 0.1}})
	c.Update(3*time.Hour, 100)
	for now := time.Hour; now <= time.Hour+time.Minute; now += time.Second {
		sampleAll(p, nodes, now, 1.5)
		if r := c.Update(now, 100); (r.Moved > 0) != (now == time.Hour+time.Minute) {
			t.Fatalf("%v after the clock went back: %v moved", now-time.Hour, r.Moved)
		}
	}
}

// TestFirstDecisionIsAtOnce: there was no publication to cool down from.
func TestFirstDecisionIsAtOnce(t *testing.T) {
	p, nodes := even(t, 20, Settings{Tau: Off})
	c, _ := NewController(p, ControlSettings{Placement: PlacementSettings{CoolDown: time.Hour}})
	sampleAll(p, nodes, time.Second, 2)
	c.Update(time.Second, 100)
	if w := c.Weight(nodes[0]); w != 0.9 {
		t.Errorf("a full node has %v after the first update, want a step", w)
	}
}

// TestChangedIsTheNumberOfNodes: one that joins and is decided about is one; one
// that is removed and one that takes its slot are two.
func TestChangedIsTheNumberOfNodes(t *testing.T) {
	p, nodes := even(t, 4, Settings{Tau: Off})
	for i, n := range nodes {
		s := usual(time.Second)
		s.CPU, s.Connections = 20+20*float64(i), 10_000*float64(i)
		p.Put(n, s)
	}
	c, _ := NewController(p, ControlSettings{Live: LiveSettings{On: true}})
	if r := c.Update(2*time.Second, 10); r.Changed != 4 || r.LiveChanged != 4 {
		t.Errorf("four nodes join: %+v", r)
	}
	p.Remove(nodes[0])
	n, _ := p.Add(3*time.Second, "again", 1)
	if r := c.Update(3*time.Second, 10); n.slot != nodes[0].slot || r.Changed != 2 || r.LiveChanged != 2 {
		t.Errorf("one leaves, one joins: %+v", r)
	}
	placement, live := c.Changed(n)
	if other, _ := c.Changed(nodes[1]); !placement || !live || other {
		t.Errorf("changed: the new one %v and %v, another %v", placement, live, other)
	}
	p.Remove(nodes[1])
	p.Remove(nodes[2])
	if r := c.Update(4*time.Second, 10); r.Changed != 2 || r.LiveChanged != 2 {
		t.Errorf("two leave: %+v", r)
	}
	if a, b := c.Changed(nodes[0]); a || b {
		t.Error("a removed node has changed")
	}
}

// TestNewCapacityScalesWhatIsSmoothed: the target is not approached anew.
func TestNewCapacityScalesWhatIsSmoothed(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{})
	p.SetCapacity(nodes[0], 2)
	for now := time.Second; now < time.Minute; now += time.Second {
		sampleAll(p, nodes, now, 1)
		c.Update(now, 100)
		var e Explanation
		if c.Explain(nodes[0], &e); math.Abs(e.Smooth-2) > 1e-9 || e.New != 2 {
			t.Fatalf("%v: smoothed %v, published %v, want 2: %v", now, e.Smooth, e.New, &e)
		}
	}
}

func TestOneControllerAPipeline(t *testing.T) {
	_, p, _ := controlled(t, 3, ControlSettings{})
	if _, err := NewController(p, ControlSettings{}); err != ErrTaken {
		t.Errorf("a second controller: %v, want ErrTaken", err)
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
