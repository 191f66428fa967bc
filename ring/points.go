package ring

import (
	"math/bits"
	"slices"
)

// chunk holds the points whose hashes share their top bits, sorted by hash and
// then by node id. The chunks of a published ring never change: a new ring
// shares those in which nothing has happened, and that makes a change cheap
// (copying all points of 1,024 nodes would be 1.6 MB).
type chunk struct {
	hash []uint64
	node []Index
}

// pointsPerChunk is how many points a chunk has on average, to a factor of 2:
// few enough that copying one is nothing (1 KB), many enough that the list of
// chunks is short.
const pointsPerChunk = 64

// chunkBits returns the logarithm of the number of chunks for so many points.
func chunkBits(points int) int {
	return max(bits.Len(uint(points/pointsPerChunk)), 1)
}

// search returns the first place in c whose hash is not below h.
func (c *chunk) search(h uint64) int {
	i, _ := slices.BinarySearch(c.hash, h)
	return i
}

// compact moves the points into two arrays without room between: chunks that were
// written to have some, and keep what they were copied from alive.
func (r *Ring) compact() {
	hashes, owners := make([]uint64, 0, r.points), make([]Index, 0, r.points)
	chunks := make([]chunk, len(r.chunks))
	for i, c := range r.chunks {
		from := len(hashes)
		hashes, owners = append(hashes, c.hash...), append(owners, c.node...)
		chunks[i] = chunk{hashes[from:len(hashes):len(hashes)], owners[from:len(owners):len(owners)]}
		r.chunks[i] = &chunks[i]
	}
}

// point is a place on the circle and who owns it: of several points with one
// hash the node with the smallest id.
type point struct {
	hash uint64
	node Index
}

func (r *Ring) chunkOf(h uint64) int { return int(h >> (r.chunkShift & 63)) }

// at returns the point at exactly h.
func (r *Ring) at(h uint64) (point, bool) {
	c := r.chunks[r.chunkOf(h)]
	if i := c.search(h); i < len(c.hash) && c.hash[i] == h {
		return point{h, c.node[i]}, true
	}
	return point{}, false
}

// after returns the next point clockwise from h, one at h itself only if there
// is no other. There must be a point.
func (r *Ring) after(h uint64) point {
	c := r.cursor(h + 1)
	return point{c.hash(), c.node()}
}

// before returns the next point counter-clockwise from h, one at h itself only
// if there is no other. There must be a point.
func (r *Ring) before(h uint64) point {
	c := r.cursor(h)
	c.back()
	p, _ := r.at(c.hash()) // the smallest id, if several are there
	return p
}
