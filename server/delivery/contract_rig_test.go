package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/inbox/journal/diskfault"
	"roost/server/inbox/redisinbox"
	"roost/server/session"
	"roost/server/testredis"
)

// rig is a hub with one lane in which everything happens at once, for the rows of
// the contract: what is random is the simulation's business.
type rig struct {
	t     *testing.T
	disk  *diskfault.Disk   // of a file
	redis *testredis.Server // of a store in Redis
	store inbox.Store
	hub   *delivery.Hub
	lane  *delivery.Lane
	socks []*sock

	mu  sync.Mutex // covers the following: a store in Redis has goroutines
	now time.Time

	hold  bool // tasks for the lane wait in tasks
	tasks []func(*delivery.Lane)
}

// sock is a connection of the rig.
type sock struct {
	peer  delivery.Peer
	got   []string // frames
	full  bool
	ended bool
}

// eachStore runs a row on every store.
func eachStore(t *testing.T, row func(t *testing.T, r *rig)) {
	for _, kind := range []string{"memory", "file", "redis"} {
		t.Run(kind, func(t *testing.T) {
			r := &rig{t: t, now: time.Unix(1_800_000_000, 0)}
			switch kind {
			case "file":
				r.disk = diskfault.New()
			case "redis":
				r.redis = testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always")
				t.Cleanup(func() { r.store.Close() })
			}
			r.start()
			row(t, r)
			r.check()
		})
	}
}

// durable reports whether the store outlives a crash.
func (r *rig) durable() bool { return r.disk != nil || r.redis != nil }

// later lets time pass.
func (r *rig) later(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// start opens the store, again after a crash.
func (r *rig) start() {
	clock := func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.now
	}
	switch {
	case r.redis != nil:
		s, err := redisinbox.New(redisinbox.Options{Addrs: []string{r.redis.Addr()}, Now: clock})
		if err != nil {
			r.t.Fatal(err)
		}
		testredis.Await(r.t, "the store reaches Redis", func() bool { return s.Reached() == nil })
		r.store = atOnce{s}
	case r.disk == nil:
		r.store = inbox.NewMemory(inbox.Limits{}, clock)
	default:
		f, _, err := inbox.OpenFile(inbox.FileOptions{FS: r.disk, Now: clock, Manual: true})
		if err != nil {
			r.t.Fatal(err)
		}
		r.store = f
	}
	r.socks = nil
	r.hub = delivery.NewHub(r.store, session.NewRegistry(), r)
	r.lane = r.hub.NewLane(r)
}

// atOnce is a store in Redis in which everything has happened when a call returns.
type atOnce struct{ *redisinbox.Store }

func (s atOnce) Commit(c *inbox.Commit) {
	done, then := make(chan struct{}), c.Done
	c.Done = func(c *inbox.Commit) {
		then(c)
		close(done)
	}
	s.Store.Commit(c)
	<-done
}

func (s atOnce) Counts() inbox.Counts {
	s.Flush()
	return s.Store.Counts()
}

func (s atOnce) Remaining(b inbox.Body) int {
	s.Flush()
	return s.Store.Remaining(b)
}

// check holds the books: published = acknowledged + expired + dropped + in flight.
func (r *rig) check() {
	r.t.Helper()
	if p := r.store.Check(); len(p) > 0 {
		r.t.Errorf("the books: %v", p)
	}
	if c := r.store.Counts(); c.Published+c.Recovered != c.Acknowledged+c.Expired+c.Removed+c.Lost+c.InFlight {
		r.t.Errorf("the books: %+v", c)
	}
}

func (r *rig) Of(delivery.Conn) int { return 0 }
func (r *rig) Len() int             { return 1 }

func (r *rig) Post(_ int, f func(*delivery.Lane)) bool {
	if r.hold {
		r.tasks = append(r.tasks, f)
	} else {
		f(r.lane)
	}
	return true
}

func (r *rig) sock(c delivery.Conn) *sock { return r.socks[c-1] }

func (r *rig) Peer(c delivery.Conn) *delivery.Peer {
	if s := r.sock(c); !s.ended {
		return &s.peer
	}
	return nil
}

func (r *rig) Message(c delivery.Conn, seq uint64, m *inbox.Message) delivery.Result {
	return r.send(c, fmt.Sprintf("%d %s", seq, m.Payload))
}

func (r *rig) Skip(c delivery.Conn, to uint64, why string) delivery.Result {
	return r.send(c, fmt.Sprintf("skip %d %s", to, why))
}

func (r *rig) send(c delivery.Conn, frame string) delivery.Result {
	s := r.sock(c)
	if s.full {
		return delivery.Full
	}
	s.got = append(s.got, frame)
	return delivery.Written
}

func (r *rig) Fetch(j *delivery.Job) {
	r.store.Fetch(&j.Fetch)
	r.lane.Fetched(j)
}

// connect connects a device; resume is nothing, or an epoch and a number.
func (r *rig) connect(id string, resume ...any) (*sock, delivery.Session) {
	r.t.Helper()
	s := &sock{}
	r.socks = append(r.socks, s)
	h := &delivery.Hello{ID: []byte(id), Fresh: 1, Conn: delivery.Conn(len(r.socks))}
	if len(resume) == 2 {
		h.Resume = inbox.Resume{Given: true, Epoch: []byte(fmt.Sprint(resume[0])), Seq: uint64(resume[1].(int))}
	}
	got, err := r.hub.Connect(h)
	if err != nil {
		r.t.Fatal(err)
	}
	s.peer = delivery.Peer{Ref: got.Ref, Fence: got.Fence}
	r.lane.Begin(h.Conn, &s.peer)
	return s, got
}

// leave ends a connection.
func (r *rig) leave(s *sock) {
	if l, ok := r.store.(inbox.Leaver); ok {
		l.Leave(s.peer.Ref, s.peer.Fence)
	}
	r.lane.End(&s.peer)
	s.ended = true
}

// ack says that all up to seq has arrived; it reports whether that can be.
func (r *rig) ack(s *sock, seq uint64) bool {
	return r.lane.Ack(delivery.Conn(slices.Index(r.socks, s)+1), &s.peer, seq)
}

// commit publishes operations.
func (r *rig) commit(ops ...inbox.Op) error {
	c := &inbox.Commit{Ops: ops}
	r.hub.Publish(c, nil, func() {})
	if f, ok := r.store.(*inbox.File); ok {
		f.Step()
	}
	return c.Err
}

// publish publishes one message whose payload is its number in the test.
func (r *rig) publish(device, id, payload string, ttl uint32) *inbox.Put {
	r.t.Helper()
	p := &inbox.Put{Device: device, Message: &inbox.Message{TTL: ttl, ID: []byte(id), Payload: []byte(payload)}}
	if err := r.commit(p); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// full says whether the store's disk is full.
func (r *rig) full(full bool) {
	switch {
	case r.redis != nil && full:
		r.redis.Text("CONFIG", "SET", "maxmemory", "1")
	case r.redis != nil:
		r.redis.Text("CONFIG", "SET", "maxmemory", "0")
	case full:
		r.disk.FailAfter(0, syscall.ENOSPC)
	default:
		r.disk.FailAfter(-1, nil)
	}
}

func (r *rig) want(s *sock, frames ...string) {
	r.t.Helper()
	if !slices.Equal(s.got, frames) {
		r.t.Errorf("the device got %q, want %q", s.got, frames)
	}
}

// crash ends the process without a word and the machine with it; what was not
// synced is gone or not.
func (r *rig) crash() {
	if r.redis != nil {
		r.redis.Kill()
		r.store.Close() // it writes nothing more: there is nobody who takes it
		r.redis.Restart()
		r.start()
		return
	}
	r.disk.Crash(rand.New(rand.NewPCG(1, 2)))
	r.start()
}
