package ring

import "sync/atomic"

// ShareUnit is the whole in a canary's share: 10,000.
const ShareUnit = 10_000

// Routes is what a reader needs to route: a ring, and while a new version is on
// trial that one too, with its share of the keys. It never changes. NewRoutes
// makes it; the zero value is none.
type Routes struct {
	// What a lookup touches first: stable's table.
	table []Index
	shift uint8
	// Hashes whose low 32 bits are below it are the canary's. 2^32 is all.
	below uint64

	stable, canary *Ring
	share          int
}

// NewRoutes returns routes by stable alone, or with a share of 10,000 of the keys
// by canary. A share outside 0 to ShareUnit is taken to the nearer end. A nil
// stable is an empty ring; a nil canary is none.
//
// A key is the canary's by its low 32 bits of hash, which choose no slot, so
// each node loses and gets its part; with a growing share the keys that are
// there stay.
func NewRoutes(stable, canary *Ring, share int) *Routes {
	if stable == nil {
		stable = nobody
	}
	rs := &Routes{table: stable.table, shift: stable.shift, stable: stable}
	if share = min(max(share, 0), ShareUnit); canary != nil {
		rs.canary, rs.share = canary, share
		rs.below = (uint64(share)<<32 + ShareUnit - 1) / ShareUnit
	}
	return rs
}

var nobody = func() *Ring {
	r, err := Build(0, nil, Options{TableBits: MinTableBits})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return r
}()

// Lookup returns the owner of a key and the ring that says so, in which the
// Index is valid. It does not allocate.
func (rs *Routes) Lookup(key string) (*Ring, Index) {
	if n := len(key); n >= 9 && n <= 16 {
		return rs.Owner(hash16([]byte(key)))
	}
	return rs.Owner(Hash(key))
}

// LookupBytes is Lookup for bytes.
func (rs *Routes) LookupBytes(key []byte) (*Ring, Index) {
	if n := len(key); n >= 9 && n <= 16 {
		return rs.Owner(hash16(key))
	}
	return rs.Owner(HashBytes(key))
}

// Owner is Lookup for who has the key's Hash already.
func (rs *Routes) Owner(hash uint64) (*Ring, Index) {
	if rs.OnCanary(hash) {
		return rs.canary, rs.canary.Owner(hash)
	}
	return rs.stable, rs.table[hash>>(rs.shift&63)]
}

// OnCanary reports whether the canary answers for keys with this hash.
func (rs *Routes) OnCanary(hash uint64) bool { return hash&(1<<32-1) < rs.below }

// Other returns what the ring that does not answer for the key would say: where
// the key is if it has not moved yet, or has moved already. ok is false where
// there is one ring only, or both name the same node.
func (rs *Routes) Other(hash uint64) (r *Ring, v Index, ok bool) {
	if rs.canary == nil {
		return nil, None, false
	}
	a, b := rs.stable.Owner(hash), rs.canary.Owner(hash)
	r, v = rs.canary, b
	if rs.OnCanary(hash) {
		r, v = rs.stable, a
	}
	n, m := rs.stable.Node(a), rs.canary.Node(b)
	return r, v, r.Node(v) != nil && (n == nil || m == nil || n.ID != m.ID)
}

// Stable returns the ring that answers for all keys but the canary's.
func (rs *Routes) Stable() *Ring { return rs.stable }

// Canary returns the ring on trial and its share of ShareUnit, or nil and 0.
func (rs *Routes) Canary() (*Ring, int) { return rs.canary, rs.share }

// Holder is where readers find the current routes: one pointer, so that nobody
// sees half of a change. The zero Holder has an empty ring. Any number of
// goroutines may read; a change is one Store, or a CompareAndSwap where several
// may write.
type Holder struct {
	p atomic.Pointer[Routes]
}

var noRoutes = NewRoutes(nil, nil, 0)

// Load returns the current routes; take them once per request.
func (h *Holder) Load() *Routes {
	if rs := h.p.Load(); rs != nil {
		return rs
	}
	return noRoutes
}

// Store makes rs the current routes; nil is an empty ring.
func (h *Holder) Store(rs *Routes) { h.p.Store(stored(rs)) }

// CompareAndSwap makes rs the current routes if old still is what Load returns.
func (h *Holder) CompareAndSwap(old, rs *Routes) bool {
	return h.p.CompareAndSwap(stored(old), stored(rs))
}

// stored returns how routes are stored: those of an empty Holder as nil.
func stored(rs *Routes) *Routes {
	if rs == noRoutes {
		return nil
	}
	return rs
}
