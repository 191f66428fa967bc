package ringmirror

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Options say where Redis is. A zero field means its default.
type Options struct {
	// URL is redis://user:password@host:port, rediss:// for TLS. Further addresses of a
	// cluster or of Sentinels are ?addr=host:port&addr=...; ?master_set=name asks Sentinels.
	// Required.
	URL string
	// TLS takes the place of what rediss:// means.
	TLS *tls.Config
	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Prefix of keys; default "roost:".
	Prefix string
	// Replicas is how many replicas a message waits for; where there are fewer, Look and Identify warn.
	Replicas int
	// Deadline of one call, and of a connect; default 2 s.
	Deadline time.Duration
}

// DefaultPrefix is that of keys.
const DefaultPrefix = "roost:"

// Retire is how long a snapshot is kept that no pointer names any more.
const Retire = 24 * time.Hour

// Store is the mirror in one Redis. Any number of goroutines may use it.
type Store struct {
	// Static after Open.
	o      Options
	option rueidis.ClientOption

	mu     sync.Mutex // covers the following, and is held while connecting
	client rueidis.Client
	closed bool
	next   time.Time // no earlier attempt to connect
	last   error     // of the one before
}

// dialEvery is the time between attempts to connect for the first time; afterwards the
// client does it by itself.
const dialEvery = 250 * time.Millisecond

// Open returns a store. It does not wait for Redis. The error is about the options.
func Open(o Options) (*Store, error) {
	option, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("ringmirror: the URL of Redis: %w", err)
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("ringmirror: the prefix %q has braces, which decide where a Redis Cluster puts a key", o.Prefix)
	}
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Second
	}
	if o.TLS != nil {
		option.TLSConfig = o.TLS
	}
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.TLSConfig, option.Sentinel.Username, option.Sentinel.Password = option.TLSConfig, o.SentinelUsername, o.SentinelPassword
	}
	// As small as it gets: a few calls a minute.
	option.DisableCache, option.RingScaleEachConn = true, 5
	option.ReadBufferEachConn, option.WriteBufferEachConn = 16<<10, 16<<10
	option.PipelineMultiplex = -1
	option.ConnWriteTimeout, option.Dialer.Timeout = o.Deadline, o.Deadline
	option.ClientName = "roost-rings"
	return &Store{o: o, option: option}, nil
}

// connected returns the client, connecting if there is none yet.
func (s *Store) connected() (rueidis.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errors.New("ringmirror: closed")
	case s.client != nil:
		return s.client, nil
	case time.Now().Before(s.next):
		return nil, s.last
	}
	client, err := rueidis.NewClient(s.option)
	s.next, s.last = time.Now().Add(dialEvery), err
	if err != nil {
		return nil, err
	}
	s.client = client
	return client, nil
}

// Close ends the connection. Calls under way fail.
func (s *Store) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.client != nil {
		s.client.Close()
	}
}

func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.o.Deadline)
}

func (s *Store) activeKey() string          { return s.o.Prefix + "ring:active" }
func (s *Store) versionKey(v uint64) string { return s.o.Prefix + "ring:" + strconv.FormatUint(v, 10) }

// get reads a key; ErrNone if it is not there.
func (s *Store) get(ctx context.Context, key string) (string, error) {
	c, err := s.connected()
	if err != nil {
		return "", fmt.Errorf("ringmirror: read %s: %w", key, err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	text, err := c.Do(ctx, c.B().Get().Key(key).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return "", fmt.Errorf("%w: %s", ErrNone, key)
	}
	if err != nil {
		return "", fmt.Errorf("ringmirror: read %s: %w", key, err)
	}
	return text, nil
}

// run runs a script on a key.
func (s *Store) run(ctx context.Context, script *rueidis.Lua, key string, args ...string) ([]rueidis.RedisMessage, error) {
	c, err := s.connected()
	if err != nil {
		return nil, fmt.Errorf("ringmirror: write %s: %w", key, err)
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	reply, err := script.Exec(ctx, c, []string{key}, args).ToArray()
	if err != nil {
		return nil, fmt.Errorf("ringmirror: write %s: %w", key, err)
	}
	return reply, nil
}

// Pointer reads which rings are in force. Errors are ErrNone, ErrDamaged, or Redis's.
func (s *Store) Pointer(ctx context.Context) (Pointer, error) {
	p, _, err := s.pointer(ctx)
	return p, err
}

func (s *Store) pointer(ctx context.Context) (p Pointer, raw string, err error) {
	if raw, err = s.get(ctx, s.activeKey()); err != nil {
		return p, "", err
	}
	p, err = decodePointer([]byte(raw))
	return p, raw, err
}

// Snapshot reads the bytes of a version, unchecked: see cluster.ReadStored. Errors are
// ErrNone, or Redis's.
func (s *Store) Snapshot(ctx context.Context, version uint64) ([]byte, error) {
	text, err := s.get(ctx, s.versionKey(version))
	return []byte(text), err
}
