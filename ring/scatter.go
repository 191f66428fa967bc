package ring

// scatter makes the chunks of a ring that has none: two counting sorts, by the
// top bits of the hashes into parts that the first-level cache holds, then each
// part into buckets of one or two points, and an insertion sort for the rest. One
// counting sort into so many buckets would write all over 1.6 MB and take twice
// as long. The chunks are cut from two arrays.
func (r *Ring) scatter() {
	bits := chunkBits(r.points)
	r.chunkShift = uint8(64 - bits)
	partBits := min(bits, 8)
	hashes, owners, ends := r.partition(partBits)
	chunks := make([]chunk, 1<<bits)
	r.chunks = make([]*chunk, len(chunks))
	var b buckets
	b.shift, b.ends = r.chunkShift-bucketBits, make([]uint32, 1<<(bits-partBits+bucketBits))
	from, at := uint32(0), 0
	for _, to := range ends {
		b.sort(hashes[from:to], owners[from:to])
		for i := bucketsPerChunk - 1; i < len(b.ends); i += bucketsPerChunk {
			end := from + b.ends[i]
			begin := from
			if i >= bucketsPerChunk {
				begin += b.ends[i-bucketsPerChunk]
			}
			chunks[at] = chunk{hashes[begin:end:end], owners[begin:end:end]}
			sortChunk(&chunks[at])
			r.chunks[at] = &chunks[at]
			at++
		}
		from = to
	}
}

// partition returns all points by the top bits of their hashes, within a part in
// the order of ids, and where each part ends.
func (r *Ring) partition(bits int) (hashes []uint64, owners []Index, ends []uint32) {
	shift := 64 - bits
	ends = make([]uint32, 1<<bits)
	for v, seed := range r.seeds {
		for i := range r.counts[v] {
			ends[pointHash(seed, i)>>(shift&63)]++
		}
	}
	beginnings(ends)
	hashes, owners = make([]uint64, r.points), make([]Index, r.points)
	for v, seed := range r.seeds {
		for i := range r.counts[v] {
			h := pointHash(seed, i)
			to := &ends[h>>(shift&63)]
			hashes[*to], owners[*to] = h, Index(v)
			*to++
		}
	}
	return hashes, owners, ends
}

// beginnings turns how many there are of each into where each begins.
func beginnings(counts []uint32) {
	at := uint32(0)
	for i, n := range counts {
		counts[i] = at
		at += n
	}
}

// A chunk has so many buckets: one or two points in each.
const (
	bucketBits      = 6
	bucketsPerChunk = 1 << bucketBits
)

// buckets sorts parts of the points.
type buckets struct {
	shift  uint8
	ends   []uint32 // of each bucket within the part
	hashes []uint64 // copy of the part
	owners []Index
}

// sort brings a part into the order of the buckets.
func (b *buckets) sort(hashes []uint64, owners []Index) {
	clear(b.ends)
	mask := uint64(len(b.ends) - 1)
	for _, h := range hashes {
		b.ends[h>>(b.shift&63)&mask]++
	}
	beginnings(b.ends)
	b.hashes, b.owners = append(b.hashes[:0], hashes...), append(b.owners[:0], owners...)
	for i, h := range b.hashes {
		to := &b.ends[h>>(b.shift&63)&mask]
		hashes[*to], owners[*to] = h, b.owners[i]
		*to++
	}
}

// sortChunk sorts by insertion: a chunk is almost in order. Points are written
// in the order of ids, and stay in it where hashes are equal.
func sortChunk(c *chunk) {
	for i := 1; i < len(c.hash); i++ {
		h, v := c.hash[i], c.node[i]
		j := i
		for ; j > 0 && c.hash[j-1] > h; j-- {
			c.hash[j], c.node[j] = c.hash[j-1], c.node[j-1]
		}
		c.hash[j], c.node[j] = h, v
	}
}
