package server

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"roost/poller"
	"roost/server/cluster"
	"roost/server/delivery"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/mesh"
	"roost/server/presence"
	"roost/server/wire"
)

// Cluster makes a node one of many. What is said of etcd and Redis is behind its
// interfaces, so a node knows neither.
type Cluster struct {
	// Start is this start of the node, Unix ms: presence's incarnation. Required.
	Start int64
	// Zone is where the node is; may be empty.
	Zone string
	// Rings says which ring is in force, Members who is there. Required.
	Rings   mesh.Rings
	Members mesh.Members
	// Changed gives a signal after a change of Rings; nil: it is looked at once a second.
	Changed <-chan struct{}
	// Bus makes the bus between nodes. Required.
	Bus func(fanout.Options) (fanout.Bus, error)
	// Presence is Self, Store, Leases and times of the keeper; OnZombie, OnBack and OnFence are the
	// server's. Who wires closes the store, after the server.
	Presence presence.Options
	// Webhook is told of changes of presence; without a URL nobody is.
	Webhook presence.WebhookOptions
	// Store makes the store with the server's hooks; the server closes it. Required.
	Store func(StoreHooks) (RemoteStore, error)
	// Budget is how many connects a second a node says that it can take; nil, and what is
	// not above 0, is 2,000. It must not block.
	Budget func(node string) float64
	// Guard says for the metrics what is known of whose Redis it is; nil: nobody watches that. It must not block.
	Guard func() RedisGuard

	// ReadyWithin is how long a node is not ready because the store has not been reached
	// yet; default 5 s. ShedOver is the time over which one that is cut off from the store,
	// while others are not, sends its devices away; default 60 s.
	ReadyWithin, ShedOver time.Duration
}

// RedisGuard is what is known of whose Redis a node has.
type RedisGuard struct {
	Foreign         bool   // it is not the cluster's, and nobody is let through
	Refused, Losses uint64 // connections that were cut or not let through; times that it had lost what it had
}

// StoreHooks is what a store tells the server: Moved, End and Latest of redisinbox.Options. They do not wait.
type StoreHooks struct {
	Moved  func(ref inbox.Ref, fence uint32)
	End    func(ref inbox.Ref, fence uint32, why error)
	Latest func(topic string, m *inbox.Message)
}

// RemoteStore is a store that nodes share: *redisinbox.Store.
type RemoteStore interface {
	inbox.Store
	inbox.Blocking
	inbox.Leaver
	inbox.Noticer
	// OpenAs is Open of the session sid, which began at that time, Unix ms; claim is what
	// presence has answered, for presence.DecodeClaim. Its fence is the session's too.
	OpenAs(id []byte, r inbox.Resume, sid uint64, at int64) (opened inbox.Opened, claim []string, err error)
	// OpenAlone begins a session that the store's server is not told of, with a fence above
	// all that were seen here. It never waits.
	OpenAlone(id []byte, r inbox.Resume, fence uint32) (inbox.Opened, error)
	// Name appends the id of a device with a connection here, also once it was removed.
	Name(dst []byte, ref inbox.Ref) []byte
	// NoticedLatest and NoticedSubscription take what other nodes have stored.
	NoticedLatest(topic string, m *inbox.Message, expires uint32)
	NoticedSubscription(device []byte, topic string, on bool) inbox.Ref
	// Resync looks at what is stored for every device here, or those in a topic.
	Resync(topic string, pause time.Duration) error
	// Recount returns how many receivers of a message to many, which was Counted, have
	// acknowledged it at other nodes. It waits for Redis.
	Recount(body inbox.Body) int
	// Flush writes acknowledgements that wait.
	Flush() error
	// Reached returns nil once the server has been reached for the first time.
	Reached() error
}

// LikelyOutcomes are what mostly becomes of a kept message, as inbox.Put.Outcome has it, for
// redisinbox.Likely: by whether its device is connected here, elsewhere, or is away.
func LikelyOutcomes() (o struct{ Here, Elsewhere, Away uint8 }) {
	o.Here, o.Elsewhere, o.Away = uint8(delivery.StatusWritten), uint8(delivery.StatusQueued), uint8(delivery.StatusOffline)
	return o
}

func (o *Cluster) withDefaults() {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&o.ReadyWithin, 5*time.Second)
	set(&o.ShedOver, time.Minute)
}

// check refuses what cannot work, beside the options of a server that it is part of.
func (o *Cluster) check(s *Options) error {
	self := presence.Owner{Node: s.Node, Incarnation: uint64(o.Start)}
	switch {
	case o.Start <= 0:
		return errors.New("cluster: Start is missing: the time of the process's start, Unix ms")
	case o.Rings == nil || o.Members == nil || o.Bus == nil || o.Store == nil || o.Presence.Store == nil:
		return errors.New("cluster: Rings, Members, Bus, Store and Presence.Store are required")
	case self.Check() != nil:
		return fmt.Errorf("cluster: node: %w", self.Check())
	case o.Presence.Self != self:
		return fmt.Errorf("cluster: presence is of %v, this node is %v", o.Presence.Self, self)
	case s.Inbox != nil:
		return errors.New("cluster: Inbox and Cluster.Store are both set: one store has the messages")
	case o.ReadyWithin < 0 || o.ShedOver < 0:
		return fmt.Errorf("cluster: ready within %v, shed over %v: want 0 or more", o.ReadyWithin, o.ShedOver)
	}
	return nil
}

// clustered is what a node has beside when it is one of many.
//
//	store, keeper   devices that connect: doors.go      that leave: left
//	mesh            who is asked where a device is      which ring answers: ring
//	moves           who should be elsewhere: moves.go, exodus.go, shed.go
type clustered struct {
	// Static after join and mesh.
	s      *Server
	opt    *Cluster
	store  RemoteStore // Server.store too
	keeper *presence.Keeper
	mesh   *mesh.Mesh
	failed error // why there is no mesh

	webhook *presence.Webhook // nil: nobody is told

	doors     doors
	overtaken overtaken
	moves     moves
	silence   silence

	// Shared: atomic.
	alone  atomic.Int64  // devices here whose session began while the store was away, or whose stream it has lost
	absorb atomic.Int64  // connects a second that the others take
	wide   atomic.Int64  // ms over which the devices of all nodes come back; 0: no more than one node's backoff
	others atomic.Int64  // nodes that take devices, beside this one
	beside atomic.Int64  // devices that those have
	cut    atomic.Bool   // off from the store, and others are not: devices are sent away
	ready  atomic.Bool   // the store has been reached once
	moved  atomic.Uint64 // devices that have left while the node is being emptied

	stopKeeper context.CancelFunc
}

// join makes what a node of a cluster has before it has connections.
func (s *Server) join() error {
	k := &clustered{s: s, opt: s.opt.Cluster}
	s.cluster = k
	k.doors.init()
	k.overtaken.init()
	k.moves.init()
	s.resync.init()
	k.absorb.Store(acceptRate)
	o := k.opt.Presence
	o.OnZombie = k.zombie
	// What was stored while presence took the devices for lost, this node was not told of.
	o.OnBack = func() { s.resync.ask("") }
	var err error
	if k.keeper, err = presence.New(o); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if k.webhook, err = k.opt.newWebhook(); err != nil {
		return err
	}
	if k.store, err = k.opt.Store(StoreHooks{s.moreToGet, k.ended, s.latestAgain}); err != nil {
		return fmt.Errorf("cluster: the store: %w", err)
	}
	s.store = k.store
	return nil
}

// meet makes the mesh: when there are loops to post to, and before they run.
func (k *clustered) meet() {
	k.mesh, k.failed = mesh.New(mesh.Options{Self: k.s.opt.Node, Rings: k.opt.Rings, Members: k.opt.Members,
		Where: k.keeper, Local: local{k.s}, Bus: k.opt.Bus, Log: k.s.opt.Log})
	if k.failed != nil {
		k.s.draining.Store(true) // New ends the loops; until then they refuse
	}
}

// startCluster starts the goroutines of a node of a cluster: the keeper's two, the
// doors', one each for sessions that were overtaken and for moves.
func (s *Server) startCluster() {
	k := s.cluster
	ctx, cancel := context.WithCancel(context.Background())
	k.stopKeeper = cancel
	s.helpers.Go(func() { k.keeper.Run(ctx) })
	for range doorCount {
		s.helpers.Go(k.runDoor)
	}
	s.helpers.Go(k.runOvertaken)
	s.helpers.Go(k.runMoves)
}

// flushWithin is how long an ending node tries to bring to the store who has left.
const flushWithin = 5 * time.Second

// leaveCluster ends what join has begun, when there are no connections any more, but for the
// store. It waits for the helpers.
func (s *Server) leaveCluster() {
	k := s.cluster
	k.doors.close()
	k.overtaken.close()
	k.doors.giveBack(k)
	if k.stopKeeper != nil {
		k.stopKeeper()
	}
	s.helpers.Wait()
	k.doors.giveBack(k) // what was at a door still
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	if err := k.keeper.Flush(ctx); err != nil {
		s.opt.Log.Warn("presence: the store has not heard of all that have left: they are suspect, then offline", "waiting", k.keeper.Stats().Pending, "err", err)
	}
}

// left takes a device's session out of presence and store, at the end of its connection.
// why is a close code or one of presence's reasons; 0: nothing was said.
func (k *clustered) left(st *connState, why uint16) {
	reason := presence.Reason(why)
	if reason == presence.NoReason {
		reason = presence.Hangup
	}
	k.release(string(k.store.Name(nil, st.peer.Ref)), st.peer.Ref, st.peer.Fence, reason)
	if st.is(flagAlone) {
		k.alone.Add(-1)
	}
	k.stray(st, false)
	if k.moves.emptying() {
		k.moved.Add(1)
	}
}

func (k *clustered) release(device string, ref inbox.Ref, fence uint32, why presence.Reason) {
	k.keeper.Release(device, fence, why)
	k.store.Leave(ref, fence)
}

// ring says which ring answers for a device.
func (k *clustered) ring(device []byte) wire.Ring {
	p := k.mesh.Owner(device)
	return wire.Ring{Version: p.Version, Hash: uint64(p.Hash)}
}

// heartbeat takes a device's sign of life and returns the ring that answers for it.
func (k *clustered) heartbeat(h *handler, st *connState) wire.Ring {
	h.id = k.store.Name(h.id[:0], st.peer.Ref)
	k.keeper.Touch(string(h.id), st.peer.Fence, time.Now())
	return k.ring(h.id)
}

// budget is how many connects a second a node takes.
func (k *clustered) budget(node string) float64 {
	if k.opt.Budget != nil {
		if b := k.opt.Budget(node); b > 0 {
			return b
		}
	}
	return acceptRate
}

// Reaches reports whether the node reaches the store and the bus now: what others are told
// of it.
func (s *Server) Reaches() bool {
	k := s.cluster
	return k == nil || k.keeper.Up() && k.mesh.State().Up
}

// StoreLost is told that Redis has lost what it had, without having been away: the store is
// asked about every device here, and presence hears again who they are. It does not wait.
func (s *Server) StoreLost() {
	if k := s.cluster; k != nil {
		k.keeper.Lost()
		s.resync.askLost()
	}
}

// Trial returns what this node has seen of the ring that is on trial; nil if none is, or
// the node is by itself.
func (s *Server) Trial() *cluster.Counts {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.mesh.Trial()
}

// Errors of a node that is not ready.
var (
	errNotReached = errors.New("starting: the store has not been reached yet")
	errCut        = errors.New("cut off from the store, which other nodes reach: devices are being sent to them")
)

// notReady says why devices had better connect to other nodes; nil if not.
func (k *clustered) notReady() error {
	if !k.ready.Load() {
		if !k.keeper.Up() && time.Since(k.s.began) < k.opt.ReadyWithin {
			return errNotReached
		}
		k.ready.Store(true)
	}
	if k.cut.Load() {
		return errCut
	}
	return nil
}

// moreToGet is told by the store that a session has more to get, or is in other topics.
func (s *Server) moreToGet(ref inbox.Ref, fence uint32) {
	s.withSession(ref, fence, func(h *handler, c poller.Conn, st *connState) {
		h.retopic(c, st)
		h.lane.Look(delivery.Conn(c.Handle()), &st.peer)
	})
}

// withSession calls f on the loop of a session's connection, if it is here. A task that
// cannot be posted is found by the loop (handler.missed), as far as kept messages go.
func (s *Server) withSession(ref inbox.Ref, fence uint32, f func(h *handler, c poller.Conn, st *connState)) {
	conn, ok := s.registry.Lookup(uint32(ref))
	if !ok {
		return
	}
	name := poller.Handle(conn)
	ok = s.p.Post(name, poller.TaskFunc(func(l *poller.Loop) {
		h, c := s.handlers[l.Index()], l.Conn(name)
		st := h.conns.At(c.Slot())
		if c.Alive() && st.kind == kindDevice && st.peer.Ref == ref && st.peer.Fence == fence {
			f(h, c, st)
		}
	}))
	if !ok {
		s.handlers[name.Loop()].missed.Store(true)
	}
}
