package verify

import (
	"roost/ring"
)

// Node is a node of a Placement.
type Node struct {
	ID, Zone string
	Points   int
	// Share is the part of all hashes that lead to it, Target the part that its
	// weight asks for. Each sums to 1 over the nodes, or is 0 if none has weight.
	Share, Target float64
}

// Placement says where ids lead: by which hash, and to which node. There are two,
// Roost and Seed.
type Placement struct {
	Name string // roost or seed
	Hash string // the hash's name
	// Nodes by the Index that owner gives; one without an ID is a free place. None:
	// only slots are looked at.
	Nodes []Node
	owner func(hash uint64) ring.Index
	seed  bool // SeedHash, not Hash
}

// Roost returns the placement by a ring; nil is the hash alone.
func Roost(r *ring.Ring) Placement {
	p := Placement{Name: "roost", Hash: "XXH3-64"}
	if r == nil {
		return p
	}
	p.owner = r.Owner
	p.Nodes = make([]Node, r.Places())
	for i, n := range r.Nodes() {
		slots := float64(r.TableSlots())
		p.Nodes[i] = Node{n.ID, n.Zone, r.Points(i), float64(r.Slots(i)) / slots, r.Target(i) / slots}
	}
	return p
}

// Seed returns the placement by the seed preset with these nodes (errors are
// ring.NewSeed's); no nodes are its hash alone.
func Seed(nodes []ring.Node) (Placement, error) {
	p := Placement{Name: "seed", Hash: "FNV-1a 64", seed: true}
	if len(nodes) == 0 {
		return p, nil
	}
	s, err := ring.NewSeed(nodes)
	if err != nil {
		return p, err
	}
	p.owner = s.Owner
	weights := 0.0
	for i := range nodes {
		weights += nodes[i].Weight
	}
	for i, share := range s.Shares() {
		n := s.Node(ring.Index(i))
		node := Node{ID: n.ID, Zone: n.Zone, Share: share}
		if n.Weight > 0 {
			node.Points = max(int(n.Weight*ring.SeedPoints+0.5), 1)
			node.Target = n.Weight / weights
		}
		p.Nodes = append(p.Nodes, node)
	}
	return p, nil
}

// seedHash is ring.SeedHash for bytes, without allocating.
func seedHash(id []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, b := range id {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	return h
}
