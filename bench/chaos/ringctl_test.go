package chaos

import (
	"math"
	"testing"
	"time"

	"roost/bench/chaos/fleet"
	"roost/bench/chaos/rig"
)

// TestReadsRoostctl: what scenarios read of what roostctl says.
func TestReadsRoostctl(t *testing.T) {
	said := "ring 1 -> 2 at activation 14: n1 at weight 0.5\nmoved       13.3926 % of all ids, 272 of 2000 devices\nminimum     13.3926 %, for the shares that the nodes get\n"
	if n, ok := plannedMoves(said); !ok || n != 272 {
		t.Errorf("planned: %v, %v", n, ok)
	}
	if n, ok := plannedMoves("ring 1, activation 14: nothing is to be done\n"); ok {
		t.Errorf("nothing is planned: %v", n)
	}
	x := &trial{}
	if s := x.sigma("  b  2  9827\nsigma of slots/target 0.768 -> 0.000; 3273 slots move between zones, at least 3273 must\n"); s != 0.768 {
		t.Errorf("sigma is %v", s)
	}
}

// TestPace: times of a scenario, by its own pace or the one that is asked for; those that wait for nothing
// of the kind are at 1.
func TestPace(t *testing.T) {
	for _, row := range []struct {
		own, asked, want float64
	}{{0, 0, 1}, {0, 5, 1}, {10, 0, 10}, {10, 1, 1}, {10, 2, 2}} {
		x := &trial{s: &Scenario{Pace: row.own}, o: &Options{Pace: row.asked}}
		if got := x.s.pace(x.o); got != row.want || x.paced(time.Minute) != time.Duration(float64(time.Minute)/row.want) {
			t.Errorf("own %v, asked for %v: %v, want %v", row.own, row.asked, got, row.want)
		}
	}
}

// TestCourse: how weights and loads went.
func TestCourse(t *testing.T) {
	were := map[string]float64{"n1": 10_000, "n2": 10_000, "gone": 5000}
	if off := mostOff(were, map[string]rig.Weight{"n1": {Value: 8100}, "n2": {Value: 10_500}, "new": {Value: 1}}); math.Abs(off-0.19) > 1e-9 {
		t.Errorf("off by %v", off)
	}
	c := course{seen: []seenLoad{{at: 1, over: 1}, {at: 2, over: 2}, {at: 3, over: 6}}}
	over := func(s *seenLoad) float64 { return s.over }
	if a, b, none := c.mean(1, 3, over), c.mean(2, 4, over), c.mean(9, 10, over); a != 1.5 || b != 4 || none != 0 {
		t.Errorf("means %v, %v, %v", a, b, none)
	}
	if n := differ([]fleet.At{{Node: "a"}, {Node: "b"}}, []fleet.At{{Node: "a"}, {Node: "a"}}); n != 1 {
		t.Errorf("%d differ", n)
	}
}
