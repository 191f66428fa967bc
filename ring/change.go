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
	// leaves hardly anything behind: less than 0.1 % of the keys.
	Refit float64
	// TableBits, if not 0, is the new logarithm of the number of slots. Keys near the
	// borders of what points own move, whoever's they are, so this too is planned.
	TableBits int
}

// Apply returns the ring of the next version, which may be any number: r is
// unchanged. Errors are those of Build, and ErrNode for an id that is to be
// removed but is not there, or is named twice.
//
// Keys move only from or to nodes whose weight the change changes (a new one's
// from 0, a removed one's to 0), unless Refit or TableBits ask for more. The points
// of such a node are fitted to its share of the table alone; the points of all
// others stay.
func (r *Ring) Apply(version uint64, c Change) (*Ring, error) {
	if err := r.checkChange(&c); err != nil {
		return nil, err
	}
	d := r.clone(version, len(c.Set))
	if c.TableBits != 0 && c.TableBits != r.TableBits() {
		d.resize(c.TableBits)
	}
	d.takeOut(c.Remove)
	wants, err := d.put(c.Set)
	if err != nil {
		return nil, err
	}
	if err := d.give(wants); err != nil {
		return nil, err
	}
	d.sum()
	fit := make([]Index, len(wants))
	for i, w := range wants {
		fit[i] = w.node
	}
	slices.SortFunc(fit, func(a, b Index) int { return strings.Compare(d.nodes[a].ID, d.nodes[b].ID) })
	d.fitAll(fit)
	if c.Refit > 0 {
		d.refit(c.Refit)
	}
	if d.misfits(d.points) {
		d.scatter()
	}
	return d.Ring, nil
}

// checkChange says what is wrong with a change of r, or nil.
func (r *Ring) checkChange(c *Change) error {
	if !(c.Refit >= 0) {
		return fmt.Errorf("%w: Refit is %v, must be 0 or above", ErrOptions, c.Refit)
	}
	if err := checkTableBits(c.TableBits); err != nil {
		return err
	}
	named := make(map[string]bool, len(c.Set)+len(c.Remove))
	for i := range c.Set {
		n := &c.Set[i]
		if err := n.check(); err != nil {
			return err
		}
		if old := r.Node(r.Find(n.ID)); old == nil || old.Weight != n.Weight {
			if err := checkWeight(n, r.perUnit); err != nil {
				return err
			}
		}
		if named[n.ID] {
			return fmt.Errorf("%w: node %q is named twice in a change", ErrNode, n.ID)
		}
		named[n.ID] = true
	}
	for _, id := range c.Remove {
		if r.Find(id) == None {
			return fmt.Errorf("%w: node %q is to be removed but is not in the ring", ErrNode, id)
		}
		if named[id] {
			return fmt.Errorf("%w: node %q is named twice in a change", ErrNode, id)
		}
		named[id] = true
	}
	return nil
}

// want is how many points a node shall have.
type want struct {
	node   Index
	points uint32
}

// takeOut removes nodes that are there, with all their points.
func (d *draft) takeOut(ids []string) {
	wants := make([]want, len(ids))
	for i, id := range ids {
		at, _ := d.find(id)
		wants[i].node = d.order[at]
		d.order = slices.Delete(d.order, at, at+1)
	}
	_ = d.give(wants) // fewer points are never too many
	for _, w := range wants {
		d.nodes[w.node], d.seeds[w.node] = Node{}, 0
	}
}

// put adds nodes, or replaces those with their ids, and returns how many points
// those shall have whose weight has changed.
func (d *draft) put(nodes []Node) (wants []want, err error) {
	for i := range nodes {
		n := &nodes[i]
		at, known := d.find(n.ID)
		if !known {
			v, err := d.freePlace()
			if err != nil {
				return nil, err
			}
			d.order = slices.Insert(d.order, at, v)
			d.seeds[v] = Hash(n.ID)
		}
		v := d.order[at]
		old := d.nodes[v].Weight
		d.nodes[v] = *n
		if old == n.Weight {
			continue
		}
		points := nominalPoints(n, d.perUnit)
		if old > 0 && points > 0 {
			// What calibration has found out about the node stays true in proportion.
			least, most := pointRange(points)
			points = uint32(min(max(math.Round(float64(d.counts[v])*(n.Weight/old)), float64(least)), float64(most)))
		}
		wants = append(wants, want{v, points})
	}
	return wants, nil
}

// freePlace returns an Index that no node has.
func (d *draft) freePlace() (Index, error) {
	if len(d.order) == MaxNodes {
		return None, fmt.Errorf("%w: more than %d nodes", ErrTooBig, MaxNodes)
	}
	for ; d.free < len(d.nodes); d.free++ {
		if d.nodes[d.free].ID == "" {
			d.free++
			return Index(d.free - 1), nil
		}
	}
	d.nodes, d.seeds = append(d.nodes, Node{}), append(d.seeds, 0)
	d.counts, d.slots = append(d.counts, 0), append(d.slots, 0)
	d.free = len(d.nodes)
	return Index(len(d.nodes) - 1), nil
}

// give gives nodes their points: one by one, or, where that would be more work
// or the chunks no longer fit, by making points and table anew, which gives the
// same. ErrTooBig if there would be too many points; then nothing has happened.
func (d *draft) give(wants []want) error {
	after, changes := int64(d.points), int64(0)
	for _, w := range wants {
		more := int64(w.points) - int64(d.counts[w.node])
		after += more
		changes += max(more, -more)
	}
	if after > MaxPoints {
		return fmt.Errorf("%w: %d points after the change, at most %d are allowed: divide all weights by the same number", ErrTooBig, after, MaxPoints)
	}
	// A point takes 250 ns alone and 30 ns with all the others.
	if changes*8 <= after && !d.misfits(int(after)) {
		for _, w := range wants {
			d.setPoints(w.node, w.points)
		}
		return nil
	}
	for _, w := range wants {
		d.counts[w.node] = w.points
	}
	d.points = int(after)
	d.scatter()
	d.fill()
	return nil
}

// misfits reports that chunks would be a quarter or four times of what they
// should be with so many points.
func (d *draft) misfits(points int) bool {
	bits := chunkBits(points) - int(64-d.chunkShift)
	return bits >= 2 || bits <= -2
}
