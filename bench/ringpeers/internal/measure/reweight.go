package measure

import (
	"context"
	"fmt"

	"roost/bench/ringpeers/internal/subject"
	"roost/ring"
)

// reweight changes the weight of every node of roost's rings in turn, by a
// tenth up and down, and counts over the whole table what moves.
func (r *run) reweight(ctx context.Context) error {
	for _, n := range r.Options.Nodes {
		for _, points := range []int{subject.PointsPerUnit, 640} {
			t, err := subject.Roost("", points, false).New(subject.Nodes(n))
			if err != nil {
				return err
			}
			for _, factor := range []float64{1.1, 0.9} {
				r.say("weight of each of %d nodes x %d times %v", n, points, factor)
				row, err := reweightAll(ctx, t.(subject.RoostRing).Ring, points, factor)
				if err != nil {
					return err
				}
				r.Reweights = append(r.Reweights, row)
			}
		}
	}
	return nil
}

// reweightAll changes every node of a ring of equal nodes, each time from r.
func reweightAll(ctx context.Context, r *ring.Ring, points int, factor float64) (ReweightRow, error) {
	n := float64(r.Len())
	row := ReweightRow{Nodes: r.Len(), Points: points, Factor: factor}
	row.Ideal = float64(r.TableSlots()) * max(factor/(n-1+factor)-1/n, 1/n-factor/(n-1+factor))
	for v, node := range r.Nodes() {
		if err := ctx.Err(); err != nil {
			return row, err
		}
		changed := *node
		changed.Weight *= factor
		next, err := r.Apply(r.Version()+1, ring.Change{Set: []ring.Node{changed}})
		if err != nil {
			return row, fmt.Errorf("node %q: %w", node.ID, err)
		}
		moved, collateral := movedSlots(r, next, v)
		row.Moved = append(row.Moved, moved)
		row.Collateral += collateral
		if gain := next.Slots(next.Find(node.ID)) - r.Slots(v); moved != max(gain, -gain) {
			row.Unlike++
		}
	}
	return row, nil
}

// movedSlots counts the slots with another owner, and those of them that
// neither were nor are the changed node's. It looks at every slot by itself,
// and does not ask the ring what it thinks that it has moved.
func movedSlots(before, after *ring.Ring, changed ring.Index) (moved, collateral int) {
	place := make([]ring.Index, before.Places()) // in after, of each in before
	for v, n := range before.Nodes() {
		place[v] = after.Find(n.ID)
	}
	for s := range before.TableSlots() {
		from, to := before.Slot(s), after.Slot(s)
		if place[from] == to {
			continue
		}
		moved++
		if from != changed && to != place[changed] {
			collateral++
		}
	}
	return moved, collateral
}
