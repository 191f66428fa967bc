package fanout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// RedisOptions say which Redis, and how long to wait for it. A zero field means its default.
type RedisOptions struct {
	Options

	// Addrs are host:port of a Redis, of some nodes of a Cluster, or of Sentinels if
	// MasterSet names what they watch. Required. A Cluster must be of version 7.0 or later, for sharded
	// Pub/Sub.
	Addrs              []string
	MasterSet          string
	Username, Password string
	TLS                *tls.Config
	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername, SentinelPassword string

	// Dial makes connections; nil: a net.Dialer or tls.Dialer does.
	Dial func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error)
	// Prefix begins the name of every channel, so that several clusters can use one
	// Redis; default "roost". It has no braces.
	Prefix string
	// Timeout is how long a message may take from Post to Redis' reply; default 5 s.
	Timeout time.Duration
	// MaxWaiting is how many bytes may wait to be sent; default 64 MiB.
	MaxWaiting int
	// Probe is how often the node sends itself a message, to see that the way is
	// open and whether a twin listens: default 1 s. After three that were not heard the
	// subscription is made anew.
	Probe time.Duration
}

// Timeouts towards Redis below those of RedisOptions.
const (
	// dialTimeout bounds a connect and each step of its handshake.
	dialTimeout = 2 * time.Second
	// hangTimeout is how long the library waits for the reply to a ping, which it sends
	// after a second without any reply, before it gives a connection up.
	hangTimeout = 2 * time.Second
	// backoffMin and backoffMax bound the wait between attempts; it is jittered.
	backoffMin = 20 * time.Millisecond
	backoffMax = time.Second
	// stable is how long a connection must have held for the wait to begin anew.
	stable = 2 * time.Second
)

// Redis is a Bus over Redis Pub/Sub. It can be made while Redis is down, and connects as soon
// as it is there.
type Redis struct {
	// Static after NewRedis.
	o       RedisOptions
	ctx     context.Context // until Close
	cancel  context.CancelFunc
	in      *intake
	notices *notices
	sender  *sender
	ended   chan struct{} // closed when connect has returned

	// link is nil until Redis was reached for the first time.
	link atomic.Pointer[link]

	probes    probes
	roundTrip atomic.Int64
	listeners atomic.Int64

	mu     sync.Mutex       // covers the following; a line's is taken while it is held
	lines  map[string]*line // by group
	topics topics
	closed bool
	up     bool
	since  time.Time
	reason string
	again  uint64
}

var _ Bus = (*Redis)(nil)

// link is what is known once Redis was reached.
type link struct {
	client  rueidis.Client
	cluster bool
}

// NewRedis makes a bus and begins to connect. It fails only for options that cannot be
// used; whether Redis is there shows in State and Hooks.
func NewRedis(o RedisOptions) (*Redis, error) {
	var err error
	if o.Options, err = o.withDefaults(); err != nil {
		return nil, err
	}
	if len(o.Addrs) == 0 {
		return nil, errors.New("fanout: no address of a Redis is given")
	}
	if o.Prefix == "" {
		o.Prefix = "roost"
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("fanout: the prefix %q has braces, which decide where a Cluster puts a channel", o.Prefix)
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 64 << 20
	}
	if o.Probe <= 0 {
		o.Probe = time.Second
	}
	r := &Redis{
		o: o, notices: newNotices(), ended: make(chan struct{}), lines: map[string]*line{}, since: time.Now(), reason: "not yet connected",
		topics: topics{max: o.MaxTopics, count: map[string]int{}},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.in = newIntake(&r.o.Options, rand.Uint64()|1, r.heard, r.tellTwin)
	r.sender = newSender(r)
	go r.connect()
	return r, nil
}

// clientOption is how the library is used: one connection for commands and one for each
// line, small buffers, nothing cached, nothing retried.
func (r *Redis) clientOption() rueidis.ClientOption {
	o := &r.o
	return rueidis.ClientOption{
		DialCtxFn:   r.dial,
		InitAddress: o.Addrs,
		Username:    o.Username, Password: o.Password, TLSConfig: o.TLS, ClientName: "roost",
		Sentinel: rueidis.SentinelOption{
			MasterSet: o.MasterSet, Username: o.SentinelUsername, Password: o.SentinelPassword, TLSConfig: o.TLS,
			Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second},
		},
		Dialer:           net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second},
		ConnWriteTimeout: hangTimeout,
		DisableCache:     true,
		// A batch is one place in the ring, and each lane has one under way.
		RingScaleEachConn: 8, ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
		PipelineMultiplex: -1,
		DisableRetry:      true,
		ClusterOption:     rueidis.ClusterOption{MaxMovedRedirections: 8},
	}
}

// dial connects. Close ends the connection, whatever the library is waiting for on it.
func (r *Redis) dial(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	var c net.Conn
	var err error
	switch {
	case r.o.Dial != nil:
		c, err = r.o.Dial(ctx, addr, d, t)
	case t != nil:
		c, err = (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
	default:
		c, err = d.DialContext(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, forget: context.AfterFunc(r.ctx, func() { c.Close() })}, nil
}

// conn is a connection that ends with its bus.
type conn struct {
	net.Conn
	forget func() bool
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// connect makes the client, which can only be made while Redis answers, and starts the
// lines.
func (r *Redis) connect() {
	defer close(r.ended)
	for wait := (backoff{}); r.ctx.Err() == nil; wait.sleep(r.ctx) {
		client, err := rueidis.NewClient(r.clientOption())
		if err != nil {
			r.note(func() { r.reason = fmt.Sprintf("connecting to %s: %v", strings.Join(r.o.Addrs, ", "), err) })
			continue
		}
		r.mu.Lock()
		l := &link{client: client, cluster: client.Mode() == rueidis.ClientModeCluster}
		if r.closed {
			r.mu.Unlock()
			client.Close()
			return
		}
		r.link.Store(l)
		r.reason = "not yet subscribed"
		for _, to := range []Channel{ToNode(r.o.Node), ToAll()} {
			r.listen(l, to, nil)
		}
		for name := range r.topics.count {
			r.listen(l, ToTopic(name), nil)
		}
		r.mu.Unlock()
		return
	}
}

// note changes state under the lock.
func (r *Redis) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// listen adds a channel to its line, which is made if there is none. r.mu must be held. The
// returned call, if any, is to be made without it.
func (r *Redis) listen(l *link, to Channel, joined func(error)) (call func()) {
	name, group := r.route(l, to)
	ln := r.lines[group]
	if ln == nil {
		ln = newLine(r, l, to.kind == toNode)
		r.lines[group] = ln
		defer func() { go ln.run() }() // with the first channel in it
	}
	return ln.add(name, to.kind, joined)
}

// parts is how many slots topics are spread over in a Cluster.
const parts = 16

// route returns the name of a channel, and the group that its line and lane are for.
func (r *Redis) route(l *link, to Channel) (name, group string) {
	p := r.o.Prefix
	if !l.cluster {
		switch to.kind {
		case toNode:
			return NodeChannels(p) + to.name, ""
		case toTopic:
			return p + ":topic:" + to.name, ""
		}
		return p + ":all", ""
	}
	switch to.kind {
	case toNode:
		return p + ":node:{" + to.name + "}", "node " + to.name
	case toTopic:
		// FNV-1a: all nodes must agree on the part, whatever their build.
		h := uint32(2166136261)
		for i := range len(to.name) {
			h = (h ^ uint32(to.name[i])) * 16777619
		}
		part := fmt.Sprint(h % parts)
		return p + ":topic:{" + part + "}:" + to.name, "topics " + part
	}
	return p + ":{all}", "all"
}

// Post implements Bus.
func (r *Redis) Post(to Channel, e *Envelope, done func(receivers int, err error)) {
	l := r.link.Load()
	err := to.check()
	if err == nil && l == nil {
		err = ErrDown
		if r.ctx.Err() != nil {
			err = ErrClosed
		}
	}
	if err != nil {
		r.sender.refuse(done, err)
		return
	}
	name, group := r.route(l, to)
	r.sender.post(group, name, e, done)
}

// Join implements Bus.
func (r *Redis) Join(topic string, joined func(error)) {
	var call func()
	if joined == nil {
		joined = func(error) {}
	}
	r.mu.Lock()
	l := r.link.Load()
	switch _, err := r.topics.join(topic); {
	case r.closed:
		call = func() { joined(ErrClosed) }
	case err != nil:
		call = func() { joined(err) }
	case l == nil:
		call = func() { joined(ErrDown) }
	default:
		call = r.listen(l, ToTopic(topic), joined)
	}
	r.mu.Unlock()
	if call != nil {
		call()
	}
}

// Leave implements Bus.
func (r *Redis) Leave(topic string) {
	for _, joined := range r.leave(topic) {
		joined(ErrDown)
	}
}

func (r *Redis) leave(topic string) (calls []func(error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.link.Load()
	if !r.topics.leave(topic) || l == nil || r.closed {
		return nil
	}
	name, group := r.route(l, ToTopic(topic))
	if ln := r.lines[group]; ln != nil {
		return ln.remove(name)
	}
	return nil
}

// State implements Bus.
func (r *Redis) State() State {
	r.mu.Lock()
	s := State{Up: r.up, Since: r.since, Reason: r.reason, Resubscribed: r.again, Topics: len(r.topics.count)}
	r.mu.Unlock()
	s.RoundTrip, s.Listeners = time.Duration(r.roundTrip.Load()), int(r.listeners.Load())
	r.in.state(&s)
	r.sender.state(&s)
	return s
}

// Close implements Bus.
func (r *Redis) Close() {
	r.mu.Lock()
	was := r.closed
	r.closed = true
	r.mu.Unlock()
	if was {
		return
	}
	r.cancel()
	<-r.ended // no lines are made from here on
	for _, ln := range r.lines {
		<-ln.ended
	}
	r.sender.close()
	if l := r.link.Load(); l != nil {
		l.client.Close()
	}
	r.in.close()
	r.notices.close()
	r.note(func() { r.up, r.since, r.reason = false, time.Now(), "closed" })
}

func (r *Redis) tellTwin(instance uint64) {
	if r.o.Hooks.Twin != nil {
		r.notices.try(func() { r.o.Hooks.Twin(instance) })
	}
}

// backoff is the wait between attempts.
type backoff struct{ next time.Duration }

// sleep waits half to all of 20 ms, 40 ms … 1 s, or until ctx is done.
func (b *backoff) sleep(ctx context.Context) {
	b.next = min(max(2*b.next, backoffMin), backoffMax)
	t := time.NewTimer(b.next/2 + rand.N(b.next/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
