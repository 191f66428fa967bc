package session

import (
	"errors"
	"sync"
	"sync/atomic"

	"roost/server/idmap"
)

const (
	shards = 32

	// entriesPerChunk is the number of entries allocated at once in a shard.
	entriesPerChunk = 128
)

// MaxID is the longest device id in bytes.
const MaxID = idmap.MaxID

// ErrID says that a device id is empty, longer than MaxID, or not printable ASCII
// without spaces.
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

// entry is the session of a device.
type entry struct {
	conn  uint64 // current connection; 0: it is not connected
	sid   uint64 // id of the session
	fence uint32 // number of the session, +1 at each connect of the device
}

// chunk is the entries of neighbouring devices; it exists while one of them is
// connected.
type chunk struct {
	entries [entriesPerChunk]entry
	used    int
}

// shard is a part of the registry.
type shard struct {
	mu     sync.Mutex // covers the following
	chunks []*chunk
	_      [64]byte // keep the next shard's lock on another cache line
}

// Registry maps devices to connections. It is safe for concurrent use.
type Registry struct {
	shards [shards]shard
	n      atomic.Int64 // devices
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{} }

// Outcome is what Register found.
type Outcome struct {
	SID uint64 // the session's id
	// Old is the connection that this one takes over from, or 0. Its owner has
	// to close it: SameSession tells a device that moved from a stranger.
	Old         uint64
	SameSession bool
	// Late says that a later connection of the device is there already: nothing
	// was registered.
	Late bool
}

// Register makes conn (not 0) the current connection of the device with that
// number, which connects for the fence-th time: a connection with a higher fence
// that is there already stays, and Outcome.Late is set. sid is the session id
// that the device gave back, 0 for none; it is kept unless somebody else is
// connected as the device. fresh is the one to use otherwise.
func (r *Registry) Register(device uint32, sid, fresh, conn uint64, fence uint32) Outcome {
	s, c, i := r.locate(device)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c >= len(s.chunks) {
		s.chunks = append(s.chunks, nil)
	}
	if s.chunks[c] == nil {
		s.chunks[c] = new(chunk)
	}
	e := &s.chunks[c].entries[i]
	out := Outcome{SID: sid, Old: e.conn, SameSession: e.conn != 0 && sid != 0 && sid == e.sid}
	switch {
	case e.conn != 0 && e.fence > fence:
		return Outcome{Late: true, SameSession: out.SameSession}
	case e.conn == 0:
		s.chunks[c].used++
		r.n.Add(1)
	case !out.SameSession:
		out.SID = fresh
	}
	if out.SID == 0 {
		out.SID = fresh
	}
	*e = entry{conn: conn, sid: out.SID, fence: fence}
	return out
}

// Lookup returns the current connection of a device.
func (r *Registry) Lookup(device uint32) (conn uint64, ok bool) {
	s, c, i := r.locate(device)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c >= len(s.chunks) || s.chunks[c] == nil {
		return 0, false
	}
	conn = s.chunks[c].entries[i].conn
	return conn, conn != 0
}

// Session returns the id of the session that a connected device has.
func (r *Registry) Session(device uint32) (sid uint64, ok bool) {
	s, c, i := r.locate(device)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c >= len(s.chunks) || s.chunks[c] == nil {
		return 0, false
	}
	e := &s.chunks[c].entries[i]
	return e.sid, e.conn != 0
}

// Unregister removes the device if conn is still its current connection, and
// reports whether it was: the late close of a connection that was taken over
// changes nothing.
func (r *Registry) Unregister(device uint32, conn uint64) bool {
	s, c, i := r.locate(device)
	s.mu.Lock()
	defer s.mu.Unlock()
	if conn == 0 || c >= len(s.chunks) || s.chunks[c] == nil || s.chunks[c].entries[i].conn != conn {
		return false
	}
	s.chunks[c].entries[i] = entry{}
	if s.chunks[c].used--; s.chunks[c].used == 0 {
		s.chunks[c] = nil
	}
	r.n.Add(-1)
	return true
}

// Len returns the number of registered devices.
func (r *Registry) Len() int { return int(r.n.Load()) }

// locate spreads neighbours over the shards.
func (r *Registry) locate(device uint32) (s *shard, chunk, entry int) {
	i := int(device / shards)
	return &r.shards[device%shards], i / entriesPerChunk, i % entriesPerChunk
}
