package subject

import "github.com/zeromicro/go-zero/core/hash"

var goZero = Subject{
	Name:     "go-zero/core/hash",
	Module:   "github.com/zeromicro/go-zero",
	Note:     "Murmur3, a lock around each lookup; sorts all points for every node that is added, so a build is quadratic",
	Points:   PointsPerUnit,
	Weighted: true,
	Mutable:  true,
	SlowFrom: 1024,
	New: func(nodes []Node) (Table, error) {
		// The number of replicas is also the most that a node may have.
		r := hash.NewCustomConsistentHash(2*PointsPerUnit, nil)
		for _, n := range nodes {
			r.AddWithReplicas(n.Name, n.points())
		}
		return goZeroRing{r}, nil
	},
	Next: func(t Table, c Change, _ []Node) (Table, error) {
		r := t.(goZeroRing)
		if c.Remove != "" {
			r.Remove(c.Remove)
		}
		if c.Set != nil {
			r.AddWithReplicas(c.Set.Name, c.Set.points())
		}
		return r, nil
	},
}

type goZeroRing struct{ *hash.ConsistentHash }

func (r goZeroRing) Owner(key string) string {
	node, _ := r.Get(key)
	return node.(string)
}

func (r goZeroRing) Impl() any { return r.ConsistentHash }

func (r goZeroRing) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		node, _ := r.Get(keys.At(i))
		sum += uint64(len(node.(string)))
	}
	return sum
}

func (r goZeroRing) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		node, _ := r.Get(keys.after(i, answer))
		answer = len(node.(string))
		sum += uint64(answer)
	}
	return sum
}
