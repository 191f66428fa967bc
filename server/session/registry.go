package session

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const (
	shardBits = 5
	shards    = 1 << shardBits

	// entriesPerChunk is the number of entries allocated at once in a shard.
	entriesPerChunk = 128
)

// ErrFull is returned by Register when a shard has 16.7 million devices.
var ErrFull = errors.New("session: registry is full")

// ErrID is returned by Register for an id that is empty, longer than MaxID, or
// not printable ASCII without spaces.
var ErrID = errors.New("session: device id must be 1 to 128 printable ASCII characters without spaces")

// ValidID reports whether id can name a device.
func ValidID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > MaxID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// Ref names a registered device in 4 bytes, for the state of its connection.
// The zero Ref names nobody.
type Ref uint32

// entry is one registered device.
type entry struct {
	conn  uint64 // current connection; 0: the entry is free
	sid   uint64 // id of the session
	fence uint32 // number of the session, +1 at each connect of the device
	id    idRef
}

// shard is a part of the registry.
type shard struct {
	mu sync.Mutex // covers the following

	table  table
	chunks []*[entriesPerChunk]entry
	used   uint32   // entries ever used
	free   []uint32 // entries given back
	ids    arena
	_      [64]byte // keep the next shard's lock on another cache line
}

// Registry maps device ids to connections. It is safe for concurrent use.
type Registry struct {
	seed   maphash.Seed
	shards [shards]shard
	n      atomic.Int64 // devices
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{seed: maphash.MakeSeed()} }

// Outcome is what Register found.
type Outcome struct {
	Ref   Ref
	SID   uint64 // the session's id: the one offered if it was current, else the fresh one
	Fence uint32
	// Old is the connection that this one takes over from, or 0. Its owner has
	// to close it: SameSession tells a device that moved from a stranger.
	Old         uint64
	SameSession bool
}

// Register makes conn (not 0) the current connection of the device. sid is the
// session id that the device gave back, 0 for none; fresh is the one to use if
// that is not the current one.
func (r *Registry) Register(id []byte, sid, fresh, conn uint64) (Outcome, error) {
	if !ValidID(id) {
		return Outcome{}, ErrID
	}
	hash := maphash.Bytes(r.seed, id)
	n := r.shardOf(hash)
	s := &r.shards[n]
	s.mu.Lock()
	defer s.mu.Unlock()
	hashOf := func(e uint32) uint64 { return maphash.Bytes(r.seed, s.ids.get(s.at(e).id)) }
	s.table.grow(hashOf)
	place, found := s.table.find(hash, func(e uint32) bool { return string(s.ids.get(s.at(e).id)) == string(id) })
	if found {
		i := s.table.places[place]&maxEntries - 1
		e := s.at(i)
		out := Outcome{Ref: makeRef(n, i), Old: e.conn, SID: fresh, SameSession: sid != 0 && sid == e.sid}
		if out.SameSession {
			out.SID = sid
		}
		e.conn, e.sid = conn, out.SID
		e.fence++
		out.Fence = e.fence
		return out, nil
	}
	i, ok := s.alloc()
	if !ok {
		return Outcome{}, ErrFull
	}
	*s.at(i) = entry{conn: conn, sid: fresh, fence: 1, id: s.ids.put(id)}
	s.table.set(place, hash, i)
	r.n.Add(1)
	return Outcome{Ref: makeRef(n, i), SID: fresh, Fence: 1}, nil
}

// Lookup returns the current connection of the device.
func (r *Registry) Lookup(id []byte) (conn uint64, ok bool) {
	hash := maphash.Bytes(r.seed, id)
	s := &r.shards[r.shardOf(hash)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table.used == 0 {
		return 0, false
	}
	place, found := s.table.find(hash, func(e uint32) bool { return string(s.ids.get(s.at(e).id)) == string(id) })
	if !found {
		return 0, false
	}
	return s.at(s.table.places[place]&maxEntries - 1).conn, true
}

// Unregister removes the device if conn is still its current connection, and
// reports whether it was: the late close of a connection that was taken over
// changes nothing.
func (r *Registry) Unregister(ref Ref, conn uint64) bool {
	s, i, ok := r.locate(ref)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= s.used || s.at(i).conn != conn || conn == 0 {
		return false
	}
	e := s.at(i)
	id := s.ids.get(e.id)
	hashOf := func(e uint32) uint64 { return maphash.Bytes(r.seed, s.ids.get(s.at(e).id)) }
	place, found := s.table.find(maphash.Bytes(r.seed, id), func(o uint32) bool { return o == i })
	if !found {
		panic("BUG: session: a registered device is not in the table")
	}
	s.table.remove(place, hashOf)
	r.n.Add(-1)
	s.ids.drop(e.id)
	*e = entry{}
	s.free = append(s.free, i)
	return true
}

// AppendID appends the id of a registered device to dst, as long as conn is its
// current connection.
func (r *Registry) AppendID(dst []byte, ref Ref, conn uint64) []byte {
	s, i, ok := r.locate(ref)
	if !ok {
		return dst
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= s.used || s.at(i).conn != conn {
		return dst
	}
	return append(dst, s.ids.get(s.at(i).id)...)
}

// Len returns the number of registered devices.
func (r *Registry) Len() int { return int(r.n.Load()) }

// shardOf takes bits of the hash that the table does not use.
func (r *Registry) shardOf(hash uint64) uint32 { return uint32(hash>>48) & (shards - 1) }

// makeRef packs entry i of shard n; +1 keeps 0 for nobody.
func makeRef(n, i uint32) Ref { return Ref(n<<(32-shardBits) | (i + 1)) }

func (r *Registry) locate(ref Ref) (s *shard, entry uint32, ok bool) {
	i := uint32(ref) & (1<<(32-shardBits) - 1)
	if i == 0 {
		return nil, 0, false
	}
	return &r.shards[ref>>(32-shardBits)], i - 1, true
}

func (s *shard) at(i uint32) *entry { return &s.chunks[i/entriesPerChunk][i%entriesPerChunk] }

func (s *shard) alloc() (uint32, bool) {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i, true
	}
	i := s.used
	if i >= maxEntries {
		return 0, false
	}
	if int(i/entriesPerChunk) == len(s.chunks) {
		s.chunks = append(s.chunks, new([entriesPerChunk]entry))
	}
	s.used++
	return i, true
}
