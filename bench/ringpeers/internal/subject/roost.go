package subject

import "roost/ring"

// Roost returns roost's ring as a subject, with so many points a unit of weight.
func Roost(name string, pointsPerUnit int, raw bool) Subject {
	return Subject{
		Name:     name,
		Roost:    true,
		Points:   pointsPerUnit,
		Weighted: true,
		New: func(nodes []Node) (Table, error) {
			all := make([]ring.Node, len(nodes))
			for i, n := range nodes {
				all[i] = ring.Node{ID: n.Name, Weight: n.Weight}
			}
			r, err := ring.Build(1, all, ring.Options{PointsPerUnit: pointsPerUnit, Raw: raw})
			return RoostRing{r}, err
		},
		Next: func(t Table, c Change, _ []Node) (Table, error) {
			r := t.(RoostRing)
			change := ring.Change{}
			if c.Remove != "" {
				change.Remove = []string{c.Remove}
			}
			if c.Set != nil {
				change.Set = []ring.Node{{ID: c.Set.Name, Weight: c.Set.Weight}}
			}
			next, err := r.Apply(r.Version()+1, change)
			return RoostRing{next}, err
		},
	}
}

// RoostRing is roost's ring as a Table.
type RoostRing struct{ *ring.Ring }

// Owner returns the id of the node that owns a key.
func (r RoostRing) Owner(key string) string { return r.Node(r.Lookup(key)).ID }

// Impl returns the ring.
func (r RoostRing) Impl() any { return r.Ring }

// Lookups is Ring.Lookup.
func (r RoostRing) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(r.Lookup(keys.At(i)))
	}
	return sum
}

// Chain is Ring.Lookup.
func (r RoostRing) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(r.Lookup(keys.after(i, answer)))
		sum += uint64(answer)
	}
	return sum
}
