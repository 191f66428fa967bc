package delivery

import (
	"errors"

	"roost/server/inbox"
	"roost/server/session"
)

// Window is how many kept messages may be under way to a device without
// acknowledgement.
const Window = 32

// ErrLate refuses a connection that was overtaken by a later one of its device.
var ErrLate = errors.New("delivery: a later connection of the device is there already")

// Lanes reaches the lanes from any goroutine.
type Lanes interface {
	// Of returns the number of the lane that has the connection.
	Of(c Conn) int
	// Len returns the number of lanes.
	Len() int
	// Post has f called on a lane's goroutine. It reports false when that cannot
	// be; the lane has then to Look at all its connections within a second or
	// so.
	Post(lane int, f func(l *Lane)) bool
}

// Hub is a node's delivery of kept messages.
type Hub struct {
	// Static after construction.
	store    inbox.Store
	registry *session.Registry
	lanes    Lanes
	window   int

	waiters waiters
}

// NewHub returns the hub of a node.
func NewHub(store inbox.Store, registry *session.Registry, lanes Lanes) *Hub {
	return &Hub{store: store, registry: registry, lanes: lanes, window: Window}
}

// Hello is what a device says when it connects.
type Hello struct {
	ID     []byte
	SID    uint64 // given back by the client, 0 for none
	Fresh  uint64 // a new one, if it is needed
	Resume inbox.Resume
	Conn   Conn
}

// Session is what it gets.
type Session struct {
	inbox.Opened
	session.Outcome
}

// Connect makes a connection the current one of its device. Its lane has to
// call Begin once the welcome is out. The errors are those of Store.Open,
// session.ErrID, and ErrLate with Outcome.SameSession.
func (h *Hub) Connect(hello *Hello) (s Session, err error) {
	if !session.ValidID(hello.ID) {
		return s, session.ErrID
	}
	opened, err := h.store.Open(hello.ID, hello.Resume)
	if err != nil {
		return s, err
	}
	return h.Enter(hello, opened)
}

// Enter is the second half of Connect, for a store whose Open waits: the device was
// opened elsewhere, as the store has said. The only error is ErrLate.
func (h *Hub) Enter(hello *Hello, opened inbox.Opened) (s Session, err error) {
	s.Opened = opened
	h.acked(s.Ref, s.Acked) // what it says it has may be waited for
	s.Outcome = h.registry.Register(uint32(s.Ref), hello.SID, hello.Fresh, uint64(hello.Conn), s.Fence)
	if !s.Late && !h.store.Current(s.Ref, s.Fence) && h.store.Find(hello.ID) == s.Ref {
		// A later connection has come and gone since Open. With its old fence this
		// one would get nothing, and the device would take it for a good one.
		h.registry.Unregister(uint32(s.Ref), uint64(hello.Conn))
		s.Late = true
	}
	if s.Late {
		return s, ErrLate
	}
	return s, nil
}

// Status is what became of a kept message.
type Status uint8

// The statuses; docs and contract have the words.
const (
	StatusNone Status = iota
	StatusWritten
	StatusQueued
	StatusOffline
	StatusAcknowledged
)

// Publish commits c and brings its Puts to their devices; then it calls done,
// once, from any goroutine. Each Put's Outcome is a Status, that of the first for
// a duplicate; when c.Err is set nothing happened. For other operations stored is
// called, if not nil, once they are: what it posts to lanes they get in the order
// of the commits.
func (h *Hub) Publish(c *inbox.Commit, stored, done func()) { h.PublishTo(c, nil, stored, done) }

// offer is a stored message on its way to a lane.
type offer struct {
	put  *inbox.Put
	conn Conn
	told bool // another node has the device, as the store says: its word is the outcome
}

// routed is a commit whose messages are on their way to the lanes that have the devices, and word of the rest to the nodes
// that have them.
type routed struct {
	hub  *Hub
	c    *inbox.Commit
	away Away
	done func()
	left counter // lanes and other nodes that have not finished, and the commit itself

	// Owned by the goroutine of the store.
	next int // of c.Ops: those before are on their way
}

// upTo hands on what is stored of the first n operations.
func (r *routed) upTo(n int) {
	h := r.hub
	var lanes [4][]offer // more than that are rare, and pay an allocation
	by := lanes[:]
	if h.lanes.Len() > len(by) {
		by = make([][]offer, h.lanes.Len())
	}
	for ; r.next < n; r.next++ {
		p, ok := r.c.Ops[r.next].(*inbox.Put)
		switch {
		case !ok:
		case p.Verdict == inbox.Duplicate:
			p.Outcome = p.First
			if r.away != nil && p.Owner != "" {
				r.away.Again(p)
			}
		case p.Verdict == inbox.Stored:
			told := r.elsewhere(p)
			conn, here := h.registry.Lookup(uint32(p.Ref))
			if !told {
				p.Outcome = uint8(StatusOffline)
			}
			if !here {
				continue
			}
			if !told {
				p.Outcome = uint8(StatusQueued)
			}
			lane := h.lanes.Of(Conn(conn))
			by[lane] = append(by[lane], offer{p, Conn(conn), told})
		}
	}
	r.post(by)
}

// post gives each lane its share.
func (r *routed) post(by [][]offer) {
	for lane, offers := range by {
		if len(offers) == 0 {
			continue
		}
		r.left.add(1)
		if !r.hub.lanes.Post(lane, func(l *Lane) { r.deliver(l, offers) }) {
			r.finish() // they stay queued until the lane looks
		}
	}
}

// deliver runs on a lane.
func (r *routed) deliver(l *Lane, offers []offer) {
	for _, o := range offers {
		switch r := l.Offer(o.conn, o.put); {
		case o.told:
		case r == Written:
			o.put.Outcome = uint8(StatusWritten)
		case r == Gone:
			o.put.Outcome = uint8(StatusOffline)
		}
	}
	r.finish()
}

// finish ends one share; the last one ends the publish.
func (r *routed) finish() {
	if r.left.add(-1) == 0 {
		if r.c.Err == nil {
			r.hub.store.Remember(r.c)
		}
		r.done()
	}
}
