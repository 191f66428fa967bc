package ring

import (
	"fmt"
	"slices"
	"strings"
)

// Member is a node in a Definition.
type Member struct {
	Node
	// Points is how many points the node has: what its weight stands for, after
	// calibration. 0 exactly if the weight is 0.
	Points int
}

// CheckPoints returns ErrNode if the points do not fit the weight.
func (m *Member) CheckPoints() error {
	if m.Points < 0 || m.Points > MaxNodePoints || (m.Points == 0) != (m.Weight == 0) {
		return fmt.Errorf("%w: node %q has %d points for weight %v: 1 to %d for a weight above 0, none for 0", ErrNode, m.ID, m.Points, m.Weight, MaxNodePoints)
	}
	return nil
}

// Definition is all that a ring is derived from: two rings with equal
// definitions answer the same for every key, whatever their history. It is what
// snapshots carry.
type Definition struct {
	Version       uint64
	PointsPerUnit int
	TableBits     int
	Nodes         []Member // by id, each once
}

// Definition returns what r is derived from.
func (r *Ring) Definition() Definition {
	d := Definition{Version: r.version, PointsPerUnit: r.perUnit, TableBits: r.TableBits(), Nodes: make([]Member, 0, r.Len())}
	for i, n := range r.Nodes() {
		d.Nodes = append(d.Nodes, Member{*n, r.Points(i)})
	}
	return d
}

// Check says what is wrong with d: ErrNode, ErrOptions or ErrTooBig, or nil.
func (d *Definition) Check() error {
	o := Options{PointsPerUnit: d.PointsPerUnit, TableBits: d.TableBits}
	if err := o.setDefaults(); err != nil {
		return err
	}
	if d.PointsPerUnit == 0 || d.TableBits == 0 {
		return fmt.Errorf("%w: a definition says its points per unit and its table bits, this says %d and %d", ErrOptions, d.PointsPerUnit, d.TableBits)
	}
	if len(d.Nodes) > MaxNodes {
		return fmt.Errorf("%w: %d nodes, at most %d are allowed", ErrTooBig, len(d.Nodes), MaxNodes)
	}
	points := 0
	for i := range d.Nodes {
		n := &d.Nodes[i]
		if err := n.check(); err != nil {
			return err
		}
		if i > 0 && d.Nodes[i-1].ID >= n.ID {
			if d.Nodes[i-1].ID == n.ID {
				return fmt.Errorf("%w: node %q is there twice", ErrNode, n.ID)
			}
			return fmt.Errorf("%w: node %q comes after %q: sort them by id", ErrNode, n.ID, d.Nodes[i-1].ID)
		}
		if err := n.CheckPoints(); err != nil {
			return err
		}
		if points += n.Points; points > MaxPoints {
			return fmt.Errorf("%w: more than %d points up to node %q: divide all weights by the same number, or have fewer points a unit", ErrTooBig, MaxPoints, n.ID)
		}
	}
	return nil
}

// Ring derives the ring of d. The errors are Check's. A definition of a few
// hundred bytes may ask for MaxPoints points: some seconds and 250 MiB. Who takes
// definitions from strangers looks at the sum of Points first.
func (d *Definition) Ring() (*Ring, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	n := len(d.Nodes)
	r := &Ring{
		version: d.Version, perUnit: d.PointsPerUnit, shift: uint8(64 - d.TableBits),
		table: make([]Index, 1<<d.TableBits), nodes: make([]Node, n), counts: make([]uint32, n),
		order: make([]Index, n), seeds: make([]uint64, n), slots: make([]uint32, n),
	}
	for i := range d.Nodes {
		m := &d.Nodes[i]
		r.nodes[i], r.counts[i], r.order[i] = m.Node, uint32(m.Points), Index(i)
		r.seeds[i] = Hash(m.ID)
		r.points += m.Points
	}
	r.sum()
	r.scatter()
	r.fill()
	return r, nil
}

// Equal reports whether two definitions are the same, and so their rings.
func (d *Definition) Equal(o *Definition) bool {
	return d.Version == o.Version && d.PointsPerUnit == o.PointsPerUnit && d.TableBits == o.TableBits && slices.Equal(d.Nodes, o.Nodes)
}

// sort brings the nodes into the order of ids.
func (d *Definition) sort() {
	slices.SortStableFunc(d.Nodes, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
}
