package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"roost/server/cluster"
	"roost/server/presence"
)

// Node is this process in its cluster. Any number of goroutines may use it; Join, Leave
// and Close are for one.
type Node struct {
	// Static after Dial.
	o       Options
	start   int64
	token   *token
	notes   *notes
	client  *cluster.Client
	watcher *cluster.Watcher
	router  *cluster.Router
	swaps   *cluster.Subscription
	peers   peers
	leases  leases
	drainer drainer
	failed  chan error // gets what ends the node, once
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup

	// Join sends it to the goroutine that follows views.
	joined chan *joined

	in atomic.Pointer[joined] // nil before Join
}

// joined is what there is from Join on.
type joined struct {
	j            Join
	registration *cluster.Registration
	planner      *cluster.Planner
	weight       *weightLoop
}

// Dial makes this process a member that looks on: it compares the identity of the prefix,
// begins to follow the cluster, and has the rings of the file. Where etcd does not answer
// within DialWithin it says so and goes on. Errors are cluster.ErrOptions,
// cluster.ErrOtherCluster, cluster.ErrAccess, or that the data directory is in use.
func Dial(ctx context.Context, o Options) (*Node, error) {
	if err := o.withDefaults(); err != nil {
		return nil, err
	}
	n := &Node{o: o, start: startOf(time.Now()), notes: newNotes(o.Log), failed: make(chan error, 1), joined: make(chan *joined, 1)}
	var err error
	if n.token, err = openToken(o.DataDir); err != nil {
		return nil, err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.dial(ctx); err != nil {
		n.cancel()
		return nil, errors.Join(err, n.token.close())
	}
	n.swaps = n.router.Subscribe()
	n.work.Go(n.follow)
	return n, nil
}

// dial connects to etcd, as far as it is there.
func (n *Node) dial(ctx context.Context) (err error) {
	o := &n.o
	n.client, err = cluster.Dial(cluster.Options{
		Endpoints: o.Endpoints, Prefix: o.Prefix, Cluster: o.Cluster, Timeout: o.Timeout,
		Username: o.Username, Password: o.Password, TLS: o.TLS, Note: n.notes.note,
	})
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, DialWithin)
	err = n.client.Identify(within)
	cancel()
	if errors.Is(err, cluster.ErrOtherCluster) || errors.Is(err, cluster.ErrAccess) || ctx.Err() != nil {
		return errors.Join(err, ctx.Err(), n.client.Close())
	}
	unsure := err != nil
	if unsure {
		o.Log.Warn("etcd does not say whose the prefix is: going on with the last ring, and trying", "etcd", o.Endpoints, "err", err)
	}
	if n.watcher, err = n.client.Watch(stagedWatch(o)); err != nil {
		return errors.Join(err, n.client.Close())
	}
	n.router = n.client.Route(n.watcher, cluster.RouterOptions{File: o.RingFile, Stages: o.Stages})
	n.announce()
	if unsure {
		n.work.Go(n.identify)
	}
	return nil
}

func stagedWatch(o *Options) cluster.WatchOptions {
	w := o.Watch
	w.Stages = o.Stages
	return w
}

// announce logs which rings this node begins with.
func (n *Node) announce() {
	if err := n.router.Status().FileErr; err != nil {
		n.o.Log.Error("the ring file is refused", "err", err)
	}
	if a := n.router.Load(); a.From == cluster.FromFile {
		n.o.Log.Info("the last ring is in force, from its file", "file", n.o.RingFile, "version", a.Pointer.Stable,
			"hash", a.Pointer.StableHash, "activation", a.Pointer.Activation)
	}
}

// identify compares the identity until etcd has answered: until then it is not known whether
// the prefix is this cluster's.
func (n *Node) identify() {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		select {
		case <-n.ctx.Done():
			return
		case <-time.After(wait):
		}
		switch err := n.client.Identify(n.ctx); {
		case err == nil:
			n.o.Log.Info("the prefix in etcd is this cluster's", "etcd", n.o.Endpoints)
			return
		case errors.Is(err, cluster.ErrOtherCluster), errors.Is(err, cluster.ErrAccess):
			n.fail(err)
			return
		}
	}
}

// fail says what ends the node.
func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default: // something else did before
	}
}

// Failed returns a channel that yields what makes it impossible to go on, at most once:
// cluster.ErrOtherCluster, cluster.ErrAccess or cluster.ErrTaken, with what to do.
func (n *Node) Failed() <-chan error { return n.failed }

// Start is this process's incarnation: the Unix milliseconds at which it began.
func (n *Node) Start() int64 { return n.start }

// Rings gives the rings that are in force.
func (n *Node) Rings() *cluster.Router { return n.router }

// Members gives what etcd says.
func (n *Node) Members() *cluster.Watcher { return n.watcher }

// Changed gets a value when other rings are in force than when the last one was taken. It is
// for one reader.
func (n *Node) Changed() <-chan struct{} { return n.swaps.C }

// Client is the connection to etcd.
func (n *Node) Client() *cluster.Client { return n.client }

// Leases is presence.Options.Leases: what is known of the registration of a start of a node,
// and since when it is gone. It does not block.
func (n *Node) Leases(o presence.Owner) (presence.Lease, time.Time) {
	return n.leases.of(o, !n.watcher.View().Stale.IsZero())
}

// Budget returns how many connects a second a node says that it can take: 2,000 if it has not
// said, 100 to 20,000.
func (n *Node) Budget(node string) float64 { return n.peers.accept(node) }

// Join registers this node, publishes its weight each second, and offers to plan. It waits
// for the registration for a few seconds at most, and goes on without. Errors are
// cluster.ErrOptions, cluster.ErrMember, and ErrTaken or ErrOtherCluster if that is
// certain by then; later Failed says it.
func (n *Node) Join(ctx context.Context, j Join) error {
	if n.in.Load() != nil {
		return fmt.Errorf("%w: node %q has joined", cluster.ErrOptions, n.o.ID)
	}
	if err := j.withDefaults(n.o.ID); err != nil {
		return err
	}
	j.Member.Start = n.start
	ctx, cancel := context.WithTimeout(ctx, j.Within)
	defer cancel()
	in := &joined{j: j}
	var err error
	if in.weight, err = newWeightLoop(n, &j); err != nil {
		return err
	}
	// A node that is being emptied says so before it is there: else it would be filled
	// first.
	if n.watcher.Ready(ctx) == nil {
		n.reorder(nil, n.watcher.View(), j.Hooks.Load().Devices)
		in.weight.tell(ctx)
	}
	if in.registration, err = n.client.Register(j.Member, cluster.RegisterOptions{TTL: n.o.TTL, Token: n.token.text, OnState: n.state}); err != nil {
		return err
	}
	if in.planner, err = n.client.Plan(n.watcher, n.router, cluster.PlannerOptions{ID: n.o.ID, Plan: j.Plan, Trial: j.Trial, OnStep: n.stepped}); err != nil {
		in.registration.Close()
		return err
	}
	n.in.Store(in)
	n.work.Go(in.weight.run)
	n.work.Go(func() { newNights(n).run() })
	n.joined <- in
	switch err := in.registration.Wait(ctx); {
	case errors.Is(err, cluster.ErrTaken), errors.Is(err, cluster.ErrOtherCluster):
		return err
	case err != nil:
		n.o.Log.Warn("not registered yet: going on, and trying", "node", n.o.ID, "state", in.registration.Status().State, "err", err)
	default:
		n.o.Log.Info("registered", "node", n.o.ID, "incarnation", in.registration.Status().Incarnation)
	}
	return nil
}

// state logs what becomes of the registration, and ends the node where that says so.
func (n *Node) state(s cluster.RegStatus) {
	level := slog.LevelWarn
	if s.State == cluster.Registered || s.State == cluster.Left {
		level = slog.LevelInfo
	}
	n.o.Log.Log(context.Background(), level, "registration", "node", n.o.ID, "state", s.State, "err", s.Err)
	switch {
	case errors.Is(s.Err, cluster.ErrTaken):
		n.fail(s.Err)
	case errors.Is(s.Err, cluster.ErrOtherCluster) && s.Times == 0:
		n.fail(s.Err)
	}
}

// stepped logs what this node's planner did.
func (n *Node) stepped(s cluster.Step) {
	p := &s.Pointer
	if s.Err != nil {
		n.o.Log.Warn("planner", "step", s.What, "why", s.Why, "err", s.Err)
		return
	}
	n.o.Log.Info("planner", "step", s.What, "why", s.Why, "stable", p.Stable, "canary", p.Canary, "share", p.Share, "activation", p.Activation)
}

// Status is what a member has to say of itself.
type Status struct {
	Registration cluster.RegStatus
	Router       cluster.RouterStatus
	Planner      cluster.PlannerState
	PlannerSays  string
	Emptying     bool // it drains or leaves
	Accept       float64
}

// Status returns what is known now. It is the zero Status before Join, but for Router.
func (n *Node) Status() Status {
	s := Status{Router: n.router.Status(), Emptying: n.drainer.emptying()}
	in := n.in.Load()
	if in == nil {
		return s
	}
	s.Registration = in.registration.Status()
	s.Planner, s.PlannerSays = in.planner.State()
	s.Accept = in.weight.accept()
	return s
}

// hasID reports whether what is said of this node's id is said of this process: it is
// registered, or nobody is.
func (n *Node) hasID() bool {
	if in := n.in.Load(); in != nil {
		switch in.registration.Status().State {
		case cluster.Registered, cluster.Unheard:
			return true
		case cluster.Taken, cluster.Left:
			return false
		}
	}
	m, there := n.watcher.View().Members[n.o.ID]
	return !there || m.Start == n.start
}

// Leave publishes a weight of 0, for good, and waits until a ring without this node is in
// force, or nobody is left who could have one, LeaveWithin is over or ctx ends. Close
// follows when its devices have gone.
func (n *Node) Leave(ctx context.Context, over time.Duration) {
	in := n.in.Load()
	if in == nil || !n.hasID() {
		return
	}
	n.drainer.leave(over, in.j.Hooks.Load().Devices, time.Now())
	ctx, cancel := context.WithTimeout(ctx, LeaveWithin)
	defer cancel()
	in.weight.tell(ctx)
	if _, err := n.router.Wait(ctx, func(a *cluster.Active) bool { return !owns(a, n.o.ID) || alone(n.watcher.View(), n.o.ID) }); err != nil {
		n.o.Log.Warn("leaving although the ring still names this node: others learn of it when the registration ends", "node", n.o.ID, "err", err)
	}
}

// Close ends what was begun, and gives registration and weight back: call it last. It waits
// for etcd for at most three times its timeout, once where etcd was not heard lately.
func (n *Node) Close() error {
	n.cancel()
	n.work.Wait()
	if in := n.in.Load(); in != nil {
		// Another node can plan that this one is gone; and while it is there its
		// weight is, for without one it has its capacity.
		ends := []func(){in.planner.Close, in.registration.Close, in.weight.publisher.Close}
		var all sync.WaitGroup
		for _, end := range ends {
			if n.watcher.View().Stale.IsZero() {
				end()
			} else {
				all.Go(end)
			}
		}
		all.Wait()
	}
	n.swaps.Close()
	n.router.Close()
	n.watcher.Close()
	return errors.Join(n.client.Close(), n.token.close())
}
