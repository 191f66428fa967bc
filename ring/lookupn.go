package ring

import (
	"slices"
	"strings"
)

// LookupN appends up to n different nodes to dst, for a caller that falls back
// when one does not answer: the owner of the key first, then the others by how
// near their nearest point is to the middle of the key's slot. It gives fewer if
// fewer have weight. It does not allocate if dst has room. With n near the number
// of nodes it walks most of the ring (some ms); for a few nodes it takes a
// microsecond.
func (r *Ring) LookupN(dst []Index, key string, n int) []Index {
	return r.OwnersN(dst, Hash(key), n)
}

// OwnersN is LookupN for who has the key's Hash already.
func (r *Ring) OwnersN(dst []Index, hash uint64, n int) []Index {
	if n = min(n, r.owners); n <= 0 {
		return dst
	}
	if n <= 16 {
		return r.nearest(dst, r.middle(hash), n, nil)
	}
	var seen nodeSet // 8 KiB of stack
	return r.nearest(dst, r.middle(hash), n, &seen)
}

// middle returns the middle of a hash's slot.
func (r *Ring) middle(hash uint64) uint64 {
	shift := r.shift & 63
	return hash>>shift<<shift | 1<<(shift-1)
}

// nearest walks from m both ways, the nearer points first, and collects the
// nodes that it has not met. seen, if given, marks those it has; without it they
// are looked for among the few that were found.
func (r *Ring) nearest(dst []Index, m uint64, n int, seen *nodeSet) []Index {
	begin := len(dst)
	right, left := r.cursor(m), r.cursor(m)
	left.back()
	for walked := 0; walked < r.points && len(dst)-begin < n; {
		// All points at the smallest distance, which are hardly ever more than one.
		group := len(dst)
		dr, dl := right.hash()-m, m-left.hash()
		for d := dr; dr <= dl && right.hash()-m == d && walked < r.points; walked++ {
			dst = collect(dst, begin, right.node(), seen)
			right.next()
		}
		for d := dl; dl <= dr && m-left.hash() == d && walked < r.points; walked++ {
			dst = collect(dst, begin, left.node(), seen)
			left.back()
		}
		if len(dst)-group > 1 {
			slices.SortFunc(dst[group:], func(a, b Index) int { return strings.Compare(r.nodes[a].ID, r.nodes[b].ID) })
		}
	}
	return dst[:min(len(dst), begin+n)]
}

// nodeSet is a set of Index.
type nodeSet [MaxNodes/64 + 1]uint64

// collect appends a node unless it is there already.
func collect(dst []Index, begin int, v Index, seen *nodeSet) []Index {
	if seen == nil {
		if slices.Contains(dst[begin:], v) {
			return dst
		}
		return append(dst, v)
	}
	word, bit := &seen[v/64], uint64(1)<<(v%64)
	if *word&bit != 0 {
		return dst
	}
	*word |= bit
	return append(dst, v)
}

// cursor is a place among the points.
type cursor struct {
	r     *Ring
	chunk int
	at    int
}

// cursor returns the first point at h or after it.
func (r *Ring) cursor(h uint64) cursor {
	c := cursor{r: r, chunk: r.chunkOf(h)}
	c.at = r.chunks[c.chunk].search(h)
	c.skipForward()
	return c
}

func (c *cursor) hash() uint64 { return c.r.chunks[c.chunk].hash[c.at] }
func (c *cursor) node() Index  { return c.r.chunks[c.chunk].node[c.at] }

func (c *cursor) next() {
	c.at++
	c.skipForward()
}

func (c *cursor) skipForward() {
	for c.at == len(c.r.chunks[c.chunk].hash) {
		c.chunk, c.at = (c.chunk+1)&(len(c.r.chunks)-1), 0
	}
}

func (c *cursor) back() {
	for c.at == 0 {
		c.chunk = (c.chunk - 1) & (len(c.r.chunks) - 1)
		c.at = len(c.r.chunks[c.chunk].hash)
	}
	c.at--
}
