package presence

import (
	"hash/maphash"

	"roost/server/idmap"
)

// table is the devices that are connected to this node: 40 bytes each, and the id in
// idmap's (16 + 4 + about 8), without a pointer. It is not safe for concurrent use.
type table struct {
	seed    maphash.Seed
	ids     *idmap.Map
	entries []entry
}

// entry is one device.
type entry struct {
	sid       uint64
	connected int64
	inbound   int64
	fence     uint32 // as the store knows it, unless provisional
	given     uint32 // as the connection was told
	bits      uint8
}

// Bits of an entry.
const (
	provisional uint8 = 1 << iota // the store has not heard of the session
	asserting                     // the store does not know it any more: to be asserted
)

func newTable() *table {
	seed := maphash.MakeSeed()
	return &table{seed: seed, ids: idmap.New(seed)}
}

// find returns the place of a device.
func (t *table) find(device string) (uint32, *entry) {
	id := []byte(device) // does not escape
	n, ok := t.ids.Find(idmap.Hash(t.seed, id), id)
	if !ok {
		return 0, nil
	}
	return n, &t.entries[n]
}

// put makes room for a device, or returns its entry. nil: the table is full.
func (t *table) put(device string) (uint32, *entry) {
	if n, e := t.find(device); e != nil {
		return n, e
	}
	id := []byte(device)
	n, ok := t.ids.Insert(idmap.Hash(t.seed, id), id)
	if !ok {
		return 0, nil
	}
	for int(n) >= len(t.entries) {
		t.entries = append(t.entries, entry{})
	}
	t.entries[n] = entry{}
	return n, &t.entries[n]
}

func (t *table) remove(n uint32) {
	t.entries[n] = entry{}
	t.ids.Remove(n)
}

// at returns the device with a number, or nil.
func (t *table) at(n uint32) (string, *entry) {
	if !t.ids.Used(n) {
		return "", nil
	}
	return string(t.ids.ID(n)), &t.entries[n]
}

// end is above all numbers.
func (t *table) end() uint32 { return t.ids.End() }

func (t *table) len() int { return t.ids.Len() }
