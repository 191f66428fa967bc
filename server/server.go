package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"roost/poller"
	"roost/server/admission"
	"roost/server/api"
	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/metrics"
	"roost/server/session"
)

// Server is one running node.
type Server struct {
	// Static after construction.
	opt      Options
	capacity Capacity
	began    time.Time
	p        *poller.Poller
	handlers []*handler // by loop
	registry *session.Registry
	store    inbox.Store
	hub      *delivery.Hub
	fetches  *fetchQueue // nil: the store is in memory
	cluster  *clustered  // nil: a node by itself
	entrance entrance
	metrics  *metrics.Set
	api      *http.Server
	apiAddr  netip.AddrPort

	// Shared: atomic.
	draining       atomic.Bool
	open           atomic.Int64           // devices and echo connections
	opening        atomic.Int64           // devices at a door
	entered, left  atomic.Uint64          // devices: before they are registered, after they are not any more
	receivers      [variants]atomic.Int64 // connections by variant
	subscriptions  atomic.Int64
	broadcasts     atomic.Int64
	spreads        atomic.Int64
	broadcastBytes atomic.Int64
	live           liveCounts
	closes         closeCounts
	events         events
	closing        atomic.Bool // nobody waits for answers any more
	latency        latency     // of deliveries, lately
	away           elsewhereCounts
	resync         resyncs // what other nodes have stored
	marks          ringMarks

	stopTick chan struct{} // closed at the end
	once     sync.Once     // covers the end
	closed   error         // what came of it
	helpers  sync.WaitGroup
	casting  sync.WaitGroup // begun by commits, so until the store is closed; they end with the mesh
	latestMu sync.Mutex     // makes one step of sending a latest value and telling the store; the store's lock and the loops' queues are taken with it held
	apiDone  chan error     // gets the API listener's end, once
}

// New starts a node: when it returns, both listeners accept.
func New(opt Options) (*Server, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, registry: session.NewRegistry(), store: opt.Inbox, metrics: metrics.NewSet(),
		apiDone: make(chan error, 1), stopTick: make(chan struct{})}
	if opt.Cluster != nil {
		if err := s.join(); err != nil {
			return nil, err
		}
	}
	s.hub = delivery.NewHub(s.store, s.registry, lanes{s})
	if _, memory := s.store.(*inbox.Memory); !memory {
		s.fetches = newFetchQueue()
	}
	ln, err := s.listen()
	if err != nil {
		if s.cluster != nil {
			s.store.Close() // ours: nobody else has it
		}
		return nil, err
	}
	s.apiAddr = ln.Addr().(*net.TCPAddr).AddrPort()
	s.startHelpers()
	s.startAPI(ln)
	return s, nil
}

// listen opens both listeners; that of the API is not served yet.
func (s *Server) listen() (ln net.Listener, err error) {
	if s.capacity, err = measureCapacity(s.opt.Loops, s.opt.MaxConnections); err != nil {
		return nil, err
	}
	if ln, err = net.Listen("tcp", s.opt.API); err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	if err = s.startPoller(); err == nil && s.cluster != nil && s.cluster.failed != nil {
		err = s.cluster.failed
		s.p.Close()
	}
	if err != nil {
		if s.cluster != nil && s.cluster.mesh != nil {
			s.cluster.mesh.Close()
		}
		ln.Close()
	}
	return ln, err
}

// startPoller opens the device listener.
func (s *Server) startPoller() (err error) {
	s.handlers = make([]*handler, s.opt.Loops)
	s.began = time.Now()
	s.entrance.init(s.opt.Connects, s.opt.clock)
	_, err = poller.New(poller.Options{
		Loops:  s.opt.Loops,
		Listen: s.opt.Listen,
		// Those past the capacity get an answer to their request; past this,
		// a refusal before it is read.
		MaxConns: s.capacity.Connections + refusing,
		Refusal:  errNoRoom.AppendResponse(nil),
		Limits:   queueLimits,
		IOUring:  s.opt.IOUring,

		WriteTimeout: s.opt.timing.write,
		NewHandler: func(l *poller.Loop) poller.Handler {
			var seed [32]byte
			rand.Read(seed[:]) // never fails
			s.adopt(l.Poller())
			h := newHandler(s, l, seed)
			s.handlers[l.Index()] = h
			if s.cluster != nil && l.Index() == s.opt.Loops-1 {
				s.cluster.meet()
			}
			return h
		},
	})
	return err
}

// startHelpers starts the goroutines beside the loops.
func (s *Server) startHelpers() {
	s.helpers.Go(func() { s.tick(s.opt.timing.tick) })
	if s.cluster != nil {
		s.startCluster()
		s.observe()
		s.resync.start(s)
	}
	n := fetchers
	switch {
	case s.fetches == nil:
		n = 0
	case s.cluster != nil:
		n = sharedFetchers
	}
	for range n {
		s.helpers.Go(s.runFetcher)
	}
}

// adopt takes the reactor before its loops run: handlers need it from the first
// event on.
func (s *Server) adopt(p *poller.Poller) {
	if s.p != nil {
		return
	}
	s.p = p
	if s.opt.Node == "" {
		host, _ := os.Hostname()
		s.opt.Node = fmt.Sprintf("%s:%d", host, p.Addr().Port())
	}
}

// startAPI serves the API on ln.
func (s *Server) startAPI(ln net.Listener) {
	s.api = &http.Server{
		// A page in a browser on this machine must not publish behind its user's
		// back: simple POSTs need no permission of ours (CORS).
		Handler:           http.NewCrossOriginProtection().Handler(api.NewHandler(s, s.metrics.APIRequest)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	s.api.ConnState = makeRoom(s.api)
	ln = netutil.LimitListener(ln, apiConnections)
	go func() { s.apiDone <- s.api.Serve(ln) }()
}

// makeRoom returns a hook that closes idle keep-alive connections, and keeps no
// more, while three quarters of the API's connections are taken: otherwise 256
// idle ones would lock everybody out, health checks too.
func makeRoom(srv *http.Server) func(net.Conn, http.ConnState) {
	var n atomic.Int64
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			if n.Add(1) == apiConnections*3/4 {
				srv.SetKeepAlivesEnabled(false) // closes the idle ones too
			}
		case http.StateClosed, http.StateHijacked:
			if n.Add(-1) == apiConnections/2 {
				srv.SetKeepAlivesEnabled(true)
			}
		}
	}
}

// Addr returns the address that devices connect to.
func (s *Server) Addr() netip.AddrPort { return s.p.Addr() }

// APIAddr returns the address of the API.
func (s *Server) APIAddr() netip.AddrPort { return s.apiAddr }

// Capacity returns how many connections this process may hold, and why.
func (s *Server) Capacity() Capacity { return s.capacity }

// Uring says whether broadcasts go through io_uring.
func (s *Server) Uring() poller.UringProbe { return s.p.Uring() }

// Failed returns a channel that yields an error if the API listener ends by
// itself.
func (s *Server) Failed() <-chan error { return s.apiDone }

// Ready implements api.Node.
func (s *Server) Ready() error {
	if s.draining.Load() {
		return errors.New("draining: devices are being sent away")
	}
	if s.cluster != nil {
		return s.cluster.notReady()
	}
	return nil
}

// Close ends the node at once: connections are cut without a word. See Drain
// for the polite way.
func (s *Server) Close() error {
	s.once.Do(func() { s.closed = s.end() })
	return s.closed
}

func (s *Server) end() error {
	s.draining.Store(true)
	close(s.stopTick)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.api.Shutdown(ctx) != nil {
		s.api.Close()
	}
	s.closing.Store(true)
	if s.cluster != nil {
		s.cluster.mesh.Close() // before the loops that it posts to
	}
	err := s.p.Close()
	if s.fetches != nil {
		s.fetches.close()
	}
	if s.cluster != nil {
		s.leaveCluster()
	}
	s.helpers.Wait()
	s.resync.close()
	err = errors.Join(err, s.store.Close())
	s.casting.Wait()
	s.resync.wait()
	return err
}

// acceptRate is how many connections a second a node takes that has measured nothing: what the spread of
// a reconnect wave is computed from.
const acceptRate = admission.UsualBudget

// connOf returns the connection of a device.
func (s *Server) connOf(id []byte) (poller.Handle, bool) {
	conn, ok := s.registry.Lookup(uint32(s.store.Find(id)))
	return poller.Handle(conn), ok
}

// spread returns the milliseconds over which the devices of this node should
// come back if it is cut off.
func (s *Server) spread() int {
	k := s.cluster
	if k == nil {
		return spreadOver(s.registry.Len(), min(s.entrance.rate(), acceptRate)) // one that starts again has measured nothing
	}
	return spreadAmong(s.registry.Len(), int(k.beside.Load()), int(k.others.Load()), float64(k.absorb.Load()))
}

// wide returns the milliseconds over which a device dials again that has found nobody at all (window); 0 is that
// its backoff is wide enough.
func (s *Server) wide() int {
	if s.cluster == nil {
		return 0
	}
	return int(s.cluster.wide.Load())
}

// timeOf turns a connection's clock into a time of day.
func (s *Server) timeOf(tick uint32) time.Time {
	return s.began.Add(time.Duration(tick) * clockTick).UTC().Truncate(clockTick)
}

// replace closes the connection that another one of the same device took over
// from.
func (s *Server) replace(old poller.Handle, sameSession bool) {
	code, reason := CloseTakenOver, "another client connected as this device"
	if sameSession {
		code, reason = CloseMoved, "replaced by your new connection"
	}
	s.closeConn(old, code, reason)
}
