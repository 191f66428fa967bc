package measure

import (
	"context"
	"fmt"
	"math"

	"roost/bench/ringpeers/internal/subject"
)

// balance counts how all subjects spread keys, and what changes move.
func (r *run) balance(ctx context.Context) error {
	keys := subject.NewKeys(r.Options.Balance, 3)
	for _, n := range r.Options.Nodes {
		for _, s := range subject.All() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.Options.Quick && s.SlowFrom > 0 && n >= s.SlowFrom {
				continue
			}
			r.say("balance of %d nodes: %s", n, s.Name)
			row, err := balanceOf(s, subject.Nodes(n), keys, r.Options.Changed)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			r.Balance = append(r.Balance, row)
		}
	}
	return nil
}

// mover counts keys of one subject's rings.
type mover struct {
	subject.Subject
	nodes   []subject.Node
	keys    subject.Keys
	numbers map[string]uint16 // of nodes, one more than there are included
	table   subject.Table     // of nodes
	base    []uint16          // owners by table, of each key
	facts   map[string]MoveFact
}

// balanceOf counts for one subject.
func balanceOf(s subject.Subject, nodes []subject.Node, keys subject.Keys, changed int) (BalanceRow, error) {
	m := mover{Subject: s, nodes: nodes, keys: keys, numbers: map[string]uint16{}, facts: map[string]MoveFact{}}
	more := subject.Nodes(len(nodes) + 1) // with one that can be added
	for i, n := range more {
		m.numbers[n.Name] = uint16(i)
	}
	var err error
	if m.table, err = s.New(nodes); err != nil {
		return BalanceRow{}, err
	}
	m.base = m.owners(m.table)
	row := BalanceRow{Nodes: len(nodes), Subject: s.Name, Keys: keys.Len(), Moves: m.facts}
	row.MaxAvg, row.Std = spread(m.base, len(nodes))
	if r, ok := m.table.(subject.RoostRing); ok {
		for v := range r.Nodes() {
			row.TableMax = max(row.TableMax, float64(r.Slots(v))/r.Target(v))
		}
	}
	for i := range changed {
		v := (2*i + 1) * len(nodes) / (2 * changed) % len(nodes) // from all over the list
		for _, t := range m.trials(v) {
			if err := m.try(t); err != nil {
				return row, err
			}
		}
	}
	n := more[len(nodes)]
	return row, m.try(trial{MoveAdd, subject.Change{Set: &n}, subject.Change{Remove: n.Name}, n.Name, 1 / float64(len(more))})
}

// owners returns who owns each key in t.
func (m *mover) owners(t subject.Table) []uint16 {
	all := make([]uint16, m.keys.Len())
	for i := range all {
		name := t.Owner(m.keys.At(i))
		number, known := m.numbers[name]
		if !known {
			panic(fmt.Sprintf("BUG: a key is of %q, which is no node", name))
		}
		all[i] = number
	}
	return all
}

// trial is a change whose moves are counted.
type trial struct {
	what         string
	change, undo subject.Change
	node         string  // that is changed
	ideal        float64 // share of the keys that must move
}

// trials returns what is done to node v.
func (m *mover) trials(v int) []trial {
	old := m.nodes[v]
	undo := subject.Change{Set: &old}
	share := 1 / float64(len(m.nodes))
	all := []trial{{MoveRemove, subject.Change{Remove: old.Name}, undo, old.Name, share}}
	if !m.Weighted {
		return all
	}
	for _, c := range []struct {
		what   string
		weight float64
	}{{MoveUp, 1.1}, {MoveDown, 0.9}} {
		n := old
		n.Weight = c.weight
		after := c.weight / (float64(len(m.nodes)) - 1 + c.weight)
		all = append(all, trial{c.what, subject.Change{Set: &n}, undo, old.Name, math.Abs(after - share)})
	}
	return all
}

// try makes a change, counts what has moved, and undoes the change.
func (m *mover) try(t trial) error {
	next, err := m.Next(m.table, t.change, t.change.After(m.nodes))
	if err != nil {
		return err
	}
	moved, collateral, changed := 0, 0, m.numbers[t.node]
	for i, owner := range m.owners(next) {
		if owner == m.base[i] {
			continue
		}
		moved++
		if owner != changed && m.base[i] != changed {
			collateral++
		}
	}
	f := m.facts[t.what]
	n, all := float64(f.Nodes), float64(len(m.base))
	m.facts[t.what] = MoveFact{
		Moved:      (f.Moved*n + float64(moved)/all) / (n + 1),
		Collateral: (f.Collateral*n + float64(collateral)/all) / (n + 1),
		Ideal:      t.ideal,
		Nodes:      f.Nodes + 1,
	}
	if m.Mutable {
		m.table, err = m.Next(next, t.undo, m.nodes)
	}
	return err
}

// spread returns the most keys of a node over the mean, and the standard
// deviation over the mean.
func spread(owners []uint16, nodes int) (maxAvg, std float64) {
	counts := make([]int, nodes)
	for _, v := range owners {
		counts[v]++
	}
	mean := float64(len(owners)) / float64(nodes)
	most, squares := 0, 0.0
	for _, n := range counts {
		most = max(most, n)
		squares += (float64(n) - mean) * (float64(n) - mean)
	}
	return float64(most) / mean, math.Sqrt(squares/float64(nodes)) / mean
}
