package admission

import "sync"

// Size of a table: 16 shards, so that loops seldom wait for each other, of 1,024 sets with 4
// entries each: 65,536 entries in all. An entry is in the one set that its hash says, in any
// of 4 places: which to give up is a choice then, and not an accident.
const (
	shardBits = 4
	setBits   = 10
	ways      = 4
	entries   = 1 << (shardBits + setBits) * ways
)

// table has entries by hashes that nobody outside can foresee. A shard takes its memory with its
// first entry.
type table[E any] struct {
	shards [1 << shardBits]struct {
		mu   sync.Mutex // covers the following
		sets []E
		_    [32]byte // no two share a cache line
	}
}

// lock locks the shard of a hash and returns the set that its entry is in, or would be.
func (t *table[E]) lock(id uint64) (set []E, unlock *sync.Mutex) {
	s := &t.shards[id%(1<<shardBits)]
	s.mu.Lock()
	if s.sets == nil {
		s.sets = make([]E, ways<<setBits)
	}
	at := id >> shardBits % (1 << setBits) * ways
	return s.sets[at : at+ways], &s.mu
}
