package presence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"roost/server/testredis"
)

// quick are options whose times are short enough for tests in real time.
func quick(self Owner, s Store) Options {
	return Options{Self: self, Store: s, BeatEvery: 50 * time.Millisecond, BeatTTL: time.Second, Grace: 3 * time.Second,
		RefreshEvery: 300 * time.Millisecond, FlushEvery: 10 * time.Millisecond, Deadline: 500 * time.Millisecond, ClaimWithin: 500 * time.Millisecond}
}

// running starts a keeper on a Redis; it ends with the test.
func running(t *testing.T, url string, o Options) *Keeper {
	t.Helper()
	r, err := NewRedis(RedisOptions{URL: url, Deadline: 500 * time.Millisecond})
	must(t, err)
	o.Store = r
	k, err := New(o)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		<-done
		must(t, r.Close())
	})
	testredis.Await(t, "the first beat", func() bool { return k.Up() })
	return k
}

// awaitStatus waits until k says of all devices what they are.
func awaitStatus(t *testing.T, k *Keeper, want map[string]Status) {
	t.Helper()
	var devices []string
	for d := range want {
		devices = append(devices, d)
	}
	var wrong string
	testredis.Await(t, "all devices are what they are", func() bool {
		where, err := k.Get(t.Context(), devices...)
		if wrong = fmt.Sprint(err); err != nil {
			return false
		}
		for i, d := range devices {
			if where[i].Status != want[d] {
				wrong = fmt.Sprintf("%s is %v, want %v: %+v", d, where[i].Status, want[d], where[i])
				return false
			}
		}
		wrong = ""
		return true
	})
	if wrong != "" {
		t.Error(wrong)
	}
}

// TestRedisOutage kills Redis, with and without what it held, and stops it, while
// devices come, go and move. Nothing here waits for Redis, and in the end presence is
// true.
func TestRedisOutage(t *testing.T) {
	t.Parallel() // it waits most of the time, as do the next two
	durable := []string{"--appendonly", "yes", "--appendfsync", "always"}
	for _, c := range []struct {
		name       string
		args       []string
		away, back func(s *testredis.Server)
	}{
		{"killed, nothing lost", durable, (*testredis.Server).Kill, (*testredis.Server).Restart},
		{"killed, all lost", nil, (*testredis.Server).Kill, (*testredis.Server).Restart},
		{"stopped", nil, (*testredis.Server).Pause, (*testredis.Server).Resume},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := testredis.Start(t, c.args...)
			var zombies atomic.Int32
			o := quick(n1, nil)
			o.OnZombie = func(Zombie) { zombies.Add(1) }
			a, b := running(t, "redis://"+srv.Addr(), o), running(t, "redis://"+srv.Addr(), quick(n2, nil))
			want, fences := map[string]Status{}, map[string]uint32{}
			come := func(k *Keeper, i int) {
				device := fmt.Sprint("d", i)
				got, err := k.Claim(t.Context(), device, uint64(i))
				must(t, err)
				want[device], fences[device] = Online, got.Fence
			}
			for i := range 150 {
				come(a, i)
			}
			awaitStatus(t, b, want)
			c.away(srv)
			testredis.Await(t, "both know that it is away", func() bool { return !a.Up() && !b.Up() })
			for i := range 50 { // go
				device := fmt.Sprint("d", i)
				if !a.Release(device, fences[device], Hangup) {
					t.Fatalf("%s is released too late", device)
				}
				want[device] = Offline
			}
			for i := 50; i < 100; i++ { // move
				come(b, i)
			}
			for i := 150; i < 200; i++ { // are new
				come(b, i)
			}
			if s := b.Stats(); s.Provisional != 100 {
				t.Errorf("%d devices are provisional, want 100", s.Provisional)
			}
			c.back(srv)
			awaitStatus(t, a, want)
			awaitStatus(t, b, want)
			testredis.Await(t, "50 zombies", func() bool { return zombies.Load() == 50 })
			testredis.Await(t, "nothing waits", func() bool {
				x, y := a.Stats(), b.Stats()
				return x.Pending+y.Pending+x.Provisional+y.Provisional == 0 && x.Devices == 50 && y.Devices == 100
			})
			testredis.Await(t, "the indexes are exact", func() bool {
				return len(all(t, a.o.Store, n1)) == 50 && len(all(t, a.o.Store, n2)) == 100
			})
			if got, err := a.Claim(t.Context(), "d60", 60); err != nil || got.Provisional || got.Fence < 2 {
				t.Errorf("the next claim is %+v, %v", got, err)
			}
		})
	}
}

// TestClusterFailover kills a master; its replica takes over. What an asynchronous
// failover loses is asserted again.
func TestClusterFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("a failover takes some seconds")
	}
	t.Parallel()
	c := testredis.StartCluster(t)
	addrs := c.Addrs()
	url := "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
	a, b := running(t, url, quick(n1, nil)), running(t, url, quick(n2, nil))
	want := map[string]Status{}
	for i := range 200 {
		device := fmt.Sprint("d", i)
		_, err := a.Claim(t.Context(), device, uint64(i))
		must(t, err)
		want[device] = Online
	}
	awaitStatus(t, b, want)
	for shard := range 2 {
		old := c.KillMaster(shard)
		for i := range 50 {
			device := fmt.Sprint("d", 200+50*shard+i)
			_, err := b.Claim(t.Context(), device, 1)
			must(t, err)
			want[device] = Online
		}
		c.AwaitMaster(shard, old)
	}
	c.AwaitOK()
	awaitStatus(t, a, want)
	awaitStatus(t, b, want)
	testredis.Await(t, "nothing is provisional", func() bool { return a.Stats().Provisional+b.Stats().Provisional == 0 })
}

// TestNodeDiesOnRedis: as TestNodeDies, in real time and on a real Redis.
func TestNodeDiesOnRedis(t *testing.T) {
	t.Parallel()
	srv := testredis.Start(t)
	url := "redis://" + srv.Addr()
	r, err := NewRedis(RedisOptions{URL: url})
	must(t, err)
	defer r.Close()
	doomed, err := New(quick(n1, r))
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { doomed.Run(ctx); close(done) }()
	testredis.Await(t, "the first beat", func() bool { return doomed.Up() })
	b, c := running(t, url, quick(n2, nil)), running(t, url, quick(n3, nil))
	lb, lc := b.Feed().Listen(0), c.Feed().Listen(0)
	want := map[string]Status{}
	for i := range 900 {
		device := fmt.Sprint("d", i)
		_, err := doomed.Claim(t.Context(), device, 1)
		must(t, err)
		want[device] = Online
	}
	awaitStatus(t, b, want)
	cancel()
	<-done
	for d := range want {
		want[d] = Suspect
	}
	awaitStatus(t, b, want)
	for i := range 300 {
		device := fmt.Sprint("d", i)
		_, err := c.Claim(t.Context(), device, 1)
		must(t, err)
		want[device] = Online
	}
	for i := 300; i < 900; i++ {
		want[fmt.Sprint("d", i)] = Offline
	}
	awaitStatus(t, b, want)
	var gone []Change
	testredis.Await(t, "the tally", func() bool {
		for _, l := range []*Listener{lb, lc} {
			for _, x := range changes(l) {
				if x.Kind == NodeGone {
					gone = append(gone, x)
				}
			}
		}
		return len(gone) > 0
	})
	if x := gone[0]; len(gone) != 1 || x.Node != n1 || x.Devices != 900 || x.Back != 300 || x.Lost != 600 {
		t.Errorf("the node is gone: %+v, want 300 of 900 back", gone)
	}
}

// TestNoRedis: without a Redis every call says so, soon, and Close ends all.
func TestNoRedis(t *testing.T) {
	srv := testredis.Start(t)
	addr := srv.Addr()
	srv.Kill()
	r, err := NewRedis(RedisOptions{URL: "redis://" + addr, Deadline: time.Second})
	must(t, err)
	for range 3 {
		if _, err := r.Nodes(t.Context()); !errors.Is(err, ErrDown) {
			t.Errorf("Nodes: %v, want ErrDown", err)
		}
		if _, err := r.Claim(t.Context(), n1, "d", 1, 1, 0); !errors.Is(err, ErrDown) {
			t.Errorf("Claim: %v, want ErrDown", err)
		}
	}
	srv.Restart()
	testredis.Await(t, "a connection", func() bool { _, err := r.Nodes(t.Context()); return err == nil })
	must(t, r.Close())
	if _, err := r.Nodes(t.Context()); !errors.Is(err, ErrDown) {
		t.Errorf("after Close: %v, want ErrDown", err)
	}
	if _, err := NewRedis(RedisOptions{URL: "http://x"}); err == nil {
		t.Error("a URL that is none of Redis is taken")
	}
}
