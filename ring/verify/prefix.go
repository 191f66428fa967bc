package verify

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

const (
	// MaxPrefix is the length in bytes of the longest prefix that is looked at.
	MaxPrefix = 16
	// mostPrefixes bounds the tree: 16,384 nodes, some 10 MB with two placements.
	mostPrefixes = 1 << 14
	// firstNeed is how many lines a prefix must have missed before it gets a child.
	firstNeed = 16
	// strata is into how many parts of the hash the ids below a prefix are counted.
	strataBits = 6
	strata     = 1 << strataBits
)

// prefixes is a tree of the prefixes that have many ids or much load. A prefix
// gets a child when enough mass has passed through it that no child took, where a
// line's mass is 1 plus its load over the mean load; so a child misses about need
// of its mass, and every prefix in the tree has at least need. When the tree is
// full, need doubles and what has less goes.
type prefixes struct {
	nodes      []prefixNode // 0 is the empty prefix
	hist       []uint32     // by node, placement and stratum: ids
	placements int
	free       []int32
	need       float64
	lines      float64
	load       float64
}

type prefixNode struct {
	ids, load, lines float64
	mass, missed     float64
	child, sibling   int32 // 0 is none
	parent           int32
	b                byte
	depth            uint8
}

func newPrefixes(placements int) *prefixes {
	p := &prefixes{placements: placements, need: firstNeed}
	p.alloc()
	return p
}

// alloc returns an empty node.
func (p *prefixes) alloc() int32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		p.nodes[i] = prefixNode{}
		clear(p.histOf(i, 0)[:p.placements*strata])
		return i
	}
	p.nodes = append(p.nodes, prefixNode{})
	p.hist = append(p.hist, make([]uint32, p.placements*strata)...)
	return int32(len(p.nodes) - 1)
}

// histOf returns the counts of a node from a placement on.
func (p *prefixes) histOf(node int32, placement int) []uint32 {
	return p.hist[(int(node)*p.placements+placement)*strata:]
}

// add counts a line. fresh is how many ids it stands for that have not been there,
// hashes are those of the placements.
func (p *prefixes) add(id []byte, fresh, load float64, hashes []uint64) {
	p.lines++
	p.load += load
	mass := 1.0
	if p.load > 0 {
		mass += load * p.lines / p.load
	}
	at := int32(0)
	for depth := 0; ; depth++ {
		n := &p.nodes[at]
		n.ids += fresh
		n.load += load
		n.lines++
		n.mass += mass
		if fresh > 0 {
			for i, h := range hashes {
				p.histOf(at, i)[h>>(64-strataBits)]++
			}
		}
		if depth == MaxPrefix || depth == len(id) {
			return
		}
		next := n.child
		for next != 0 && p.nodes[next].b != id[depth] {
			next = p.nodes[next].sibling
		}
		if next == 0 {
			if n.missed += mass; n.missed < p.need {
				return
			}
			next = p.grow(at, id[depth])
		}
		at = next
	}
}

// grow gives a node a child.
func (p *prefixes) grow(parent int32, b byte) int32 {
	p.nodes[parent].missed = 0
	i := p.alloc()
	n := &p.nodes[parent]
	p.nodes[i] = prefixNode{parent: parent, sibling: n.child, b: b, depth: n.depth + 1}
	n.child = i
	return i
}

// shrink makes room if the tree is full. It is called between lines.
func (p *prefixes) shrink() {
	for len(p.nodes)-len(p.free) > mostPrefixes-MaxPrefix {
		p.need *= 2
		p.prune(0)
	}
}

// prune removes what is below a node and has less mass than need.
func (p *prefixes) prune(at int32) {
	link := &p.nodes[at].child
	for *link != 0 {
		i := *link
		if p.nodes[i].mass >= p.need {
			p.prune(i)
			link = &p.nodes[i].sibling
			continue
		}
		*link = p.nodes[i].sibling
		p.release(i)
	}
}

func (p *prefixes) release(i int32) {
	for c := p.nodes[i].child; c != 0; {
		next := p.nodes[c].sibling
		p.release(c)
		c = next
	}
	p.free = append(p.free, i)
}

// text returns the prefix of a node.
func (p *prefixes) text(i int32) string {
	var b []byte
	for ; i != 0; i = p.nodes[i].parent {
		b = append(b, p.nodes[i].b)
	}
	slices.Reverse(b)
	return string(b)
}

// walk calls visit for each prefix but the empty one.
func (p *prefixes) walk(at int32, visit func(i int32, n *prefixNode)) {
	for c := p.nodes[at].child; c != 0; c = p.nodes[c].sibling {
		visit(c, &p.nodes[c])
		p.walk(c, visit)
	}
}

// longest follows a prefix to the longest one that practically all its lines
// have. Of the empty prefix that is what all ids have in common.
func (p *prefixes) longest(at int32) int32 {
	for c := p.nodes[at].child; c != 0; {
		all, n := p.nodes[at].lines, &p.nodes[c]
		if n.lines+2*p.need >= 0.999*all && n.lines >= 0.9*all {
			at, c = c, n.child
			continue
		}
		c = n.sibling
	}
	return at
}

// ranked is a prefix with what makes it stand out.
type ranked struct {
	node int32
	by   float64
}

// pick returns up to most prefixes with the largest by, none of them below
// another: of a line of prefixes the one that stands out most, and the longest of
// those that do as much.
func (p *prefixes) pick(found []ranked, most int) (picked []ranked) {
	slices.SortFunc(found, func(a, b ranked) int {
		// Rounded, so that a chain of prefixes with the same ids is one rank.
		return cmp.Or(cmp.Compare(math.Round(b.by*1e9), math.Round(a.by*1e9)),
			cmp.Compare(p.nodes[b.node].depth, p.nodes[a.node].depth), cmp.Compare(p.text(a.node), p.text(b.node)))
	})
	for _, f := range found {
		if len(picked) == most {
			break
		}
		if !slices.ContainsFunc(picked, func(o ranked) bool { return p.above(f.node, o.node) || p.above(o.node, f.node) }) {
			picked = append(picked, f)
		}
	}
	return picked
}

// above reports whether a is a prefix of b.
func (p *prefixes) above(a, b int32) bool {
	for p.nodes[b].depth > p.nodes[a].depth {
		b = p.nodes[b].parent
	}
	return a == b
}

// moreLoad finds prefixes with at least a share of all load, and at least twice
// the load of their part of the ids, by how much more load they have. The load of
// hot ids is not their prefixes'.
func (p *prefixes) moreLoad(share float64, hot []hotID) (found []ranked) {
	all := &p.nodes[0]
	if all.load <= 0 || all.ids <= 0 {
		return nil
	}
	p.walk(0, func(i int32, n *prefixNode) {
		load, ids := n.load/all.load, n.ids/all.ids
		if load < share || load < 2*ids {
			return
		}
		text := p.text(i)
		for _, h := range hot {
			if strings.HasPrefix(h.id, text) {
				load -= h.load / all.load
			}
		}
		if load >= share && load >= 2*ids {
			found = append(found, ranked{i, load - ids})
		}
	})
	return found
}

// uneven finds prefixes whose ids are not spread over the hash of a placement, by
// chi-square.
func (p *prefixes) uneven(placement int) (found []ranked) {
	p.walk(0, func(i int32, n *prefixNode) {
		x := p.chiSquare(i, placement)
		// 16,384 prefixes are looked at, so chance has as many tries.
		if x.P < veryRare/mostPrefixes && x.Excess > 0.2 {
			found = append(found, ranked{i, x.Value})
		}
	})
	return found
}

// chiSquare is that of the ids below a prefix over the strata.
func (p *prefixes) chiSquare(node int32, placement int) ChiSquare {
	c := cells{counts: make([]float64, strata)}
	for i, n := range p.histOf(node, placement)[:strata] {
		c.counts[i] = float64(n)
		c.effective += float64(n)
	}
	if c.effective < 10*strata {
		return ChiSquare{Freedom: strata - 1, P: 1}
	}
	x := c.chiSquare(c.effective, c.shareOf)
	x.Perfect = float64(x.Freedom)
	return x
}
