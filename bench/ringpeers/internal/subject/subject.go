package subject

import (
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"strings"
)

// PointsPerUnit is how many points a node of weight 1 has in every ring that has
// points, unless a name says otherwise.
const PointsPerUnit = 160

// Node is a member of a ring.
type Node struct {
	Name   string
	Weight float64
}

// points returns how many points the node has in a ring with points.
func (n Node) points() int { return int(math.Round(n.Weight * PointsPerUnit)) }

// Nodes returns n nodes of weight 1, with addresses as names.
func Nodes(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{fmt.Sprintf("10.0.%d.%d:443", i/256, i%256), 1}
	}
	return nodes
}

func names(nodes []Node) []string {
	all := make([]string, len(nodes))
	for i, n := range nodes {
		all[i] = n.Name
	}
	return all
}

// Looker looks keys up.
type Looker interface {
	// Lookups looks up keys 0 to n-1, one independent of the other, and returns
	// the sum of the answers: the index, or the length of the name.
	Lookups(keys Keys, n int) uint64
	// Chain looks up n keys, each of which is known only when the answer before it
	// is there.
	Chain(keys Keys, n int) uint64
}

// Table is a ring that a library has built.
type Table interface {
	Looker
	// Owner returns the name of the node that owns a key.
	Owner(key string) string
	// Impl returns a value or a function of the library, so that tests see whose
	// it is.
	Impl() any
}

// Change is what happens to one node.
type Change struct {
	Remove string // by name
	Set    *Node  // added, or given another weight
}

// After returns the nodes after a change. The last node takes the place of a
// removed one: that is the least that a library can see which counts its nodes.
func (c Change) After(nodes []Node) []Node {
	after := slices.Clone(nodes)
	if at := slices.IndexFunc(after, func(n Node) bool { return n.Name == c.Remove }); at >= 0 {
		after[at] = after[len(after)-1]
		after = after[:len(after)-1]
	}
	if c.Set == nil {
		return after
	}
	if at := slices.IndexFunc(after, func(n Node) bool { return n.Name == c.Set.Name }); at >= 0 {
		after[at] = *c.Set
		return after
	}
	return append(after, *c.Set)
}

// Subject is a library, or a way to use one.
type Subject struct {
	Name   string
	Roost  bool   // one of roost's own rings
	Module string // of the library; empty for roost and what is written here
	Note   string // what to know when one reads its numbers
	Points int    // of a node of weight 1; 0 where there are none
	// Weighted says that a node's weight counts.
	Weighted bool
	// Mutable says that the table that Next was given is of no use any more.
	Mutable bool
	// SlowFrom is the number of nodes from which a build takes many seconds; 0 is
	// never.
	SlowFrom int
	// New builds a ring.
	New func(nodes []Node) (Table, error)
	// Next applies a change to a ring that New or Next has made; after are the nodes
	// that there are then.
	Next func(t Table, c Change, after []Node) (Table, error)
}

// rebuilt is Next for those that cannot change a ring.
func rebuilt(build func([]Node) (Table, error)) func(Table, Change, []Node) (Table, error) {
	return func(_ Table, _ Change, after []Node) (Table, error) { return build(after) }
}

// Version returns the version of the library that is linked, or "".
func (s Subject) Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || s.Module == "" {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == s.Module {
			// A version without a tag is a time and a commit: the commit says enough.
			if at := strings.LastIndex(m.Version, "-"); strings.HasPrefix(m.Version, "v0.0.0-") && at > 0 {
				return m.Version[at+1:]
			}
			return m.Version
		}
	}
	return ""
}

// All returns all subjects that place keys: roost's first, then its peers.
func All() []Subject {
	return []Subject{
		Roost("roost", PointsPerUnit, false),
		Roost("roost x 640", 640, false),
		Roost("roost, not calibrated", PointsPerUnit, true),
		seedPreset, ringhash, serialx, groupcache, goZero, rendezvousPeer, jumpPeer, maglev,
	}
}
