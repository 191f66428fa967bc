package decay

import (
	"math"
	"strings"
	"testing"
	"time"
)

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
	play(time.Minute, 100)
	if play(time.Second, 1000); c.State() != Storm {
		t.Error("a minute after the clock went back no storm is seen")
	}
}

// rates plays the same rate each step from *now on for d, and says whether it
// ends in a storm.
func rates(s *storm, now *time.Duration, d, step time.Duration, rate float64) (on bool) {
	for end := *now + d; *now < end; *now += step {
		on = s.update(*now, rate)
	}
	return on
}

func aStorm() *storm {
	s := newStorm(ControlSettings{}.WithDefaults().Storm)
	return &s
}

// TestUsualRateIsByTime: not by how often Update is called.
func TestUsualRateIsByTime(t *testing.T) {
	s, now := aStorm(), time.Duration(0)
	rates(s, &now, 10*time.Minute, time.Second, 100)
	for range 5000 {
		s.update(now, 300)
	}
	if u, ok := s.usual(now); !ok || math.Abs(u-100) > 1 {
		t.Errorf("5,000 calls at one instant make %v usual, want 100", u)
	}
	rates(s, &now, 10*time.Minute, 100*time.Millisecond, 200)
	fast, _ := s.usual(now)
	s, now = aStorm(), 0
	rates(s, &now, 10*time.Minute, time.Second, 100)
	rates(s, &now, 10*time.Minute, 10*time.Second, 200)
	if slow, _ := s.usual(now); math.Abs(slow-fast) > 1 || fast < 150 || fast > 180 {
		t.Errorf("the usual rate is %v at ten calls a second and %v at one in ten", fast, slow)
	}
}

// TestUsualRateIsForgotten: after rates have been unknown for days, one sample is
// no mean; a minute must have been seen again.
func TestUsualRateIsForgotten(t *testing.T) {
	for _, gap := range []time.Duration{time.Hour, 6 * 24 * time.Hour} {
		s, now := aStorm(), time.Duration(0)
		rates(s, &now, 5*time.Minute, time.Second, 20)
		rates(s, &now, gap, time.Minute, math.NaN())
		if rates(s, &now, time.Second, time.Second, 10) || rates(s, &now, 50*time.Second, time.Second, 100) {
			t.Errorf("%v of unknown rates, a second of 10 and 100 is a storm", gap)
		}
		if rates(s, &now, time.Minute, time.Second, 100) || !rates(s, &now, time.Second, time.Second, 1000) {
			t.Error("it is not learned anew")
		}
	}
	s, now := aStorm(), time.Duration(0)
	rates(s, &now, 5*time.Minute, time.Second, 20)
	rates(s, &now, 10*time.Minute, time.Minute, math.NaN())
	s.update(now, 40)
	if u, _ := s.usual(now); u > 30 {
		t.Errorf("one rate of 40 after ten minutes of unknown ones makes %v usual: it stands for a minute, not for ten", u)
	}
	if !rates(s, &now, time.Second, time.Second, 200) {
		t.Error("ten minutes of unknown rates, and what was usual is forgotten")
	}
}

// TestStormDoesNotCount: what comes in a storm is not usual, and below Floor
// nothing keeps it up.
func TestStormDoesNotCount(t *testing.T) {
	s, now := aStorm(), time.Duration(0)
	rates(s, &now, 5*time.Minute, time.Second, 20)
	before, _ := s.usual(now)
	if !rates(s, &now, 5*time.Minute, time.Second, 1000) {
		t.Fatal("no storm")
	}
	if u, _ := s.usual(now); math.Abs(u-before) > 1e-9 {
		t.Errorf("after 5 minutes of storm %v is usual, before it was %v", u, before)
	}
	s.set.Tau = time.Minute
	rates(s, &now, 4*time.Minute, time.Second, 1000)
	// 45 is more than Calm x 20, and less than Floor.
	if rates(s, &now, 40*time.Second, time.Second, 45) {
		t.Error("45 a second keep a storm up: the floor is 50")
	}
	if !rates(s, &now, time.Second, time.Second, 1000) {
		t.Error("after nine minutes of storm nothing is usual: time should not have passed for it")
	}
}

// TestStormPublishes: the cool-down counts from it, and nothing is being followed
// after it.
func TestStormPublishes(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Storm: StormSettings{Quiet: time.Second}})
	now := time.Duration(0)
	update := func(rate float64) Result {
		now += time.Second
		sampleAll(p, nodes, now, 1.5)
		return c.Update(now, rate)
	}
	for now < 2*time.Minute {
		update(100)
	}
	if c.NodeState(nodes[0]) != Following {
		t.Fatal("a full node is not followed")
	}
	if update(1000); c.NodeState(nodes[0]) != Held || c.Weight(nodes[0]) != 1 {
		t.Errorf("in a storm: %v with %v, want held with 1", c.NodeState(nodes[0]), c.Weight(nodes[0]))
	}
	for stormed := now; now < stormed+29*time.Second; {
		if r := update(100); r.Changed != 0 {
			t.Fatalf("%v after the storm's publication: %+v", now-stormed, r)
		}
	}
	update(100)
	update(100)
	if update(100); c.Weight(nodes[0]) != 0.9 {
		t.Errorf("half a minute later it has %v, want a step", c.Weight(nodes[0]))
	}
}

// TestTimesFarApart: from the earliest Duration to the latest.
func TestTimesFarApart(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{Live: LiveSettings{On: true}})
	sampleAll(p, nodes, math.MinInt64, 1)
	c.Update(math.MinInt64, 100)
	for now := time.Duration(math.MaxInt64 - time.Hour); now < math.MaxInt64-time.Minute; now += time.Second {
		sampleAll(p, nodes, now, 1.5)
		c.Update(now, 100)
	}
	if w, live := c.Weight(nodes[0]), c.LiveWeight(nodes[0]); w > 0.3 || live > 0.8 {
		t.Errorf("an hour of a full node after all of time: weights %v and %v", w, live)
	}
	q, _ := NewPipeline(Settings{})
	n, _ := q.Add(math.MinInt64, "old", 1)
	q.Put(n, usual(math.MinInt64))
	if q.Step(math.MaxInt64); q.Status(n) != Expired {
		t.Errorf("a sample of 584 years ago is %v", q.Status(n))
	}
	s := aStorm()
	s.update(-math.MaxInt64/2-10, 100)
	now := time.Duration(math.MaxInt64 / 2)
	rates(s, &now, 2*time.Minute, time.Second, 100)
	if !rates(s, &now, time.Second, time.Second, 1000) {
		t.Error("no storm is seen after a leap of more than a Duration")
	}
}
