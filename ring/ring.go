package ring

import (
	"fmt"
	"iter"
	"slices"
)

// Index is a node's place in one Ring. It means nothing in another Ring: ids
// do. Small and dense, so that counters can be arrays (see Ring.Places).
type Index uint16

// None is the Index of no node: the answer of a ring in which nobody has
// weight.
const None Index = 0xffff

// Ring says which node owns a key. It never changes, so any number of
// goroutines may use it. Build, Apply and Definition.Ring make one; the zero value
// is none. See the package's documentation for the rule.
type Ring struct {
	// What a lookup touches, within one cache line.
	table []Index // the owner of each slot: 2^bits
	shift uint8   // 64 - bits

	// The definition.
	version uint64
	perUnit int
	nodes   []Node   // by Index; a free place has no ID
	counts  []uint32 // by Index: points
	order   []Index  // the nodes by id

	// Derived from it.
	seeds      []uint64 // by Index: hash of the id
	slots      []uint32 // by Index: slots of the table owned
	chunks     []*chunk // a power of two of them
	chunkShift uint8
	points     int     // of all nodes
	owners     int     // nodes with points
	weights    float64 // sum, in the order of ids, so that it does not depend on history
}

// Lookup returns the owner of a key, or None. It does not allocate.
func (r *Ring) Lookup(key string) Index {
	if n := len(key); n >= 9 && n <= 16 {
		return r.table[hash16([]byte(key))>>(r.shift&63)]
	}
	return r.table[Hash(key)>>(r.shift&63)]
}

// LookupBytes is Lookup for bytes.
func (r *Ring) LookupBytes(key []byte) Index {
	if n := len(key); n >= 9 && n <= 16 {
		return r.table[hash16(key)>>(r.shift&63)]
	}
	return r.table[HashBytes(key)>>(r.shift&63)]
}

// Owner is Lookup for who has the key's Hash already.
func (r *Ring) Owner(hash uint64) Index { return r.table[hash>>(r.shift&63)] }

// Version returns the number that the ring was built with.
func (r *Ring) Version() uint64 { return r.version }

// PointsPerUnit returns how many points a weight of 1 stands for.
func (r *Ring) PointsPerUnit() int { return r.perUnit }

// TableBits returns the logarithm of the number of slots.
func (r *Ring) TableBits() int { return int(64 - r.shift) }

// TableSlots returns the number of slots: all keys of a slot have one owner.
func (r *Ring) TableSlots() int { return len(r.table) }

// Slot returns the owner of slot s, 0 to TableSlots-1: that of the hashes whose
// top TableBits bits are s.
func (r *Ring) Slot(s int) Index { return r.table[s] }

// Len returns the number of nodes, those without weight included.
func (r *Ring) Len() int { return len(r.order) }

// Places returns one more than the largest Index of a node: the length of an
// array by Index. It is Len, or more after nodes were removed.
func (r *Ring) Places() int { return len(r.nodes) }

// Node returns the node at an Index that this ring has given. The caller must
// not change it. It is nil for None and for an Index of no node.
func (r *Ring) Node(i Index) *Node {
	if int(i) >= len(r.nodes) || r.nodes[i].ID == "" {
		return nil
	}
	return &r.nodes[i]
}

// Nodes returns the nodes with their Index, by id.
func (r *Ring) Nodes() iter.Seq2[Index, *Node] {
	return func(yield func(Index, *Node) bool) {
		for _, i := range r.order {
			if !yield(i, &r.nodes[i]) {
				return
			}
		}
	}
}

// Find returns the Index of the node with an id, or None.
func (r *Ring) Find(id string) Index {
	if at, ok := r.find(id); ok {
		return r.order[at]
	}
	return None
}

// find returns where in order an id is or belongs.
func (r *Ring) find(id string) (int, bool) {
	return slices.BinarySearchFunc(r.order, id, func(i Index, id string) int {
		switch other := r.nodes[i].ID; {
		case other < id:
			return -1
		case other > id:
			return 1
		}
		return 0
	})
}

// Points returns how many points a node has; 0 for None.
func (r *Ring) Points(i Index) int {
	if int(i) >= len(r.counts) {
		return 0
	}
	return int(r.counts[i])
}

// Slots returns how many slots of the table a node owns; 0 for None. Its realised
// share is Slots / TableSlots.
func (r *Ring) Slots(i Index) int {
	if int(i) >= len(r.slots) {
		return 0
	}
	return int(r.slots[i])
}

// Target returns how many slots a node should own: the table divided by weight;
// 0 for None. Where weights sum to infinity, which only a snapshot made elsewhere
// can bring about, it is 0 for all.
func (r *Ring) Target(i Index) float64 {
	if r.weights == 0 || int(i) >= len(r.nodes) {
		return 0
	}
	return r.nodes[i].Weight / r.weights * float64(len(r.table))
}

// sum sets what is summed over the nodes.
func (r *Ring) sum() {
	r.weights, r.owners = 0, 0
	for _, i := range r.order {
		r.weights += r.nodes[i].Weight
		if r.counts[i] > 0 {
			r.owners++
		}
	}
}

// String describes the ring in a line.
func (r *Ring) String() string {
	return fmt.Sprintf("ring %d: %d nodes, %d points, 2^%d slots", r.version, r.Len(), r.points, r.TableBits())
}
