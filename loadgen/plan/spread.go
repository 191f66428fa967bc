package plan

import (
	"math"
	"slices"
)

// Shard returns how many of total clients worker has, if client c is that of
// worker c mod workers.
func Shard(total, worker, workers int) int {
	if worker < 0 || worker >= workers || total <= worker {
		return 0
	}
	return (total - worker + workers - 1) / workers
}

// Chosen tells whether a client is one of a share of all. Of any first n
// clients, within 1 of n*share are chosen; which ones depends on the seed, so
// that a choice is no function of c mod workers, or of another choice.
func Chosen(client uint32, share float64, seed uint64) bool {
	in, _ := split(uint64(client), share, seed)
	return in
}

// Groups is a division of the clients into groups.
type Groups struct {
	seed  uint64
	nodes []groupNode // the last is the root
}

// groupNode is a group, or two nodes among which its clients are split: a
// Huffman tree by share, in which no client's way is long.
type groupNode struct {
	share       float64
	group       int // if there is nothing below
	left, right int // nodes; left 0 and right 0: none
}

// NewGroups divides clients by shares, which add up to 1: what they lack or
// exceed is made up in proportion. Of any first n clients, each of two groups
// has within 1 of its share, of more groups within 3. Without shares there is
// group 0.
func NewGroups(shares []float64, seed uint64) *Groups {
	g := &Groups{seed: seed}
	var open []int
	for i, s := range shares {
		if s > 0 {
			g.nodes = append(g.nodes, groupNode{share: s, group: i})
			open = append(open, len(g.nodes)-1)
		}
	}
	for len(open) > 1 {
		slices.SortStableFunc(open, func(a, b int) int {
			switch x, y := g.nodes[a].share, g.nodes[b].share; {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return a - b
		})
		a, b := open[len(open)-2], open[len(open)-1]
		g.nodes = append(g.nodes, groupNode{share: g.nodes[a].share + g.nodes[b].share, left: a, right: b})
		open = append(open[:len(open)-2], len(g.nodes)-1)
	}
	return g
}

// Of returns the group of a client.
func (g *Groups) Of(client uint32) int {
	if len(g.nodes) == 0 {
		return 0
	}
	at, m := len(g.nodes)-1, uint64(client)
	for {
		n := &g.nodes[at]
		if n.left == n.right {
			return n.group
		}
		var in bool
		if in, m = split(m, g.nodes[n.left].share/n.share, mix(g.seed, uint64(at))); in {
			at = n.left
		} else {
			at = n.right
		}
	}
}

// split tells whether element m is one of a share of all, and how many before
// it are on its side. For a share up to a half, the elements are cut into
// strata of 1/share, and one of each, by the seed, is in; for a larger one, one
// of each is out.
func split(m uint64, share float64, seed uint64) (in bool, before uint64) {
	switch {
	case !(share > 1e-12): // nobody of 2^32, and NaN
		return false, m
	case share >= 1:
		return true, m
	case share > .5:
		out, before := split(m, 1-share, seed)
		return !out, before
	}
	edge := func(stratum uint64) uint64 { return uint64(math.Ceil(float64(stratum) / share)) }
	stratum := uint64(float64(m) * share)
	for edge(stratum) > m { // rounding may be off by one either way
		stratum--
	}
	for edge(stratum+1) <= m {
		stratum++
	}
	first := edge(stratum)
	one := first + uint64(unit(mix(seed, stratum))*float64(edge(stratum+1)-first))
	if m == one {
		return true, stratum
	}
	ahead := stratum
	if one < m {
		ahead++
	}
	return false, m - ahead
}
