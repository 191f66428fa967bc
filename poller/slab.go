package poller

// chunkSlots is the number of records in one chunk of a Slab.
const chunkSlots = 1024

// Slab is a growing array that never moves its records: chunks of 1,024, so
// that growth copies nothing and a pointer from At stays good. With a T that
// holds no pointers the garbage collector has nothing to mark in it. It is
// not safe for concurrent use: a loop owns it, as it owns the slots that index
// it.
type Slab[T any] struct {
	chunks []*[chunkSlots]T
}

// At returns record i, allocating its chunk if there is none yet.
func (s *Slab[T]) At(i uint32) *T {
	c := i / chunkSlots
	for uint32(len(s.chunks)) <= c {
		s.chunks = append(s.chunks, new([chunkSlots]T))
	}
	return &s.chunks[c][i%chunkSlots]
}
