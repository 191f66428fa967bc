package mesh_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"roost/server/cluster"
	"roost/server/delivery"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/mesh"
	"roost/server/presence"
	"roost/server/session"
)

// proc is one start of a node: what the server is, without sockets.
type proc struct {
	// Static.
	w      *world
	id     string
	rings  holder
	mesh   *mesh.Mesh
	keeper *presence.Keeper
	store  *shared
	hub    *delivery.Hub
	reg    *session.Registry
	lane   *delivery.Lane
	stop   context.CancelFunc
	ctx    context.Context
	ended  sync.WaitGroup
	wake   chan struct{}

	// Owned by the loop.
	conns  map[delivery.Conn]*conn
	byID   map[string]*conn
	topics map[string]int // of connections

	mu    sync.Mutex // covers the following
	tasks []func()
	late  map[inbox.Ref]acked // what Redis has to hear, once it is back
	last  uint64              // connection
}

func newProc(w *world, id string, inc uint64) *proc {
	p := &proc{w: w, id: id, wake: make(chan struct{}, 1), conns: map[delivery.Conn]*conn{}, byID: map[string]*conn{}, topics: map[string]int{},
		late: map[inbox.Ref]acked{}, reg: session.NewRegistry()}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.rings.swap(w.planner.newest())
	p.store = &shared{w.truth, p}
	p.hub = delivery.NewHub(p.store, p.reg, (*oneLane)(p))
	p.lane = p.hub.NewLane(p)
	o := w.presenceOptions()
	o.Self, o.OnZombie = presence.Owner{Node: id, Incarnation: inc}, p.zombie
	var err error
	if p.keeper, err = presence.New(o); err != nil {
		w.t.Fatal(err)
	}
	p.mesh, err = mesh.New(mesh.Options{Self: id, Rings: &p.rings, Members: w, Where: p.keeper, Local: p, Log: slog.New(slog.DiscardHandler),
		Bus: func(o fanout.Options) (fanout.Bus, error) { return w.hub.Bus(o) }})
	if err != nil {
		w.t.Fatal(err)
	}
	p.ended.Go(p.run)
	p.ended.Go(func() { p.keeper.Run(p.ctx) })
	p.ended.Go(p.tick)
	return p
}

// end is a kill: nothing that waits is done.
func (p *proc) end() {
	p.stop()
	p.ended.Wait()
	p.mesh.Close()
}

// post has the loop do something.
func (p *proc) post(f func()) {
	p.mu.Lock()
	p.tasks = append(p.tasks, f)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *proc) run() {
	for {
		select {
		case <-p.wake:
		case <-p.ctx.Done():
			return
		}
		for p.ctx.Err() == nil {
			p.mu.Lock()
			tasks := p.tasks
			p.tasks = nil
			p.mu.Unlock()
			if len(tasks) == 0 {
				break
			}
			for _, f := range tasks {
				f()
			}
		}
	}
}

// tick does what is due every second.
func (p *proc) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-p.ctx.Done():
			return
		}
		if p.store.isDown() {
			continue
		}
		p.mu.Lock()
		late := p.late
		p.late = map[inbox.Ref]acked{}
		p.mu.Unlock()
		for ref, a := range late {
			p.store.Ack(ref, a.fence, a.seq)
		}
		p.post(func() {
			p.lane.Tick()
			for _, c := range p.byID {
				if c.alone && p.keeper.Up() {
					c.dev.away(c, "") // it comes back for a real session
				}
			}
		})
	}
}

// unheard keeps what Redis has to hear.
func (p *proc) unheard(ref inbox.Ref, a acked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.late[ref]; a.fence > old.fence || a.fence == old.fence && a.seq > old.seq {
		p.late[ref] = a
	}
}

// adopt takes new rings, and tells the devices whose owner is another node now.
func (p *proc) adopt(a *cluster.Active) {
	if p.rings.swap(a) {
		p.post(p.moves)
	}
}

func (p *proc) moves() {
	for _, c := range p.byID {
		if o := p.mesh.Owner([]byte(c.dev.id)); o.Alive && !o.Mine {
			p.w.after(p.w.delay(), func() { c.dev.away(c, o.Node) })
		}
	}
}

// zombie closes a connection whose device is elsewhere.
func (p *proc) zombie(z presence.Zombie) {
	p.post(func() {
		if c := p.byID[z.Device]; c != nil && c.claim == z.Fence {
			c.close("zombie")
		}
	})
}

// connect opens a connection's session: presence and store in one step, as the script does; or
// without them, while Redis is away.
func (p *proc) connect(c *conn, r inbox.Resume) {
	a, err := p.keeper.Begin(p.ctx, c.dev.id, 1)
	if err != nil {
		p.w.fail("%s: %v", c.dev.id, err)
		return
	}
	var s delivery.Session
	var claim presence.Claim
	err = presence.ErrDown
	if a.Reachable() {
		p.store.enter()
		if claim, err = p.w.presence.Claim(p.ctx, p.keeper.Self(), c.dev.id, 1, a.Now, a.Floor); err == nil {
			s, err = p.hub.Connect(&delivery.Hello{ID: []byte(c.dev.id), SID: 1, Fresh: 1, Conn: c.n, Resume: r})
		}
		p.store.leave()
	}
	if err != nil && claim.Fence == 0 {
		got := a.Provisional()
		c.claim, c.alone = got.Fence, true
		p.post(func() { c.begin(s, got.Late) })
		return
	}
	got := a.Adopt(claim)
	c.claim = got.Fence
	if err != nil || got.Late {
		p.keeper.Release(c.dev.id, got.Fence, 4002)
		c.lost()
		return
	}
	c.peer, c.fence = delivery.Peer{Ref: s.Ref, Fence: s.Fence}, s.Fence
	p.post(func() { c.begin(s, false) })
	if prev := claim.Previous; prev.Hold == presence.Held && prev.Owner != p.keeper.Self() {
		p.mesh.Notice(prev.Owner.String(), &inbox.Notice{Device: []byte(c.dev.id), Fence: s.Fence, Seq: s.Last}, 0, nil)
	}
}

// publish commits and waits for what became of it; false is no answer, or a refusal.
func (p *proc) publish(ops []inbox.Op, wait time.Duration, m *message) bool {
	done := make(chan struct{})
	c := &inbox.Commit{Ops: ops}
	p.hub.PublishTo(c, &away{p, wait}, nil, func() { close(done) })
	t := time.NewTimer(wait + 5*time.Second)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		p.w.fail("a publisher at %s is not answered", p.id)
		return false
	case <-p.ctx.Done():
		return false
	}
	if c.Err == nil && m != nil {
		p.Spread(m.topic)
		p.mesh.Spread(m.topic)
	}
	return c.Err == nil
}

// away tells other nodes of what is stored.
type away struct {
	p    *proc
	wait time.Duration
}

func (a *away) Notice(put *inbox.Put, answer func(delivery.Status)) bool {
	o, err := presence.ParseOwner(put.Owner)
	if err != nil || o.Node == a.p.id {
		return false
	}
	words := [...]delivery.Status{mesh.StatusWritten: delivery.StatusWritten, mesh.StatusQueued: delivery.StatusQueued,
		mesh.StatusOffline: delivery.StatusOffline, mesh.StatusAcknowledged: delivery.StatusAcknowledged}
	a.p.mesh.Notice(put.Owner, &inbox.Notice{Device: []byte(put.Device), Fence: put.Fence, Seq: put.Seq}, a.wait,
		func(s mesh.Status) { answer(words[s]) })
	return true
}

func (a *away) Again(put *inbox.Put) {
	if o, err := presence.ParseOwner(put.Owner); err == nil && o.Node != a.p.id {
		a.p.mesh.Notice(put.Owner, &inbox.Notice{Device: []byte(put.Device), Fence: put.Fence, Seq: put.Seq}, 0, nil)
	}
}

// live is a live publish to a device.
func (p *proc) live(device string, n int) (mesh.Status, error) {
	m := &mesh.Message{Payload: []byte(strconv.Itoa(n))}
	here := make(chan mesh.Status, 1)
	p.Live([]byte(device), m, func(s mesh.Status) { here <- s })
	select {
	case s := <-here:
		if s != mesh.StatusOffline {
			return s, nil
		}
	case <-p.ctx.Done():
		return mesh.StatusOffline, p.ctx.Err()
	}
	return p.mesh.Live(p.ctx, device, m)
}

// cast is a live publish to a topic.
func (p *proc) cast(topic string, n int, wait time.Duration) (mesh.Counts, error) {
	m := &mesh.Message{Payload: []byte(strconv.Itoa(n))}
	here := make(chan mesh.Counts, 1)
	p.Cast(topic, m, false, 0, func(c mesh.Counts) { here <- c })
	c, err := p.mesh.Cast(p.ctx, topic, m, mesh.CastOptions{Wait: wait})
	select {
	case local := <-here:
		c.Add(local)
	case <-p.ctx.Done():
	}
	return c, err
}

// oneLane implements delivery.Lanes.
type oneLane proc

func (l *oneLane) Of(delivery.Conn) int { return 0 }
func (l *oneLane) Len() int             { return 1 }
func (l *oneLane) Post(_ int, f func(*delivery.Lane)) bool {
	p := (*proc)(l)
	p.post(func() { f(p.lane) })
	return true
}

// Peer implements delivery.Sender.
func (p *proc) Peer(n delivery.Conn) *delivery.Peer {
	if c := p.conns[n]; c != nil && !c.alone {
		return &c.peer
	}
	return nil
}

// Message implements delivery.Sender.
func (p *proc) Message(n delivery.Conn, seq uint64, m *inbox.Message) delivery.Result {
	c := p.conns[n]
	if c == nil {
		return delivery.Gone
	}
	c.dev.gotKept(c, seq, number(m.Payload))
	return delivery.Written
}

// Skip implements delivery.Sender.
func (p *proc) Skip(n delivery.Conn, to uint64, why string) delivery.Result {
	p.w.fail("%s skips to %d: %s", p.id, to, why)
	return delivery.Gone
}

// Fetch implements delivery.Sender.
func (p *proc) Fetch(j *delivery.Job) {
	p.store.Fetch(&j.Fetch)
	p.lane.Fetched(j)
}
