package subject

import "roost/ring"

// seedPreset is the ring that roost's was given as: FNV-1a, 128 points, binary
// search for the successor.
var seedPreset = Subject{
	Name:   "seed preset",
	Note:   "128 points a node, as given; built anew for every change; a weight changes next to nothing, since FNV-1a puts all points whose numbers have as many digits side by side",
	Points: ring.SeedPoints,
	New:    newSeed,
	Next:   rebuilt(newSeed),
}

type seedRing struct{ *ring.Seed }

func newSeed(nodes []Node) (Table, error) {
	all := make([]ring.Node, len(nodes))
	for i, n := range nodes {
		all[i] = ring.Node{ID: n.Name, Weight: n.Weight}
	}
	s, err := ring.NewSeed(all)
	return seedRing{s}, err
}

func (s seedRing) Owner(key string) string { return s.Node(s.Lookup(key)).ID }
func (s seedRing) Impl() any               { return s.Seed }

func (s seedRing) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(s.Lookup(keys.At(i)))
	}
	return sum
}

func (s seedRing) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(s.Lookup(keys.after(i, answer)))
		sum += uint64(answer)
	}
	return sum
}
