package ring

import (
	"cmp"
	"slices"
)

// Move is how much of the table goes from one node to another.
type Move struct {
	From, To string // ids; "" is nobody
	Slots    int
}

// Diff is what changes for keys between two rings.
type Diff struct {
	// Slots is the size of the table, the larger one if they differ. All that
	// follows is in units of its slots.
	Slots int
	// Moved is how many slots have another owner.
	Moved int
	// Minimum is how many would have to move between any two rings with these
	// shares: the sum of what nodes have gained. Moved is above it only where a node
	// both gains and loses.
	Minimum int
	// Collateral is how many move between two nodes that are in both rings with the
	// same weight. It is 0 between versions that follow each other by Apply.
	Collateral int
	// Moves says from whom to whom, the largest first, then by id.
	Moves []Move
}

// Share returns slots as a share of the table.
func (d *Diff) Share(slots int) float64 { return float64(slots) / float64(d.Slots) }

// Compare returns what changes for keys when next takes the place of r. It looks
// at every slot: about a millisecond for the usual table.
func (r *Ring) Compare(next *Ring) Diff {
	d := Diff{Slots: max(len(r.table), len(next.table))}
	type pair struct{ from, to Index }
	moved := map[pair]int{}
	same := r.places(next)
	rShift, nextShift := shiftTo(d.Slots, r), shiftTo(d.Slots, next)
	for s := range d.Slots {
		from, to := r.table[s>>rShift], next.table[s>>nextShift]
		if from == to && from == None || from != None && same[from] == to && to != None {
			continue
		}
		moved[pair{from, to}]++
	}
	gains := map[string]int{}
	for p, slots := range moved {
		m := Move{Slots: slots}
		from, to := r.Node(p.from), next.Node(p.to)
		if from != nil {
			m.From = from.ID
		}
		if to != nil {
			m.To = to.ID
		}
		d.Moved += slots
		if from != nil && to != nil && r.unchanged(from, next) && r.unchanged(to, next) {
			d.Collateral += slots
		}
		gains[m.To] += slots
		gains[m.From] -= slots
		d.Moves = append(d.Moves, m)
	}
	for _, n := range gains {
		d.Minimum += max(n, 0)
	}
	slices.SortFunc(d.Moves, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Slots, a.Slots), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return d
}

// places returns by Index of r the Index that the same node has in next.
func (r *Ring) places(next *Ring) []Index {
	same := make([]Index, len(r.nodes))
	for i := range same {
		same[i] = None
		if n := &r.nodes[i]; n.ID != "" {
			same[i] = next.Find(n.ID)
		}
	}
	return same
}

// unchanged reports a node with one weight in both rings.
func (r *Ring) unchanged(n *Node, next *Ring) bool {
	a, b := r.Node(r.Find(n.ID)), next.Node(next.Find(n.ID))
	return a != nil && b != nil && a.Weight == b.Weight
}

// shiftTo returns by how much a slot of a table with so many slots is to be
// shifted to be one of r's.
func shiftTo(slots int, r *Ring) int { return ceilLog2(slots) - r.TableBits() }
