package inbox

// perChunk is how many values of a slab are allocated at once.
const perChunk = 256

// slab numbers values without a pointer each. Number 0 is never given.
type slab[T any] struct {
	chunks []*[perChunk]T
	end    uint32 // numbers below were given once
	free   []uint32
}

// at returns value i, which was given.
func (s *slab[T]) at(i uint32) *T { return &s.chunks[i/perChunk][i%perChunk] }

// len returns how many values are in use.
func (s *slab[T]) len() int { return max(int(s.end)-1, 0) - len(s.free) }

// alloc gives a zero value.
func (s *slab[T]) alloc() (i uint32, v *T) {
	if n := len(s.free); n > 0 {
		i = s.free[n-1]
		s.free = s.free[:n-1]
		return i, s.at(i)
	}
	i = max(s.end, 1)
	s.end = i + 1
	for int(i/perChunk) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([perChunk]T))
	}
	return i, s.at(i)
}

// release takes a value back. When none is left the memory goes too.
func (s *slab[T]) release(i uint32) {
	var zero T
	*s.at(i) = zero
	s.free = append(s.free, i)
	if len(s.free) == int(s.end)-1 && len(s.chunks) > 4 {
		*s = slab[T]{}
	}
}
