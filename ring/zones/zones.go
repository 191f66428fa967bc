package zones

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"roost/ring"
	slot "roost/ring/slots"
)

// Node is what is known of a node with weight.
type Node struct {
	ID, Zone string
	// Published is the weight that it asks for, in the ring's units, without any
	// factor; 0 has no part in anything.
	Published float64
	// Capacity is how many devices it can hold; 0 is not known.
	Capacity float64
	// Counts is how much of that counts for its zone's target: less than all, or more, where an
	// operator wants less or more on the node.
	Counts float64
	// Pinned says that Published is what an operator has set: it stays as it is, and the
	// zone's factor does not apply to it.
	Pinned bool
	// Devices are those connected now; negative is not known.
	Devices float64
}

// Zone is what a zone has and should have.
type Zone struct {
	Name   string
	Nodes  int
	Slots  int     // of slots.Count, by the ring
	Target int     // of slots.Count
	Share  float64 // wanted, 0 to 1
	After  int     // slots once the plan is carried out
	Factor float64 // afterwards; what it is now for a zone that stays
	Stays  bool    // its weights are not touched
}

// Table is all zones, with the plan that mends them.
type Table struct {
	Zones  []Zone // by name
	From   string // where the targets come from: capacity, or set
	Before slot.Skew
	After  slot.Skew
	Plan   *slot.Plan
	// Weights are the nodes whose ring weight the plan changes, with the new one.
	Weights []ring.Node
	// Pinned are the nodes of zones that it changes whose weight stays, as an operator has set it; by id.
	Pinned []string
}

// Bounds of a factor.
const (
	LeastFactor = 0.25
	MostFactor  = 4
)

// What keeps zones from being compared. The text says why.
var (
	// ErrFew: fewer than two zones own anything.
	ErrFew = errors.New("zones: nothing to compare")
	// ErrTargets: what the zones should have is not known.
	ErrTargets = errors.New("zones: no targets")
)

// Of compares a ring's zones with their targets. factors are those in force, by
// zone; targets, if not nil, say what each zone should have, relative to the
// others. Nodes that are not in the ring, or have no weight, are left out.
func Of(r *ring.Ring, nodes []Node, factors, targets map[string]float64) (*Table, error) {
	t, hs, err := holdings(r, nodes, targets)
	if err != nil {
		return nil, err
	}
	if t.Plan, err = slot.Rebalance(hs, slot.Threshold); err != nil {
		return nil, err
	}
	t.carryOut(r, nodes, factors, t.Plan)
	return t, nil
}

// holdings returns the zones with slots and shares.
func holdings(r *ring.Ring, nodes []Node, targets map[string]float64) (*Table, []slot.Holding, error) {
	t := &Table{}
	held := map[string]int{} // of the ring's table
	for _, n := range live(r, nodes) {
		i, found := slices.BinarySearchFunc(t.Zones, n.Zone, func(z Zone, name string) int { return cmp.Compare(z.Name, name) })
		if !found {
			t.Zones = slices.Insert(t.Zones, i, Zone{Name: n.Zone})
		}
		t.Zones[i].Nodes++
		held[n.Zone] += r.Slots(r.Find(n.ID))
	}
	if len(t.Zones) < 2 {
		return nil, nil, fmt.Errorf("%w: %d zones own anything, it takes two", ErrFew, len(t.Zones))
	}
	if err := t.share(live(r, nodes), targets); err != nil {
		return nil, nil, err
	}
	hs := make([]slot.Holding, len(t.Zones))
	for i, z := range t.Zones {
		hs[i] = slot.Holding{Node: label(z.Name), Zone: z.Name, Weight: float64(held[z.Name])}
	}
	whole, err := slot.Targets(hs, slot.Count) // the ring's shares in whole slots
	if err != nil {
		return nil, nil, err
	}
	for i := range hs {
		hs[i].Slots, hs[i].Weight = whole[i], t.Zones[i].Share
		t.Zones[i].Slots = whole[i]
	}
	return t, hs, nil
}

// live returns the nodes that own something.
func live(r *ring.Ring, nodes []Node) (out []Node) {
	for _, n := range nodes {
		if v := r.Find(n.ID); n.Published > 0 && v != ring.None && r.Node(v).Weight > 0 {
			out = append(out, n)
		}
	}
	return out
}

// label is a zone's name where a name must be.
func label(zone string) string {
	if zone == "" {
		return "(no zone)"
	}
	return zone
}

// share says what each zone should have.
func (t *Table) share(nodes []Node, targets map[string]float64) error {
	shares := make([]float64, len(t.Zones))
	if targets != nil {
		t.From = "set"
		for i, z := range t.Zones {
			v, ok := targets[z.Name]
			if !ok {
				return fmt.Errorf("%w: zone %q has none, others have: set one for each", ErrTargets, label(z.Name))
			}
			shares[i] = v
		}
		return t.normalise(shares)
	}
	t.From = "capacity"
	for _, n := range nodes {
		if !(n.Counts > 0) {
			return fmt.Errorf("%w: node %q does not say its capacity", ErrTargets, n.ID)
		}
		i := slices.IndexFunc(t.Zones, func(z Zone) bool { return z.Name == n.Zone })
		shares[i] += n.Counts
	}
	return t.normalise(shares)
}

func (t *Table) normalise(shares []float64) error {
	sum := 0.0
	for i, v := range shares {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: zone %q should have %v: finite, not negative", ErrTargets, label(t.Zones[i].Name), v)
		}
		sum += v
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return fmt.Errorf("%w: they sum to %v", ErrTargets, sum)
	}
	for i, v := range shares {
		t.Zones[i].Share = v / sum
	}
	return nil
}

// carryOut says what a plan over the zones makes of factors and weights.
func (t *Table) carryOut(r *ring.Ring, nodes []Node, factors map[string]float64, p *slot.Plan) {
	nodes = live(r, nodes)
	t.Before, t.After = p.Before, p.Later
	weights, published, pinned := 0.0, map[string]float64{}, map[string]float64{}
	for _, n := range nodes {
		weights += r.Node(r.Find(n.ID)).Weight
		if n.Pinned {
			pinned[n.Zone] += n.Published
		} else {
			published[n.Zone] += n.Published
		}
	}
	changed := map[string]float64{}
	for i := range t.Zones {
		z := &t.Zones[i]
		z.Target, z.After = p.Targets[i], p.After[i]
		z.Factor = factorOf(factors, z.Name)
		if z.Stays = z.After == z.Slots; z.Stays {
			continue
		}
		if published[z.Name] == 0 { // all of it is pinned: the others come to it, in some rounds
			changed[z.Name] = z.Factor
			continue
		}
		want := weights*float64(z.After)/slot.Count - pinned[z.Name]
		z.Factor = min(max(want/published[z.Name], LeastFactor), MostFactor)
		changed[z.Name] = z.Factor
	}
	for _, n := range nodes {
		f, ok := changed[n.Zone]
		if ok && n.Pinned {
			t.Pinned = append(t.Pinned, n.ID)
		}
		if !ok || n.Pinned {
			continue
		}
		next := *r.Node(r.Find(n.ID))
		held := next.Weight
		next.Weight = min(max(n.Published*f, 1/float64(r.PointsPerUnit())), float64(ring.MaxNodePoints/r.PointsPerUnit()))
		if math.Abs(next.Weight/held-1) > 1e-6 { // else a factor at its bound would be tried for ever
			t.Weights = append(t.Weights, next)
		}
	}
	slices.Sort(t.Pinned)
	slices.SortFunc(t.Weights, func(a, b ring.Node) int { return cmp.Compare(a.ID, b.ID) })
}

// factorOf is 1 where nothing is said.
func factorOf(factors map[string]float64, zone string) float64 {
	if f, ok := factors[zone]; ok && f > 0 {
		return f
	}
	return 1
}

// Factors returns the factors afterwards, by zone; those of 1 are left out.
func (t *Table) Factors() map[string]float64 {
	out := map[string]float64{}
	for _, z := range t.Zones {
		if z.Factor != 1 {
			out[z.Name] = z.Factor
		}
	}
	return out
}

// Overloaded returns the nodes that would hold more devices than they can, were
// the weights of the table in force, by id. Where the devices of a node are not
// known, nobody is.
func (t *Table) Overloaded(r *ring.Ring, nodes []Node) (ids []string) {
	total, weights := 0.0, 0.0
	next := map[string]float64{}
	for _, n := range nodes {
		if n.Devices < 0 {
			return nil
		}
		total += n.Devices
	}
	for _, n := range live(r, nodes) {
		next[n.ID] = r.Node(r.Find(n.ID)).Weight
	}
	for _, n := range t.Weights {
		next[n.ID] = n.Weight
	}
	for _, w := range next {
		weights += w
	}
	for _, n := range live(r, nodes) {
		then := total * next[n.ID] / weights
		if n.Capacity > 0 && then > n.Capacity && then > n.Devices {
			ids = append(ids, n.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
