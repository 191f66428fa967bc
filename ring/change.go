package ring

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Change is what happens to a ring from one version to the next.
type Change struct {
	// Set adds nodes, or replaces those with the same id: a node with another
	// weight gets points or loses some.
	Set []Node
	// Remove takes nodes away by id.
	Remove []string
	// Refit, if above 0, also fits every node whose share is more than this part of
	// its target off: 0.05 is 5 %. This is what moves keys between nodes that have not changed, so it is
	// asked for, and planned: points stay where they are when others come and go, and
	// once all nodes have been replaced, shares are as uneven as without calibration
	// (20 % off at worst among 256 nodes). A node that leaves and comes back with its id
	// leaves nothing behind.
	Refit float64
}

// Apply returns the ring of the next version: r is unchanged. Errors are those
// of Build, and ErrNode for an id that is to be removed but is not there, or is
// named twice.
//
// Keys move only from or to nodes whose weight the change changes (a new one's
// from 0, a removed one's to 0), and those that Refit names. The points of such a
// node are fitted to its share of the table alone; the points of all others stay.
func (r *Ring) Apply(version uint64, c Change) (*Ring, error) {
	if err := r.checkChange(&c); err != nil {
		return nil, err
	}
	d := r.clone(version, len(c.Set))
	for _, id := range c.Remove {
		d.takeOut(id)
	}
	var fit []Index
	for i := range c.Set {
		v, reweighted, err := d.put(&c.Set[i])
		if err != nil {
			return nil, err
		}
		if reweighted {
			fit = append(fit, v)
		}
	}
	d.sumWeights()
	slices.SortFunc(fit, func(a, b Index) int { return strings.Compare(d.nodes[a].ID, d.nodes[b].ID) })
	d.fitAll(fit)
	if c.Refit > 0 {
		d.refit(c.Refit)
	}
	return d.Ring, nil
}

// checkChange says what is wrong with a change of r, or nil.
func (r *Ring) checkChange(c *Change) error {
	if !(c.Refit >= 0) {
		return fmt.Errorf("%w: Refit is %v, must be 0 or above", ErrOptions, c.Refit)
	}
	named := make(map[string]bool, len(c.Set)+len(c.Remove))
	points := r.points
	for i := range c.Set {
		n := &c.Set[i]
		if err := n.check(); err != nil {
			return err
		}
		count, err := nominalPoints(n, r.perUnit)
		if err != nil {
			return err
		}
		if points += int(count); named[n.ID] {
			return fmt.Errorf("%w: node %q is named twice in a change", ErrNode, n.ID)
		}
		named[n.ID] = true
		if at := r.Find(n.ID); at != None {
			points -= r.Points(at)
		}
	}
	for _, id := range c.Remove {
		at := r.Find(id)
		if at == None {
			return fmt.Errorf("%w: node %q is to be removed but is not in the ring", ErrNode, id)
		}
		if named[id] {
			return fmt.Errorf("%w: node %q is named twice in a change", ErrNode, id)
		}
		named[id] = true
		points -= r.Points(at)
	}
	if points > MaxPoints {
		return fmt.Errorf("%w: %d points after the change, at most %d are allowed: divide all weights by the same number", ErrTooBig, points, MaxPoints)
	}
	return nil
}

// takeOut removes a node that is there, with all its points.
func (d *draft) takeOut(id string) {
	at, _ := d.find(id)
	v := d.order[at]
	for d.counts[v] > 0 {
		d.drop(v)
	}
	d.order = slices.Delete(d.order, at, at+1)
	d.nodes[v], d.seeds[v] = Node{}, 0
}

// put adds a node, or replaces the one with its id, and says whether its weight
// has changed: then it has about the points it needs, and is to be fitted.
func (d *draft) put(n *Node) (v Index, reweighted bool, err error) {
	at, known := d.find(n.ID)
	if !known {
		if v, err = d.freePlace(); err != nil {
			return None, false, err
		}
		d.order = slices.Insert(d.order, at, v)
		d.seeds[v] = Hash(n.ID)
	} else {
		v = d.order[at]
	}
	old := d.nodes[v].Weight
	d.nodes[v] = *n
	if old == n.Weight {
		return v, false, nil
	}
	want, _ := nominalPoints(n, d.perUnit) // checked before
	if old > 0 && want > 0 {
		// What calibration has found out about the node stays true in proportion.
		least, most := pointRange(want)
		want = uint32(min(max(math.Round(float64(d.counts[v])*(n.Weight/old)), float64(least)), float64(most)))
	}
	d.setPoints(v, want)
	return v, true, nil
}

// freePlace returns an Index that no node has.
func (d *draft) freePlace() (Index, error) {
	if len(d.order) == MaxNodes {
		return None, fmt.Errorf("%w: more than %d nodes", ErrTooBig, MaxNodes)
	}
	if len(d.order) < len(d.nodes) {
		for i := range d.nodes {
			if d.nodes[i].ID == "" {
				return Index(i), nil
			}
		}
	}
	d.nodes, d.seeds = append(d.nodes, Node{}), append(d.seeds, 0)
	d.counts, d.slots = append(d.counts, 0), append(d.slots, 0)
	return Index(len(d.nodes) - 1), nil
}
