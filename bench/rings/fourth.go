package rings

import (
	"fmt"
	"math"
	"time"

	"roost/ring"
	"roost/server/cluster"
)

// Join is what became of ids when a node joined.
type Join struct {
	IDs     int     `json:"ids"`
	Decided string  `json:"decided"` // the planner's reason
	Moved   int     `json:"moved"`   // ids with another owner
	Share   float64 `json:"share"`   // of all
	ToNew   int     `json:"to_new"`
	Between int     `json:"between_others"` // moved from one of the old nodes to another
	// Before and After are ids by owner.
	Before map[string]int `json:"before"`
	After  map[string]int `json:"after"`
	// Slots is the same of the table: what moves, and how many of its slots between old
	// nodes.
	SlotsMoved int `json:"slots_moved"`
	Collateral int `json:"collateral"`
	Slots      int `json:"slots"`
}

// ok says what is not as it should be: 25 % within 2, and nothing between the
// others.
func (j *Join) ok() error {
	if math.Abs(j.Share-0.25) > 0.02 || j.Between != 0 || j.Collateral != 0 || j.ToNew != j.Moved {
		return fmt.Errorf("%.2f %% of the ids moved, %d between the other nodes (%d slots): want 25 %% within 2, and none", 100*j.Share, j.Between, j.Collateral)
	}
	return nil
}

// equal are members that are alike, in zones in turn.
func equal(n int) map[string]cluster.Member {
	all := map[string]cluster.Member{}
	for i := 1; i <= n; i++ {
		id := fmt.Sprint("node-", i)
		all[id] = cluster.Member{ID: id, Addr: fmt.Sprintf("ws://10.0.0.%d:8080", i), API: fmt.Sprintf("http://10.0.0.%d:8081", i),
			Zone: string(rune('a' + (i-1)%2)), Capacity: 50_000}
	}
	return all
}

// decide asks the planner until it has waited for what else may come.
func decide(in cluster.PlanInput, want cluster.Kind) (cluster.Decision, error) {
	var mem cluster.PlanMemory
	var d cluster.Decision
	for range 4 {
		d, mem = cluster.Decide(in, mem, cluster.PlanSettings{})
		if d.Kind != cluster.Nothing {
			break
		}
		in.Now = in.Now.Add(max(d.Wait, time.Second))
	}
	if d.Kind != want {
		return d, fmt.Errorf("the planner decided %v (%s), not %v", d.Kind, d.Why, want)
	}
	return d, nil
}

// Fourth has the planner make a ring of three equal nodes and one of four, and looks
// where so many ids lead in both.
func Fourth(ids int) (*Join, error) {
	now := time.Unix(1_800_000_000, 0)
	view := &cluster.View{Revision: 10, Members: equal(3)}
	first, err := decide(cluster.PlanInput{View: view, Now: now}, cluster.First)
	if err != nil {
		return nil, err
	}
	three, err := ring.Build(1, first.Stable.Set, ring.Options{})
	if err != nil {
		return nil, err
	}
	view = &cluster.View{Revision: 20, Members: equal(4), Pointer: cluster.Pointer{Stable: 1, Activation: 11}}
	join, err := decide(cluster.PlanInput{View: view, Stable: three, Now: now.Add(time.Hour)}, cluster.Join)
	if err != nil {
		return nil, err
	}
	four, err := three.Apply(2, join.Stable)
	if err != nil {
		return nil, err
	}
	j := &Join{IDs: ids, Decided: join.Why, Before: map[string]int{}, After: map[string]int{}}
	for i := range ids {
		j.look(three, four, fmt.Sprintf("device-%07d", i))
	}
	j.Share = float64(j.Moved) / float64(ids)
	diff := three.Compare(four)
	j.SlotsMoved, j.Collateral, j.Slots = diff.Moved, diff.Collateral, diff.Slots
	return j, nil
}

func (j *Join) look(before, after *ring.Ring, id string) {
	a, b := before.Node(before.Lookup(id)).ID, after.Node(after.Lookup(id)).ID
	j.Before[a]++
	j.After[b]++
	switch {
	case a == b:
	case b == "node-4":
		j.Moved++
		j.ToNew++
	default:
		j.Moved++
		j.Between++
	}
}
