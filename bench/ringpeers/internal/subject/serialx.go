package subject

import "github.com/serialx/hashring"

var serialx = Subject{
	Name:     "serialx/hashring",
	Module:   "github.com/serialx/hashring",
	Note:     "MD5; a changed ring is a new one",
	Points:   PointsPerUnit,
	Weighted: true,
	New:      newSerialx,
	Next: func(t Table, c Change, _ []Node) (Table, error) {
		r := t.(serialxRing).HashRing
		if c.Remove != "" {
			r = r.RemoveNode(c.Remove)
		}
		if c.Set != nil {
			// Either does nothing where the other is right.
			r = r.AddWeightedNode(c.Set.Name, c.Set.points()).UpdateWeightedNode(c.Set.Name, c.Set.points())
		}
		return serialxRing{r}, nil
	},
}

type serialxRing struct{ *hashring.HashRing }

func newSerialx(nodes []Node) (Table, error) {
	weights := make(map[string]int, len(nodes)) // a weight is a number of points
	for _, n := range nodes {
		weights[n.Name] = n.points()
	}
	return serialxRing{hashring.NewWithWeights(weights)}, nil
}

func (r serialxRing) Owner(key string) string {
	name, _ := r.GetNode(key)
	return name
}

func (r serialxRing) Impl() any { return r.HashRing }

func (r serialxRing) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		name, _ := r.GetNode(keys.At(i))
		sum += uint64(len(name))
	}
	return sum
}

func (r serialxRing) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		name, _ := r.GetNode(keys.after(i, answer))
		answer = len(name)
		sum += uint64(answer)
	}
	return sum
}
