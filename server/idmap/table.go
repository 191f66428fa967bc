package idmap

// table is an open-addressing hash table from ids to numbers (entries). A place
// holds 8 bits of the hash, which spare nearly all comparisons with other
// devices' ids, and the entry's number + 1; 0 is free. Linear probing, at most
// three quarters full, and removal closes the gap, so there are no tombstones.
type table struct {
	places []uint32
	used   int
}

const (
	entryBits  = 24
	maxEntries = 1<<entryBits - 1
	minPlaces  = 16
)

// find returns the place of the entry for which same says yes, or the free
// place where it would go.
func (t *table) find(hash uint64, same func(entry uint32) bool) (place int, found bool) {
	mask := len(t.places) - 1
	tag := uint32(hash>>56) << entryBits
	for i := int(hash) & mask; ; i = (i + 1) & mask {
		p := t.places[i]
		if p == 0 {
			return i, false
		}
		if p&^maxEntries == tag && same(p&maxEntries-1) {
			return i, true
		}
	}
}

// grow makes room for one more; hashOf returns the hash of an entry's id.
func (t *table) grow(hashOf func(entry uint32) uint64) {
	if t.used+1 <= len(t.places)/4*3 {
		return
	}
	old := t.places
	t.places = make([]uint32, max(minPlaces, 2*len(old)))
	mask := len(t.places) - 1
	for _, p := range old {
		if p == 0 {
			continue
		}
		i := int(hashOf(p&maxEntries-1)) & mask
		for t.places[i] != 0 {
			i = (i + 1) & mask
		}
		t.places[i] = p
	}
}

// set fills a free place that find returned.
func (t *table) set(place int, hash uint64, entry uint32) {
	t.places[place] = uint32(hash>>56)<<entryBits | (entry + 1)
	t.used++
}

// remove frees a place and moves back what had been pushed behind it.
func (t *table) remove(place int, hashOf func(entry uint32) uint64) {
	mask := len(t.places) - 1
	t.used--
	gap := place
	for i := (gap + 1) & mask; t.places[i] != 0; i = (i + 1) & mask {
		home := int(hashOf(t.places[i]&maxEntries-1)) & mask
		// The entry at i may fill the gap unless its home lies between them.
		if (i-home)&mask >= (i-gap)&mask {
			t.places[gap] = t.places[i]
			gap = i
		}
	}
	t.places[gap] = 0
}
