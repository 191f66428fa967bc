package presence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/testredis"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: at(0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}

// stage is a store to try something on.
type stage struct {
	Store
	name  string
	clock *clock
	// silence makes a node's last beat an old one, as if it had ended long ago, and
	// ends the time of who sweeps it.
	silence func(o Owner)
	// clear empties the store.
	clear func()
}

func memoryStage() *stage {
	c := newClock()
	m := NewMemory(0, c.now)
	return &stage{Store: m, name: "memory", clock: c, silence: func(o Owner) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if n := m.nodes[o]; n != nil {
			if n.beat != 0 {
				n.beat = 1
			}
			n.until, n.alive = 0, 0
		}
	}, clear: func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.records, m.nodes = map[string]*kept{}, map[Owner]*memoryNode{}
	}}
}

// redisStage is the store on a Redis that runs.
func redisStage(t testing.TB, name, url string, flush func()) *stage {
	t.Helper()
	r, err := NewRedis(RedisOptions{URL: url, Deadline: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	testredis.Await(t, "a connection to "+name, func() bool { _, err := r.Nodes(t.Context()); return err == nil })
	return &stage{Store: r, name: name, clock: newClock(), clear: flush, silence: func(o Owner) {
		c := r.link.Load().client
		must(t, c.Do(t.Context(), c.B().Del().Key(aliveKey(o)).Build()).Error())
		must(t, c.Do(t.Context(), c.B().Zadd().Key(nodesKey).Xx().ScoreMember().ScoreMember(1, o.String()).Build()).Error())
		if n, _ := c.Do(t.Context(), c.B().Exists().Key(deadKey(o)).Build()).AsInt64(); n == 1 {
			must(t, c.Do(t.Context(), c.B().Hset().Key(deadKey(o)).FieldValue().FieldValue("until", "0").Build()).Error())
		}
	}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stages starts a server and a cluster, and gives f a store on each, and one in
// memory.
func stages(t *testing.T, f func(t *testing.T, s *stage)) {
	t.Run("memory", func(t *testing.T) { f(t, memoryStage()) })
	t.Run("redis", func(t *testing.T) {
		srv := testredis.Start(t)
		f(t, redisStage(t, "redis", "redis://"+srv.Addr(), func() { srv.Text("FLUSHALL") }))
	})
	t.Run("cluster", func(t *testing.T) {
		if testing.Short() {
			t.Skip("six servers; and its client is waited for, for 5 s")
		}
		c := testredis.StartSteadyCluster(t)
		addrs := c.Addrs()
		url := "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
		f(t, redisStage(t, "cluster", url, func() {
			for i := range testredis.Masters {
				c.Master(i).Text("FLUSHALL")
			}
		}))
	})
}

// faulty is a store that can be away, and one whose answers are lost.
type faulty struct {
	Store
	mu    sync.Mutex
	down  bool // nothing is done
	lossy bool // it is done, and nobody hears
}

func (f *faulty) set(down, lossy bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down, f.lossy = down, lossy
}

var errTest = fmt.Errorf("%w: the test says so", ErrDown)

// do runs one call.
func (f *faulty) do(call func() error) error {
	f.mu.Lock()
	down, lossy := f.down, f.lossy
	f.mu.Unlock()
	if down {
		return errTest
	}
	if err := call(); err != nil {
		return err
	}
	if lossy {
		return errTest
	}
	return nil
}

func (f *faulty) Prepare(ctx context.Context, o Owner, d string) error {
	return f.do(func() error { return f.Store.Prepare(ctx, o, d) })
}

func (f *faulty) Claim(ctx context.Context, o Owner, d string, sid uint64, now int64, floor uint32) (c Claim, err error) {
	err = f.do(func() error { c, err = f.Store.Claim(ctx, o, d, sid, now, floor); return err })
	return c, err
}

// lost empties results that nobody hears of.
func lost[T any](got []T, err error) ([]T, error) {
	if err != nil && !errors.Is(err, ErrDecode) {
		return make([]T, len(got)), err
	}
	return got, err
}

func (f *faulty) Release(ctx context.Context, o Owner, b []Release) (got []Released, err error) {
	err = f.do(func() error { got, err = f.Store.Release(ctx, o, b); return err })
	return lost(got, err)
}

func (f *faulty) Refresh(ctx context.Context, o Owner, b []Refresh) (got []Refreshed, err error) {
	err = f.do(func() error { got, err = f.Store.Refresh(ctx, o, b); return err })
	return lost(got, err)
}

func (f *faulty) Assert(ctx context.Context, o Owner, b []Assertion) (got []Asserted, err error) {
	err = f.do(func() error { got, err = f.Store.Assert(ctx, o, b); return err })
	return lost(got, err)
}

func (f *faulty) Get(ctx context.Context, d []string) (got []Answer, err error) {
	err = f.do(func() error { got, err = f.Store.Get(ctx, d); return err })
	return lost(got, err)
}

func (f *faulty) Index(ctx context.Context, o Owner, d []string) error {
	return f.do(func() error { return f.Store.Index(ctx, o, d) })
}

func (f *faulty) Unindex(ctx context.Context, o Owner, d []string) error {
	return f.do(func() error { return f.Store.Unindex(ctx, o, d) })
}

func (f *faulty) Page(ctx context.Context, o Owner, cursor uint64, limit int) (d []string, next uint64, err error) {
	err = f.do(func() error { d, next, err = f.Store.Page(ctx, o, cursor, limit); return err })
	return d, next, err
}

func (f *faulty) Beat(ctx context.Context, o Owner, ttl time.Duration, revive bool) (was bool, err error) {
	err = f.do(func() error { was, err = f.Store.Beat(ctx, o, ttl, revive); return err })
	return was, err
}

func (f *faulty) Nodes(ctx context.Context) (n Nodes, err error) {
	err = f.do(func() error { n, err = f.Store.Nodes(ctx); return err })
	return n, err
}

func (f *faulty) Dead(ctx context.Context, o Owner, at int64) (first bool, err error) {
	err = f.do(func() error { first, err = f.Store.Dead(ctx, o, at); return err })
	return first, err
}

func (f *faulty) SweepTake(ctx context.Context, o Owner, by string, ttl time.Duration) (mine bool, err error) {
	err = f.do(func() error { mine, err = f.Store.SweepTake(ctx, o, by, ttl); return err })
	return mine, err
}

func (f *faulty) Sweep(ctx context.Context, o Owner, now int64, limit int) (d []SweptDevice, err error) {
	err = f.do(func() error { d, err = f.Store.Sweep(ctx, o, now, limit); return err })
	if err != nil {
		d = nil
	}
	return d, err
}

func (f *faulty) SweepEnd(ctx context.Context, o Owner) (y Tally, mine bool, err error) {
	err = f.do(func() error { y, mine, err = f.Store.SweepEnd(ctx, o); return err })
	return y, mine && err == nil, err
}

// all returns the whole index of a node.
func all(t testing.TB, s Store, o Owner) map[string]bool {
	t.Helper()
	out, cursor := map[string]bool{}, uint64(0)
	for range 10_000 {
		devices, next, err := s.Page(context.Background(), o, cursor, 100)
		must(t, err)
		for _, d := range devices {
			out[d] = true
		}
		if cursor = next; next == 0 {
			return out
		}
	}
	t.Fatal("paging through an index does not end")
	return nil
}

// record returns what is stored about a device.
func record(t testing.TB, s Store, device string) Record {
	t.Helper()
	got, err := s.Get(context.Background(), []string{device})
	must(t, err)
	return got[0].Record
}
