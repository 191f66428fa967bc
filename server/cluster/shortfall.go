package cluster

import (
	"maps"
	"math"
	"slices"

	"roost/ring"
)

// shortfall is what a ring lacks of what the view asks for. Nodes are by id.
type shortfall struct {
	urgent   ring.Change
	owners   int         // nodes with weight, once urgent is done
	joins    []ring.Node // new, or with weight again
	weights  []ring.Node // weight off by more than Inner
	overBand bool        // one of them by more than Band
}

// shortfallOf compares a ring with a view.
func shortfallOf(v *View, r *ring.Ring, set *PlanSettings) (w shortfall) {
	if r == nil {
		r = emptyRing
	}
	for _, n := range r.Nodes() {
		if _, there := v.Members[n.ID]; !there {
			w.urgent.Remove = append(w.urgent.Remove, n.ID)
		}
	}
	pins, _ := PinsOf(v) // what cannot be read pins nothing, and status says so
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		m := v.Members[id]
		old := r.Node(r.Find(id))
		weight := weightOf(&m, v, pins, old, set)
		published, is := v.Weights[id]
		drains := is && published.Value == 0
		n := ring.Node{ID: id, Addr: m.Addr, Zone: m.Zone, Weight: weight, Capacity: m.Capacity}
		switch {
		case old == nil || old.Weight == 0:
			if weight > 0 {
				w.joins = append(w.joins, n)
			}
		case drains:
			w.urgent.Set = append(w.urgent.Set, n)
		default:
			if weight > 0 {
				w.owners++
			}
			w.compare(old, n, set)
		}
	}
	return w
}

// compare looks at a node that has weight and shall have some.
func (w *shortfall) compare(old *ring.Node, n ring.Node, set *PlanSettings) {
	off := math.Abs(n.Weight/old.Weight - 1)
	if off > set.Inner {
		w.weights = append(w.weights, n)
		w.overBand = w.overBand || set.Follows(n.Weight, old.Weight)
	}
	if n.Weight = old.Weight; n != *old {
		w.urgent.Set = append(w.urgent.Set, n) // moves nobody
	}
}

// weightOf returns the ring weight of a member: as an operator has pinned it, whatever its zone's factor, unless
// the node drains; as published; without that the one it has, and before that its
// capacity.
func weightOf(m *Member, v *View, pins map[string]Pin, old *ring.Node, set *PlanSettings) float64 {
	devices := m.Capacity
	if devices == 0 {
		devices = set.Unit
	}
	published, ok := v.Weights[m.ID]
	pin, pinned := pins[m.ID]
	factor := v.Zones.of(m.Zone)
	if pinned {
		factor = 1
	}
	switch {
	case ok && published.Value == 0 || pinned && pin.Weight == 0:
		return 0
	case pinned:
		devices = pin.Weight * set.Unit
	case ok:
		devices = published.Value
	case old != nil:
		return old.Weight
	}
	devices *= factor
	perUnit := set.PointsPerUnit
	if perUnit == 0 {
		perUnit = ring.DefaultPointsPerUnit
	}
	// At least a point, at most what a ring takes from a node, and nothing that
	// differs by less than a thousandth of a unit.
	most := float64(ring.MaxNodePoints / perUnit)
	return min(max(math.Round(devices/set.Unit*1e4)/1e4, 1/float64(perUnit)), most)
}

var emptyRing = ring.NewRoutes(nil, nil, 0).Stable()
