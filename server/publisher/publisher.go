package publisher

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"roost/ring"
)

// Publisher publishes to a cluster. Any number of goroutines may use it.
type Publisher struct {
	// Static after New.
	o       Options
	source  Source
	health  *health
	choose  chooser
	client  *http.Client // for requests of lanes
	waiting *http.Client // for those that wait for devices
	polls   *http.Client // for rings and signs of life
	name    string       // of this publisher, in ids that it makes
	ctx     context.Context
	cancel  context.CancelFunc
	wake    chan struct{}
	ready   chan struct{} // closed when a ring, or members, came from the source
	waiters chan struct{} // a place for each message that waits for its device

	// Owned by follow.
	tag       string
	readyOnce sync.Once

	// For all.
	table  atomic.Pointer[table]
	state  atomic.Pointer[State]
	stats  counters
	serial atomic.Uint64
	room   budget
	lanes  lanes
	closed atomic.Bool
}

// itemCost is what an item is charged in Options.Queue beside its bytes.
const itemCost = 512

// New returns a publisher that begins to follow the ring. It does not wait for the
// cluster, which may be away: Ready does. The error is ErrOptions; a file that is
// damaged is ignored, and State says why.
func New(o Options) (*Publisher, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	var name [6]byte
	_, _ = rand.Read(name[:]) // never fails
	p := &Publisher{
		o: o, health: newHealth(time.Now()), name: hex.EncodeToString(name[:]),
		wake: make(chan struct{}, 1), ready: make(chan struct{}), waiters: make(chan struct{}, o.Waiters),
		room: budget{free: o.Queue},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.choose = chooser{how: o.Choose, decay: o.RTT, health: p.health, random: mathrand.Float64}
	p.lanes = lanes{p: p, nodes: map[string][]*lane{}}
	p.client, p.waiting, p.polls = client(o, o.Lanes+2), client(o, o.Waiters), client(o, 2)
	p.state.Store(&State{})
	p.table.Store(newTable(Pointer{}, nil, nil, nil, o.Nodes))
	if o.File != "" {
		t, err := readFile(o.File, o.Nodes)
		if t != nil {
			p.table.Store(t)
		}
		if err != nil {
			p.state.Store(&State{FileErr: err})
			o.Log.Warn("the last ring's file is ignored", "err", err)
		}
	}
	p.source = o.Source
	if p.source == nil {
		p.source = &nodes{client: p.polls, whole: o.Choose == BeforePush, apis: p.apis, try: o.Attempt / 3}
	}
	p.lanes.work.Go(p.follow)
	return p, nil
}

// client returns an HTTP/1.1 client with a bound of connections to each node.
func client(o Options, connections int) *http.Client {
	dialer := &net.Dialer{Timeout: o.Connect, KeepAlive: 15 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSClientConfig:     o.TLS,
			TLSHandshakeTimeout: o.Connect,
			MaxConnsPerHost:     connections, MaxIdleConnsPerHost: connections,
			IdleConnTimeout:    90 * time.Second,
			DisableCompression: true,
			WriteBufferSize:    64 << 10, ReadBufferSize: 16 << 10,
			Protocols: http1(),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func http1() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	return &p
}

// apis returns the addresses to ask about rings: those of the members, and where all of
// them are gone at once those that were given.
func (p *Publisher) apis() []string {
	t := p.table.Load()
	if p.state.Load().Err != nil {
		return append(t.apis[:len(t.apis):len(t.apis)], p.o.Nodes...)
	}
	return t.apis
}

// Ready waits until the source has answered once. Publishing does not need that:
// without a ring any node that is known gets a message.
func (p *Publisher) Ready(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-p.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		if err := p.state.Load().Err; err != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return ctx.Err()
	}
}

// Publish publishes messages and waits for what becomes of each: results has their
// length and order. A Result.Err says of one message why it has none; err is that of
// the first, nil if all have one. It ends with ctx: messages without a result then may
// still be taken.
func (p *Publisher) Publish(ctx context.Context, ms ...Message) (results []Result, err error) {
	if len(ms) == 0 {
		return nil, nil
	}
	c := &call{done: make(chan struct{})}
	if !p.begin(ctx, c, ms) {
		select {
		case <-c.done:
		case <-ctx.Done():
			c.abandon(ctx.Err())
		}
	}
	for i := range c.results {
		if err = c.results[i].Err; err != nil {
			break
		}
	}
	return c.results, err
}

// Send publishes a message and calls done with what became of it, once, from a
// goroutine that must not be held up; nil is nobody. It waits only for room in the queue; a deadline of ctx is also the message's. The error says that it was
// not taken, and done will not be called: ErrMessage, ErrClosed, or ctx's.
func (p *Publisher) Send(ctx context.Context, m Message, done func(Result)) error {
	if done == nil {
		done = func(Result) {}
	}
	c := &call{over: done}
	if p.begin(ctx, c, []Message{m}) {
		return c.results[0].Err
	}
	return nil
}

// Flush waits until nothing is under way. Who goes on publishing meanwhile makes it wait longer.
func (p *Publisher) Flush(ctx context.Context) error { return p.room.quiet(ctx) }

// Close takes no more messages, waits for the results of those that were taken, and
// ends. When ctx ends first, what is left gets ErrClosed. It may be called again.
func (p *Publisher) Close(ctx context.Context) error {
	p.closed.Store(true)
	p.lanes.close()
	err := p.room.quiet(ctx)
	p.cancel()
	p.lanes.work.Wait()
	for _, c := range []*http.Client{p.client, p.waiting, p.polls} {
		c.CloseIdleConnections()
	}
	return err
}

// begin queues the messages of a call. over reports that all have results already:
// errors.
func (p *Publisher) begin(ctx context.Context, c *call, ms []Message) (over bool) {
	c.results = make([]Result, len(ms))
	var items []*item
	for i := range ms {
		m := ms[i]
		r := &c.results[i]
		r.Device, r.Topic, r.All = m.Device, m.Topic, m.All
		if r.Err = m.check(); r.Err != nil {
			continue
		}
		if m.ID == "" && !m.live() {
			m.ID = p.name + "-" + strconv.FormatUint(p.serial.Add(1), 36)
		}
		r.ID = m.ID
		items = append(items, p.items(c, i, &m)...)
	}
	if len(items) == 0 {
		return true
	}
	c.left = len(items)
	deadline := time.Now().Add(p.o.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	for _, it := range items {
		it.deadline = deadline.Add(it.wait)
		if err := p.queue(ctx, it); err != nil {
			if c.over != nil && len(items) == 1 {
				c.results[0].Err = err
				return true
			}
			c.finish(it, []Result{{Err: err}})
		}
	}
	return false
}

// items makes what is sent of a message: one item, or one for each node that owns
// some of its devices.
func (p *Publisher) items(c *call, at int, m *Message) []*item {
	t := p.table.Load()
	it := item{call: c, message: at, count: 1, live: m.live(), wait: m.Wait}
	if len(m.Devices) == 0 {
		it.hash, it.line = ring.Hash(m.Device+m.Topic), m.appendLine(nil, nil)
		it.cost = itemCost + int64(len(it.line))
		return []*item{&it}
	}
	r := &c.results[at]
	r.Devices = make([]Result, len(m.Devices))
	var items []*item
	owners := map[string]*item{}
	for i, id := range m.Devices {
		r.Devices[i] = Result{Device: id, ID: m.ID}
		owner, hash := "", ring.Hash(id)
		if p.o.Choose == ByRing || p.o.Choose == AfterFailure {
			if of, n := t.routes.Owner(hash); n != ring.None {
				owner = of.Node(n).ID
			}
		}
		part := owners[owner]
		if part == nil {
			part = new(item)
			*part, part.hash = it, hash
			owners[owner] = part
			items = append(items, part)
		}
		part.devices = append(part.devices, i)
	}
	for _, part := range items {
		ids := make([]string, len(part.devices))
		for i, at := range part.devices {
			ids[i] = m.Devices[at]
		}
		part.count, part.line = len(ids), m.appendLine(nil, ids)
		part.cost = itemCost + int64(len(part.line))
	}
	return items
}

// queue gives an item to a lane, or, if it waits for its device, to a goroutine of its
// own. It waits for room.
func (p *Publisher) queue(ctx context.Context, it *item) error {
	if p.closed.Load() {
		return ErrClosed
	}
	if it.cost > p.o.Queue {
		return fmt.Errorf("%w: it has %d bytes, more than the queue", ErrMessage, len(it.line))
	}
	if err := p.room.take(ctx, it.cost); err != nil {
		return err
	}
	if it.wait > 0 {
		return p.await(ctx, it)
	}
	now, node := time.Now(), ""
	if n := p.choose.first(p.table.Load(), it.hash, now); n != nil {
		node = n.ID
	}
	if !p.lanes.put(node, it, now) {
		p.room.give(it.cost)
		return ErrClosed
	}
	p.stats.messages.Add(1)
	return nil
}

// await delivers an item that waits for its device on a goroutine of its own.
func (p *Publisher) await(ctx context.Context, it *item) error {
	select {
	case p.waiters <- struct{}{}:
	case <-ctx.Done():
		p.room.give(it.cost)
		return ctx.Err()
	}
	if !p.lanes.spawn(func() {
		defer func() { <-p.waiters }()
		p.deliver([]*item{it}, "")
	}) {
		<-p.waiters
		p.room.give(it.cost)
		return ErrClosed
	}
	p.stats.messages.Add(1)
	return nil
}
