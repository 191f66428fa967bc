package slots

import (
	"cmp"
	"slices"
)

// Threshold is how many slots a node may be off its target before any are moved
// to or from it.
const Threshold = 5

// Move is a number of slots from one node to another.
type Move struct {
	From, To string
	Slots    int
	Across   bool // from one zone to another
}

// Plan is what a rebalance does.
type Plan struct {
	Moves   []Move // in the order in which they are to be made
	Targets []int  // by holding
	After   []int  // by holding: slots once all moves are made
	Moved   int    // slots
	Across  int    // of these, between zones
	// Minimum is the fewest slots that must move to bring every node that is more
	// than the threshold off to its target. Moved is never above it.
	Minimum       int
	Before, Later Skew // over nodes
}

// Rebalance returns the fewest moves that bring all nodes that are more than
// threshold slots off to their targets, inside zones first. A slot moves between
// two nodes only if one of them is that far off, so a node may give to one that
// lacks three slots, but two nodes that are three off leave each other alone.
// The order is fixed: the same holdings give the same plan.
func Rebalance(hs []Holding, threshold int) (*Plan, error) {
	total := 0
	for _, h := range hs {
		total += h.Slots
	}
	targets, err := Targets(hs, total)
	if err != nil {
		return nil, err
	}
	p := &Plan{Targets: targets, After: make([]int, len(hs))}
	var over, under, surplus, deficit = 0, 0, []party{}, []party{}
	for i, h := range hs {
		p.After[i] = h.Slots
		off := h.Slots - targets[i]
		switch far := off > threshold || -off > threshold; {
		case off > 0:
			surplus = append(surplus, party{i, off, far})
			if far {
				over += off
			}
		case off < 0:
			deficit = append(deficit, party{i, -off, far})
			if far {
				under -= off
			}
		}
	}
	p.Minimum = max(over, under)
	for _, side := range [][]party{surplus, deficit} {
		slices.SortFunc(side, func(a, b party) int {
			return cmp.Or(cmp.Compare(b.slots, a.slots), cmp.Compare(hs[a.at].Node, hs[b.at].Node))
		})
	}
	// Those that are far off settle among themselves, at home first; what is left
	// of them goes to or comes from those that are a little off.
	for _, both := range []bool{true, false} {
		for _, home := range []bool{true, false} {
			p.match(hs, surplus, deficit, both, home)
		}
	}
	if p.Before, err = Nodes(hs); err != nil {
		return nil, err
	}
	p.Later, err = Nodes(p.holdings(hs))
	return p, err
}

// party is a node with slots to give or to get.
type party struct {
	at    int
	slots int
	far   bool // more than the threshold off
}

// match pairs surplus with deficit: only parties that are both far off, or one of
// them; only in one zone, or anywhere.
func (p *Plan) match(hs []Holding, surplus, deficit []party, both, home bool) {
	for i := range surplus {
		for j := range deficit {
			from, to := &surplus[i], &deficit[j]
			n := min(from.slots, to.slots)
			same := hs[from.at].Zone == hs[to.at].Zone
			if n == 0 || home && !same || both && !(from.far && to.far) || !from.far && !to.far {
				continue
			}
			from.slots -= n
			to.slots -= n
			p.add(Move{hs[from.at].Node, hs[to.at].Node, n, !same})
			p.After[from.at] -= n
			p.After[to.at] += n
		}
	}
}

func (p *Plan) add(m Move) {
	p.Moved += m.Slots
	if m.Across {
		p.Across += m.Slots
	}
	p.Moves = append(p.Moves, m)
}

// holdings returns hs as they are after the plan.
func (p *Plan) holdings(hs []Holding) []Holding {
	later := slices.Clone(hs)
	for i := range later {
		later[i].Slots = p.After[i]
	}
	return later
}

// Limit returns the first moves of the plan that are no more than so many slots
// together; the last one may be cut.
func (p *Plan) Limit(slots int) (moves []Move) {
	for _, m := range p.Moves {
		if slots <= 0 {
			break
		}
		m.Slots = min(m.Slots, slots)
		slots -= m.Slots
		moves = append(moves, m)
	}
	return moves
}
