package session

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"roost/server/idmap"
)

const (
	shardBits = 5
	shards    = 1 << shardBits

	// entriesPerChunk is the number of entries allocated at once in a shard.
	entriesPerChunk = 128
)

// ErrFull is returned by Register when a shard has 16.7 million devices.
var ErrFull = errors.New("session: registry is full")

// MaxID is the longest device id in bytes.
const MaxID = idmap.MaxID

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
}

// shard is a part of the registry.
type shard struct {
	mu sync.Mutex // covers the following

	ids    *idmap.Map
	chunks []*[entriesPerChunk]entry // by number in ids
	_      [64]byte                  // keep the next shard's lock on another cache line
}

// Registry maps device ids to connections. It is safe for concurrent use.
type Registry struct {
	seed   maphash.Seed
	shards [shards]shard
	n      atomic.Int64 // devices
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	r := &Registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].ids = idmap.New(r.seed)
	}
	return r
}

// Outcome is what Register found.
type Outcome struct {
	Ref Ref
	SID uint64 // the session's id
	// Old is the connection that this one takes over from, or 0. Its owner has
	// to close it: SameSession tells a device that moved from a stranger.
	Old         uint64
	SameSession bool
	// Late says that a later connection of the device is there already: nothing
	// was registered.
	Late bool
}

// Register makes conn (not 0) the current connection of the device, which
// connects for the fence-th time: a connection with a higher fence that is there
// already stays, and Outcome.Late is set. sid is the session id that the device
// gave back, 0 for none; it is kept unless somebody else is connected as the
// device. fresh is the one to use otherwise.
func (r *Registry) Register(id []byte, sid, fresh, conn uint64, fence uint32) (Outcome, error) {
	if !ValidID(id) {
		return Outcome{}, ErrID
	}
	hash := idmap.Hash(r.seed, id)
	n := r.shardOf(hash)
	s := &r.shards[n]
	s.mu.Lock()
	defer s.mu.Unlock()
	out := Outcome{SID: sid}
	i, found := s.ids.Find(hash, id)
	if found {
		e := s.at(i)
		out.SameSession = sid != 0 && sid == e.sid
		if e.fence > fence {
			return Outcome{Late: true, SameSession: out.SameSession}, nil
		}
		out.Old = e.conn
		if !out.SameSession {
			out.SID = fresh
		}
	} else if i, found = s.ids.Insert(hash, id); !found {
		return Outcome{}, ErrFull
	} else {
		r.n.Add(1)
	}
	if out.SID == 0 {
		out.SID = fresh
	}
	out.Ref = makeRef(n, i)
	s.grow(i)
	*s.at(i) = entry{conn: conn, sid: out.SID, fence: fence}
	return out, nil
}

// Lookup returns the current connection of the device.
func (r *Registry) Lookup(id []byte) (conn uint64, ok bool) {
	hash := idmap.Hash(r.seed, id)
	s := &r.shards[r.shardOf(hash)]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.ids.Find(hash, id)
	if !ok {
		return 0, false
	}
	return s.at(i).conn, true
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
	if conn == 0 || !s.ids.Used(i) || s.at(i).conn != conn {
		return false
	}
	s.ids.Remove(i)
	*s.at(i) = entry{}
	r.n.Add(-1)
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
	if !s.ids.Used(i) || s.at(i).conn != conn {
		return dst
	}
	return append(dst, s.ids.ID(i)...)
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

// grow makes room for entry i.
func (s *shard) grow(i uint32) {
	if int(i/entriesPerChunk) == len(s.chunks) {
		s.chunks = append(s.chunks, new([entriesPerChunk]entry))
	}
}
