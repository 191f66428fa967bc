package slots

import (
	"cmp"
	"fmt"
	"slices"
)

// Threshold is how many slots a node may be off its target before any are moved
// to or from it, if nothing else is said.
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
	// Minimum is the fewest slots that must move to bring every node that is far off
	// to its target. Moved is just that.
	Minimum       int
	Before, Later Skew // over nodes
}

// Rebalance returns the fewest moves that bring all nodes that are more than
// threshold slots off to their targets, and take all from those that should have none,
// inside zones first; of all plans that move so few, one with the fewest moves across
// zones. A slot moves between two nodes only if one of them is that far off, so a
// node may give to one that lacks three slots, but two nodes that are three off leave
// each other alone. The order is fixed: the same holdings, in any order, give the
// same moves. Errors are ErrHolding, and ErrSettings for a negative threshold.
func Rebalance(hs []Holding, threshold int) (*Plan, error) {
	targets, far, err := distances(hs, threshold)
	if err != nil {
		return nil, err
	}
	p := &Plan{Targets: targets, After: make([]int, len(hs))}
	surplus, deficit, over, under := p.sides(hs, far)
	p.Minimum = max(over, under)
	// Those that are far off settle among themselves; what is left of the larger
	// side goes to or comes from those that are a little off, and as much of that at
	// home as there can be before anything leaves a zone.
	little := p.Minimum - min(over, under)
	both, one := pairing{far: [2]bool{true, true}}, pairing{far: [2]bool{over >= under, over < under}}
	p.match(hs, surplus, deficit, both.home(), p.Minimum)
	little -= p.match(hs, surplus, deficit, one.home(), little)
	p.match(hs, surplus, deficit, both, p.Minimum)
	p.match(hs, surplus, deficit, one, little)
	if p.Before, err = Nodes(hs); err != nil {
		return nil, err
	}
	p.Later, err = Nodes(p.holdings(hs))
	return p, err
}

// distances returns the targets of what hs hold together, and who is far off: by
// more than threshold, or by any slot where there should be none. A node that is to
// be emptied would else keep a few slots for ever.
func distances(hs []Holding, threshold int) (targets []int, far []bool, err error) {
	if threshold < 0 {
		return nil, nil, fmt.Errorf("%w: the threshold is %d slots, must not be negative", ErrSettings, threshold)
	}
	if err := check(hs); err != nil {
		return nil, nil, err
	}
	total := 0
	for _, h := range hs {
		total += h.Slots
	}
	if targets, err = Targets(hs, total); err != nil {
		return nil, nil, err
	}
	weights := sumWeights(hs)
	far = make([]bool, len(hs))
	for i, h := range hs {
		off := h.Slots - targets[i]
		far[i] = off > threshold || -off > threshold || off > 0 && h.Weight/weights < noShare
	}
	return targets, far, nil
}

// party is a node with slots to give or to get.
type party struct {
	at    int
	slots int
	far   bool
}

// sides returns who has too many and who too few, the largest first, then by
// name; and how many slots those that are far off have too many and too few.
func (p *Plan) sides(hs []Holding, far []bool) (surplus, deficit []party, over, under int) {
	for i, h := range hs {
		p.After[i] = h.Slots
		off := h.Slots - p.Targets[i]
		switch {
		case off > 0:
			surplus = append(surplus, party{i, off, far[i]})
			if far[i] {
				over += off
			}
		case off < 0:
			deficit = append(deficit, party{i, -off, far[i]})
			if far[i] {
				under -= off
			}
		}
	}
	for _, side := range [][]party{surplus, deficit} {
		slices.SortFunc(side, func(a, b party) int {
			return cmp.Or(cmp.Compare(b.slots, a.slots), cmp.Compare(hs[a.at].Node, hs[b.at].Node))
		})
	}
	return surplus, deficit, over, under
}

// pairing says who may settle with whom.
type pairing struct {
	far    [2]bool // whether who gives is far off, and who gets
	inside bool    // only in one zone
}

// home returns p inside zones.
func (p pairing) home() pairing { return pairing{p.far, true} }

// match pairs surplus with deficit, at most so many slots, and returns how many.
func (p *Plan) match(hs []Holding, surplus, deficit []party, with pairing, most int) int {
	left := most
	for i := range surplus {
		for j := range deficit {
			from, to := &surplus[i], &deficit[j]
			n := min(from.slots, to.slots, left)
			same := hs[from.at].Zone == hs[to.at].Zone
			if n == 0 || with.inside && !same || with.far != [2]bool{from.far, to.far} {
				continue
			}
			from.slots -= n
			to.slots -= n
			left -= n
			p.add(Move{hs[from.at].Node, hs[to.at].Node, n, !same})
			p.After[from.at] -= n
			p.After[to.at] += n
		}
	}
	return most - left
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
// together; the last one may be cut. None if slots is not above 0.
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
