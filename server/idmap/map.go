package idmap

import "hash/maphash"

// Max is the number of ids that a Map can hold.
const Max = maxEntries

// refsPerChunk is how many numbers are made room for at once.
const refsPerChunk = 256

// noID marks a number that is free; no cell has it (class 7, last cell).
const noID = ^idRef(0)

// Map numbers ids. It is not safe for concurrent use.
type Map struct {
	seed  maphash.Seed
	table table
	refs  []*[refsPerChunk]idRef // by number
	used  uint32                 // numbers ever used
	free  []uint32               // numbers given back
	ids   arena
}

// New returns an empty map. Maps of one seed share hashes.
func New(seed maphash.Seed) *Map { return &Map{seed: seed} }

// Hash returns the hash of an id for the other methods.
func Hash(seed maphash.Seed, id []byte) uint64 { return maphash.Bytes(seed, id) }

// Len returns how many ids are in the map.
func (m *Map) Len() int { return m.table.used }

// End returns a number above all that are in use, for loops over them.
func (m *Map) End() uint32 { return m.used }

// Used reports whether n is the number of an id.
func (m *Map) Used(n uint32) bool { return n < m.used && *m.ref(n) != noID }

// ID returns the id with number n, valid until it is removed. n must be in use.
func (m *Map) ID(n uint32) []byte { return m.ids.get(*m.ref(n)) }

// Find returns the number of an id.
func (m *Map) Find(hash uint64, id []byte) (n uint32, ok bool) {
	if m.table.used == 0 {
		return 0, false
	}
	place, ok := m.find(hash, id)
	if !ok {
		return 0, false
	}
	return m.table.places[place]&maxEntries - 1, true
}

// Insert numbers an id that is not in the map; the number given back last is
// used first. It reports false when the map holds Max. id has 1 to MaxID bytes.
func (m *Map) Insert(hash uint64, id []byte) (n uint32, ok bool) {
	n, ok = m.alloc()
	if !ok {
		return 0, false
	}
	*m.ref(n) = m.ids.put(id)
	m.table.grow(m.hashOf)
	place, _ := m.find(hash, id)
	m.table.set(place, hash, n)
	return n, true
}

// Place numbers an id that is not in the map with a number that is free, to
// rebuild a map. It reports false for numbers from Max on. Call Rebuilt at the
// end.
func (m *Map) Place(hash uint64, id []byte, n uint32) bool {
	if n >= Max {
		return false
	}
	for m.used <= n {
		if int(m.used/refsPerChunk) == len(m.refs) {
			m.refs = append(m.refs, new([refsPerChunk]idRef))
		}
		*m.ref(m.used) = noID
		m.used++
	}
	*m.ref(n) = m.ids.put(id)
	m.table.grow(m.hashOf)
	place, _ := m.find(hash, id)
	m.table.set(place, hash, n)
	return true
}

// Rebuilt ends a series of Place and Remove: the numbers between are free.
func (m *Map) Rebuilt() {
	m.free = m.free[:0]
	for n := m.used; n > 0; n-- {
		if *m.ref(n - 1) == noID {
			m.free = append(m.free, n-1)
		}
	}
}

// Remove takes the id with number n out. n must be in use.
func (m *Map) Remove(n uint32) {
	ref := *m.ref(n)
	place, found := m.table.find(m.hashOf(n), func(o uint32) bool { return o == n })
	if !found {
		panic("BUG: idmap: an id is not in the table")
	}
	m.table.remove(place, m.hashOf)
	m.ids.drop(ref)
	*m.ref(n) = noID
	m.free = append(m.free, n)
}

func (m *Map) find(hash uint64, id []byte) (place int, found bool) {
	return m.table.find(hash, func(n uint32) bool { return string(m.ids.get(*m.ref(n))) == string(id) })
}

func (m *Map) hashOf(n uint32) uint64 { return maphash.Bytes(m.seed, m.ids.get(*m.ref(n))) }

func (m *Map) ref(n uint32) *idRef { return &m.refs[n/refsPerChunk][n%refsPerChunk] }

func (m *Map) alloc() (uint32, bool) {
	if n := len(m.free); n > 0 {
		i := m.free[n-1]
		m.free = m.free[:n-1]
		return i, true
	}
	if m.used >= Max {
		return 0, false
	}
	i := m.used
	if int(i/refsPerChunk) == len(m.refs) {
		m.refs = append(m.refs, new([refsPerChunk]idRef))
	}
	m.used++
	return i, true
}
