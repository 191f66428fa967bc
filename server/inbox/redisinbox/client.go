package redisinbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"roost/server/inbox"
)

// call is one command of a pipeline: a script, or a command with keys and arguments.
type call struct {
	script *script
	name   string // of the command, when there is no script
	keys   []string
	args   []string
	apart  bool  // its keys lie in several slots: not for a Redis Cluster
	until  int64 // of a bounded script: until when it may be carried out; 0: as long as is waited for it
}

// reply is what came of a call: a string, an int64, nil, or a []any of those.
type reply struct {
	v   any
	err error
}

// link is the way to Redis. It is there from the start, Redis may come later: rueidis
// connects again by itself, but not for the first time.
type link struct {
	// Static after construction.
	option   rueidis.ClientOption
	deadline time.Duration
	replicas int
	scripts  []*script     // that a server is given when it knows one of them not
	stop     chan struct{} // closed by close
	ended    chan struct{} // closed when nobody connects any more

	clock  redisClock
	dialed atomic.Bool // a connection was made: it may be to another server than before

	// mu covers the following. It is taken alone.
	mu     sync.Mutex
	client rueidis.Client // nil: not connected yet
	why    error          // of the last attempt
	closed bool
}

// Sizes of one connection: it has megabytes by default, for hundreds of callers.
const (
	ringScale   = 10       // 1,024 commands under way
	bufferBytes = 64 << 10 // each way
)

func newLink(o *Options) *link {
	l := &link{deadline: o.Deadline, replicas: o.Replicas, stop: make(chan struct{}), ended: make(chan struct{}),
		why: errors.New("connecting")}
	l.option = rueidis.ClientOption{
		InitAddress: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLS,
		DialCtxFn:        l.dialBy(o.Dial),
		Dialer:           net.Dialer{Timeout: o.Deadline, KeepAlive: time.Second},
		ConnWriteTimeout: o.Deadline, // and how long a server may hang before the connection is given up
		DisableCache:     true, DisableRetry: true,
		RingScaleEachConn: ringScale, ReadBufferEachConn: bufferBytes, WriteBufferEachConn: bufferBytes,
		PipelineMultiplex: -1, // one connection: the order of calls is the order in Redis
		Sentinel: rueidis.SentinelOption{MasterSet: o.Master, Username: o.SentinelUsername, Password: o.SentinelPassword, TLSConfig: o.TLS,
			Dialer: net.Dialer{Timeout: o.Deadline, KeepAlive: time.Second}},
	}
	return l
}

// dialBy makes connections by dial, or by the library's rule, and notes each.
func (l *link) dialBy(dial func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error)) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (c net.Conn, err error) {
		switch {
		case dial != nil:
			c, err = dial(ctx, addr, d, t)
		case t != nil:
			c, err = (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", addr)
		default:
			c, err = d.DialContext(ctx, "tcp", addr)
		}
		if err == nil {
			l.dialed.Store(true)
		}
		return c, err
	}
}

// connect tries until it has connected or is stopped.
func (l *link) connect() {
	defer close(l.ended)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		c, err := rueidis.NewClient(l.option)
		if err == nil && l.replicas > 0 && c.Mode() == rueidis.ClientModeCluster {
			c.Close()
			l.fail(errors.New("replicas are set, but this is a Redis Cluster: set min-replicas-to-write there"))
			return
		}
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), l.deadline)
			l.load(ctx, c)
			l.clock.ask(ctx, c)
			cancel()
			l.take(c)
			return
		}
		l.fail(err)
		select {
		case <-l.stop:
			return
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		}
	}
}

func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.why = err
}

func (l *link) take(c rueidis.Client) {
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.client = c
	}
	l.mu.Unlock()
	if closed {
		c.Close()
	}
}

// get returns the client, or why there is none.
func (l *link) get() (rueidis.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, fmt.Errorf("%w: it is closed", inbox.ErrFailed)
	case l.client == nil:
		return nil, fmt.Errorf("%w: Redis has not been reached yet: %w", inbox.ErrFailed, l.why)
	}
	return l.client, nil
}

// cluster reports whether it is a Redis Cluster, as far as is known.
func (l *link) cluster() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client != nil && l.client.Mode() == rueidis.ClientModeCluster
}

// close ends it; calls under way fail.
func (l *link) close() {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	c := l.client
	l.mu.Unlock()
	if was {
		return
	}
	close(l.stop)
	<-l.ended
	if c != nil {
		c.Close()
	}
}

// do sends the calls as one pipeline and returns their replies. Errors are inbox.ErrFull
// and inbox.ErrFailed, wrapped; errUnclear among them when a call may have been carried
// out nevertheless.
func (l *link) do(calls []call, wait bool) []reply {
	if len(calls) == 0 {
		return nil
	}
	c, err := l.get()
	if err == nil && c.Mode() == rueidis.ClientModeCluster && slices.ContainsFunc(calls, func(k call) bool { return k.apart }) {
		err = fmt.Errorf("%w: it has only just been seen to be a Redis Cluster", inbox.ErrFailed)
	}
	if err != nil {
		return slices.Repeat([]reply{{err: err}}, len(calls))
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.deadline)
	defer cancel()
	until := int64(0)
	for i := range calls {
		if s := calls[i].script; s != nil && s.bounded {
			if until == 0 {
				until = l.clock.least() + l.deadline.Milliseconds()
			}
			calls[i].until = until
		}
	}
	replies := l.once(ctx, c, calls, wait)
	if until != 0 {
		l.punctual(ctx, c, calls, replies, wait)
	}
	return replies
}

// once is do for calls that say until when they may be carried out.
func (l *link) once(ctx context.Context, c rueidis.Client, calls []call, wait bool) []reply {
	replies := make([]reply, len(calls))
	cmds := make(rueidis.Commands, 0, len(calls)+1)
	for i := range calls {
		cmds = append(cmds, build(c, &calls[i], false))
	}
	if wait = wait && l.replicas > 0; wait {
		cmds = append(cmds, c.B().Wait().Numreplicas(int64(l.replicas)).Timeout(l.deadline.Milliseconds()/2).Build())
	}
	results := c.DoMulti(ctx, cmds...)
	var again []int
	for i := range calls {
		if e, ok := rueidis.IsRedisErr(results[i].Error()); ok && e.IsNoScript() {
			again = append(again, i)
			continue
		}
		if replies[i] = take(results[i]); errors.Is(replies[i].err, errUnclear) {
			l.clock.doubted.Store(true)
		}
	}
	if wait {
		l.waited(results[len(calls)], replies)
	}
	if len(again) > 0 {
		l.again(ctx, c, calls, replies, again, wait)
	}
	return replies
}

// waited turns what too few replicas have into what has failed.
func (l *link) waited(r rueidis.RedisResult, replies []reply) {
	n, err := r.AsInt64()
	if err == nil && n >= int64(l.replicas) {
		return
	}
	if err == nil {
		err = fmt.Errorf("%d of %d replicas have it", n, l.replicas)
	}
	for i := range replies {
		if replies[i].err == nil {
			replies[i].err = fmt.Errorf("%w: %w: %w", inbox.ErrFailed, errUnclear, err)
		}
	}
}

// again sends calls whose script the server did not know: it has started anew. All
// scripts are given to it, so that this happens once.
func (l *link) again(ctx context.Context, c rueidis.Client, calls []call, replies []reply, which []int, wait bool) {
	l.load(ctx, c)
	cmds := make(rueidis.Commands, 0, len(which)+1)
	for _, i := range which {
		cmds = append(cmds, build(c, &calls[i], true))
	}
	if wait {
		cmds = append(cmds, c.B().Wait().Numreplicas(int64(l.replicas)).Timeout(l.deadline.Milliseconds()/2).Build())
	}
	results := c.DoMulti(ctx, cmds...)
	second := make([]reply, len(which))
	for k := range which {
		second[k] = take(results[k])
	}
	if wait {
		l.waited(results[len(which)], second)
	}
	for k, i := range which {
		replies[i] = second[k]
	}
}

// load gives all scripts to all nodes. Where that fails, EVAL follows in any case.
func (l *link) load(ctx context.Context, c rueidis.Client) {
	for _, node := range c.Nodes() {
		cmds := make(rueidis.Commands, len(l.scripts))
		for i, s := range l.scripts {
			cmds[i] = node.B().ScriptLoad().Script(s.text).Build()
		}
		node.DoMulti(ctx, cmds...)
	}
}

// build makes the command; full: with the text of the script.
func build(c rueidis.Client, k *call, full bool) rueidis.Completed {
	args := k.args
	if k.until != 0 {
		args = append(slices.Clip(args), strconv.FormatInt(k.until, 10))
	}
	switch {
	case k.script == nil:
		return c.B().Arbitrary(strings.Fields(k.name)...).Keys(k.keys...).Args(args...).Build()
	case full:
		return c.B().Eval().Script(k.script.text).Numkeys(int64(len(k.keys))).Key(k.keys...).Arg(args...).Build()
	}
	return c.B().Evalsha().Sha1(k.script.sha).Numkeys(int64(len(k.keys))).Key(k.keys...).Arg(args...).Build()
}

// errUnclear says that nobody knows whether the call was carried out.
var errUnclear = errors.New("no answer came")

// take reads one result.
func take(r rueidis.RedisResult) reply {
	v, err := r.ToAny()
	if err == nil || rueidis.IsRedisNil(err) {
		return reply{v: v}
	}
	return reply{err: wrapRedis(err)}
}

// wrapRedis puts an error of Redis or of the connection into ours.
func wrapRedis(err error) error {
	e, ok := rueidis.IsRedisErr(err)
	var op *net.OpError
	switch {
	case !ok && errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%w: Redis: %w", inbox.ErrFailed, err)
	case !ok:
		return fmt.Errorf("%w: Redis: %w: %w", inbox.ErrFailed, errUnclear, err)
	}
	return refusal(e.Error(), err)
}

// refusal words what Redis says of a command that it has not carried out.
func refusal(text string, err error) error {
	if strings.HasPrefix(text, "OOM") || strings.HasPrefix(text, "MISCONF") {
		return fmt.Errorf("%w: Redis: %w", inbox.ErrFull, err)
	}
	return fmt.Errorf("%w: Redis: %w", inbox.ErrFailed, err)
}
