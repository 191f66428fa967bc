package measure

import (
	"fmt"
	"math"

	"roost/bench/ringpeers/internal/subject"
)

// Goal is something that was to be reached, beside what was measured.
type Goal struct {
	Name string
	Most float64 // the goal, in Unit
	Unit string
	Got  Spread
	Met  bool // Got's median is at most Most

	// A goal in time was set on another CPU, whose floor is known. Floor is this
	// run's. Ratios are to the floors; 0 where there is none.
	OtherFloor float64
	Floor      float64
	MostRatio  float64
	GotRatio   Spread
	MetByRatio bool

	decimals int
}

// lookupGoals are the goals for a lookup with its hash, and the floors of the
// CPU that they were set on (AMD, Zen 4).
var lookupGoals = []struct {
	nodes       int
	most, floor float64 // ns
}{{16, 2.6, 1.8}, {256, 2.8, 1.8}, {1024, 3.5, 2.4}}

// publishGoals are the goals for a change of one node, published.
var publishGoals = []struct {
	nodes int
	most  float64 // us
}{{16, 30}, {256, 50}, {1024, 120}}

// copyFloor is how long the copy of a 512 KiB table took on that CPU, in us.
const copyFloor = 17

// goals compares the run with the goals. Those whose part was not run are left
// out.
func (r *Result) goals() (all []Goal) {
	for _, g := range lookupGoals {
		for _, lane := range []string{subject.LaneHeld, subject.LaneLookup, subject.LaneHeld16, subject.Lane16} {
			all = append(all, r.lookupGoal(lane, g.nodes, g.most, g.floor))
		}
	}
	for _, g := range lookupGoals {
		all = append(all, r.twoThreads(g.nodes), r.allocations(g.nodes))
	}
	for _, g := range publishGoals {
		all = append(all, r.publishGoal(g.nodes, g.most))
	}
	all = append(all,
		r.buildGoal("full build without calibration", "roost, not calibrated", 4),
		r.buildGoal("full build, calibrated", "roost", 35), r.hotMemory())
	for _, n := range r.Options.Nodes {
		all = append(all, r.tableGoal(n, "roost", subject.PointsPerUnit, 1.05), r.tableGoal(n, "roost x 640", 640, 1.02))
	}
	all = append(all, r.collateral())
	for _, n := range r.Options.Nodes {
		all = append(all, r.reweightGoals(n, subject.PointsPerUnit, 60)...)
		all = append(all, r.reweightGoals(n, 640, 35)...)
	}
	all = append(all, r.unlike())
	measured := all[:0]
	for _, g := range all {
		if g.Got.N > 0 {
			g.Met = g.Got.Median <= g.Most
			g.MetByRatio = g.GotRatio.N > 0 && g.GotRatio.Median <= g.MostRatio
			measured = append(measured, g)
		}
	}
	return measured
}

func (r *Result) lookup(lane string, nodes, points int, mode Mode) *LookupRow {
	for i := range r.Lookups {
		if l := &r.Lookups[i]; l.Lane == lane && l.Nodes == nodes && l.Points == points && l.Mode == mode {
			return l
		}
	}
	return &LookupRow{}
}

func (r *Result) timesOf(name string, nodes int, what string) *TimeRow {
	for i := range r.Times {
		if t := &r.Times[i]; t.Subject == name && t.Nodes == nodes && t.What == what {
			return t
		}
	}
	return &TimeRow{}
}

func (r *Result) lookupGoal(lane string, nodes int, most, otherFloor float64) Goal {
	got := r.lookup(lane, nodes, subject.PointsPerUnit, ModeOne).medians()
	floor := r.lookup(subject.FloorFold, nodes, 0, ModeOne).medians()
	return Goal{
		Name: fmt.Sprintf("lookup, %d nodes: %s", nodes, lane), Most: most, Unit: "ns", decimals: 2,
		Got: summarize(got), GotRatio: summarize(ratios(got, floor)), Floor: summarize(floor).Median,
		OtherFloor: otherFloor, MostRatio: most / otherFloor,
	}
}

func (r *Result) twoThreads(nodes int) Goal {
	one := r.lookup(subject.LaneHeld, nodes, subject.PointsPerUnit, ModeOne).medians()
	two := r.lookup(subject.LaneHeld, nodes, subject.PointsPerUnit, ModeTwo).medians()
	return Goal{Name: fmt.Sprintf("two threads over one, %d nodes: %s", nodes, subject.LaneHeld), Most: 1.10, Unit: "x", decimals: 2, Got: summarize(ratios(two, one))}
}

func (r *Result) allocations(nodes int) Goal {
	g := Goal{Name: fmt.Sprintf("allocations of a lookup, %d nodes", nodes), Unit: "", decimals: 2}
	if row := r.lookup(subject.LaneHeld, nodes, subject.PointsPerUnit, ModeOne); row.Allocs != nil {
		g.Got = Spread{Median: *row.Allocs, N: 1}
	}
	return g
}

func (r *Result) publishGoal(nodes int, most float64) Goal {
	got := r.timesOf("roost", nodes, TimeChange).medians()
	floor := r.timesOf(FloorCopy, nodes, TimeChange).medians()
	g := Goal{
		Name: fmt.Sprintf("weight of one node changed and published, %d nodes", nodes), Most: most, Unit: "us", decimals: 1,
		Got: summarize(got), GotRatio: summarize(ratios(got, floor)), Floor: summarize(floor).Median,
	}
	if nodes == 1024 { // the floor is known for the table that this size has
		g.OtherFloor, g.MostRatio = copyFloor, most/copyFloor
	}
	return g
}

func (r *Result) buildGoal(what, name string, most float64) Goal {
	got := r.timesOf(name, 1024, TimeBuild).medians()
	for i := range got {
		got[i] /= 1e3
	}
	return Goal{Name: what + ", 1024 nodes", Most: most, Unit: "ms", decimals: 2, Got: summarize(got)}
}

func (r *Result) hotMemory() Goal {
	g := Goal{Name: "hot memory, the largest", Most: 512, Unit: "KiB"}
	for _, m := range r.Memory {
		if m.Hot > 0 {
			g.Got = Spread{Median: max(g.Got.Median, float64(m.Hot)/1024), N: 1}
		}
	}
	return g
}

func (r *Result) tableGoal(nodes int, name string, points int, most float64) Goal {
	g := Goal{Name: fmt.Sprintf("exact table max/avg, %d nodes x %d", nodes, points), Most: most, decimals: 4}
	for _, b := range r.Balance {
		if b.Subject == name && b.Nodes == nodes {
			g.Got = Spread{Median: b.TableMax, N: 1}
		}
	}
	return g
}

// collateral adds up all that moved between two nodes that had not changed.
func (r *Result) collateral() Goal {
	g := Goal{Name: "collateral, all changes of roost's rings in this run", Unit: "slots and keys"}
	for _, row := range r.Reweights {
		g.Got.Median += float64(row.Collateral)
		g.Got.N = 1
	}
	for _, b := range r.Balance {
		if len(b.Subject) < 5 || b.Subject[:5] != "roost" {
			continue
		}
		for _, m := range b.Moves {
			g.Got.Median += math.Round(m.Collateral * float64(b.Keys*m.Nodes))
			g.Got.N = 1
		}
	}
	return g
}

// reweightGoals are those of rings of one size, for a weight that goes up or
// down, whichever is worse: the mean move, and the move of one node.
func (r *Result) reweightGoals(nodes, points int, worstNode float64) []Goal {
	mean := Goal{Name: fmt.Sprintf("weight +-10 %%, mean move off the ideal, %d nodes x %d", nodes, points), Most: 5, Unit: "%", decimals: 2}
	worst := Goal{Name: fmt.Sprintf("weight +-10 %%, the worst node, %d nodes x %d", nodes, points), Most: worstNode, Unit: "%", decimals: 1}
	for i := range r.Reweights {
		if row := &r.Reweights[i]; row.Nodes == nodes && row.Points == points {
			mean.Got = Spread{Median: max(mean.Got.Median, math.Abs(100*row.MeanOff())), N: 1}
			worst.Got = Spread{Median: max(worst.Got.Median, 100*row.WorstOff()), N: 1}
		}
	}
	return []Goal{mean, worst}
}

// unlike counts the changes whose moves are not the change of the share.
func (r *Result) unlike() Goal {
	g := Goal{Name: "weight +-10 %: changes whose move is not the change of the node's share"}
	changes := 0
	for _, row := range r.Reweights {
		changes += len(row.Moved)
		g.Got = Spread{Median: g.Got.Median + float64(row.Unlike), N: 1}
	}
	g.Unit = fmt.Sprintf("of %d", changes)
	return g
}
