package presence

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// RedisOptions say where Redis is. A zero field means its default.
type RedisOptions struct {
	// URL is redis://user:password@host:port/db, rediss:// for TLS, unix:///path.
	// Further addresses of a cluster or of Sentinels are ?addr=host:port&addr=…;
	// ?master_set=name asks Sentinels. Required.
	URL string
	// TLS takes the place of what rediss:// means.
	TLS *tls.Config
	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Dial makes connections in place of the library, which gives it address, timeouts and
	// TLS; nil: the library does.
	Dial func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error)
	// Deadline of one call; default 2 s. A call with an earlier one ends then.
	Deadline time.Duration
	// Keep is how long the record of a device that has gone is kept; default KeepFor.
	Keep time.Duration
}

const (
	redisDeadline = 2 * time.Second
	// dialEvery is the time between attempts to connect for the first time. The
	// client cannot be made before Redis answers; afterwards it connects by itself.
	dialEvery = 250 * time.Millisecond
)

// Redis keeps presence in Redis 6 or later: one server, one with Sentinels, or a
// cluster. It has one connection to each server, for the client pipelines.
type Redis struct {
	// Static after NewRedis.
	option   rueidis.ClientOption
	deadline time.Duration
	keep     string // ms

	link atomic.Pointer[link] // nil: not connected yet

	mu      sync.Mutex // covers the following
	closed  bool
	dialing chan struct{} // closed when the attempt under way has ended; nil: none is
	next    time.Time     // no earlier attempt
	last    error         // of the attempt before
}

// link is the client, once there is one.
type link struct {
	client  rueidis.Client
	cluster bool
}

// NewRedis returns a store on the Redis of o.URL. It does not wait for Redis: until
// it answers for the first time every call fails with ErrDown. The error is about
// the URL.
func NewRedis(o RedisOptions) (*Redis, error) {
	option, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("presence: the URL of Redis: %w", err)
	}
	if o.TLS != nil {
		option.TLSConfig = o.TLS
	}
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.TLSConfig, option.Sentinel.Username, option.Sentinel.Password = option.TLSConfig, o.SentinelUsername, o.SentinelPassword
	}
	if o.Deadline <= 0 {
		o.Deadline = redisDeadline
	}
	if o.Keep <= 0 {
		o.Keep = KeepFor
	}
	// No client-side cache, and buffers of 64 KiB instead of 512: 0.2 MB a client
	// instead of 1.4. A server that hangs is noticed within twice the deadline.
	option.DisableCache = true
	option.RingScaleEachConn = 9
	option.ReadBufferEachConn, option.WriteBufferEachConn = 1<<16, 1<<16
	option.PipelineMultiplex = -1
	option.ConnWriteTimeout = o.Deadline
	option.Dialer.Timeout = o.Deadline
	option.ClientName, option.DialCtxFn = "roost-presence", o.Dial
	return &Redis{option: option, deadline: o.Deadline, keep: strconv.FormatInt(o.Keep.Milliseconds(), 10)}, nil
}

// connected returns the client; while there is none it waits for the attempt that
// is under way.
func (r *Redis) connected(ctx context.Context) (*link, error) {
	for {
		if l := r.link.Load(); l != nil {
			return l, nil
		}
		done, err := r.dial()
		if err != nil {
			return nil, err
		}
		select {
		case <-done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: connecting: %w", ErrDown, ctx.Err())
		}
	}
}

// dial begins an attempt to connect, if none is under way and it is time.
func (r *Redis) dial() (done chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch now := time.Now(); {
	case r.closed:
		return nil, fmt.Errorf("%w: it is closed", ErrDown)
	case r.dialing != nil:
		return r.dialing, nil
	case now.Before(r.next):
		return nil, fmt.Errorf("%w: %w", ErrDown, r.last)
	}
	done = make(chan struct{})
	r.dialing = done
	go func() {
		client, err := rueidis.NewClient(r.option)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.dialing, r.last, r.next = nil, err, time.Now().Add(dialEvery)
		switch {
		case err == nil && r.closed:
			client.Close()
		case err == nil:
			r.link.Store(&link{client: client, cluster: client.Mode() == rueidis.ClientModeCluster})
		}
		close(done)
	}()
	return done, nil
}

// Close implements Store. Calls under way fail.
func (r *Redis) Close() error {
	r.mu.Lock()
	r.closed = true
	dialing := r.dialing
	r.mu.Unlock()
	if dialing != nil {
		<-dialing // bounded by the dialer's timeout
	}
	if l := r.link.Load(); l != nil {
		l.client.Close()
	}
	return nil
}

// script is a Lua script that Redis may or may not have seen.
type script struct {
	text, sha string
}

func newScript(text string) *script {
	sum := sha1.Sum([]byte(text))
	return &script{text: text, sha: hex.EncodeToString(sum[:])}
}

// The scripts, by what they do.
var (
	scriptClaim   = newScript(luaClaim)
	scriptRelease = newScript(luaRelease)
	scriptRefresh = newScript(luaRefresh)
	scriptAssert  = newScript(luaAssert)
	scriptSweep   = newScript(luaSweep)
	scriptBeat    = newScript(luaBeat)
	scriptNodes   = newScript(luaNodes)
	scriptTake    = newScript(luaTake)
	scriptTally   = newScript(luaTally)
	scriptEnd     = newScript(luaEnd)
)

// call is one execution of a script.
type call struct {
	s    *script
	keys []string
	args []string
}

func (l *link) command(c *call) rueidis.Completed {
	return l.client.B().Evalsha().Sha1(c.s.sha).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

// do runs a script once.
func (r *Redis) do(ctx context.Context, s *script, keys []string, args ...string) (rueidis.RedisResult, error) {
	got, err := r.run(ctx, []call{{s, keys, args}})
	if err != nil {
		return rueidis.RedisResult{}, err
	}
	return got[0], failure(got[0].Error())
}

// run runs scripts in one pipeline. Results are in order, each with its own error;
// the error is that there is no client.
func (r *Redis) run(ctx context.Context, calls []call) ([]rueidis.RedisResult, error) {
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	l, err := r.connected(ctx)
	if err != nil || len(calls) == 0 {
		return nil, err
	}
	commands := make(rueidis.Commands, len(calls))
	for i := range calls {
		commands[i] = l.command(&calls[i])
	}
	got := l.client.DoMulti(ctx, commands...)
	var again []int
	for i := range got {
		if e, ok := rueidis.IsRedisErr(got[i].Error()); ok && e.IsNoScript() {
			again = append(again, i)
		}
	}
	if len(again) == 0 {
		return got, nil
	}
	// Redis has been restarted, has flushed its scripts, or is new in the cluster.
	l.load(ctx, calls)
	commands = commands[:0]
	for _, i := range again {
		commands = append(commands, l.command(&calls[i]))
	}
	for i, res := range l.client.DoMulti(ctx, commands...) {
		got[again[i]] = res
	}
	return got, nil
}

// load gives the scripts of calls to all servers. What fails shows when they run.
func (l *link) load(ctx context.Context, calls []call) {
	loaded := map[*script]bool{}
	for i := range calls {
		if s := calls[i].s; !loaded[s] {
			loaded[s] = true
			for _, node := range l.client.Nodes() {
				node.Do(ctx, node.B().ScriptLoad().Script(s.text).Build())
			}
		}
	}
}

// failure turns an error of the client into one of ours. Redis saying no is as bad
// as silence (it loads, is a replica, or has no memory left), but for a key that
// holds something else.
func failure(err error) error {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	if e, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(e.Error(), "WRONGTYPE") {
		return fmt.Errorf("%w: %w", ErrDecode, err)
	}
	return fmt.Errorf("%w: %w", ErrDown, err)
}

// worse returns the one of two errors that says more: that Redis does not answer.
func worse(a, b error) error {
	if a == nil || b != nil && errors.Is(b, ErrDown) && !errors.Is(a, ErrDown) {
		return b
	}
	return a
}

// texts returns the strings of an array, "" for what is nil.
func texts(res rueidis.RedisResult) ([]string, error) {
	list, err := res.ToArray()
	if err != nil {
		return nil, failure(err)
	}
	return messageTexts(list)
}

func messageTexts(list []rueidis.RedisMessage) ([]string, error) {
	out := make([]string, len(list))
	for i := range list {
		if list[i].IsNil() {
			continue
		}
		s, err := list[i].ToString()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDecode, err)
		}
		out[i] = s
	}
	return out, nil
}

// text returns a string.
func text(res rueidis.RedisResult) (string, error) {
	s, err := res.ToString()
	return s, failure(err)
}
