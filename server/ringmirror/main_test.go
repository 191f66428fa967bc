package ringmirror

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/testetcd"
	"roost/server/testredis"
)

func TestMain(m *testing.M) { testredis.Main(m) }

var desk = cluster.Identity{ID: "desk", Environment: "test"}

// source is an etcd with a router, where the rings come from.
type source struct {
	t        testing.TB
	etcd     *testetcd.Server
	client   *cluster.Client
	watcher  *cluster.Watcher
	router   *cluster.Router
	versions *cluster.Versions
}

func newSource(t testing.TB) *source {
	x := &source{t: t, etcd: testetcd.Start(t)}
	var err error
	if x.client, err = cluster.Dial(cluster.Options{Endpoints: x.etcd.Endpoints(), Cluster: desk, Timeout: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.client.Close() })
	if err := x.client.Identify(limit(t)); err != nil {
		t.Fatal(err)
	}
	if x.watcher, err = x.client.Watch(cluster.WatchOptions{Silence: 1500 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.watcher.Close)
	x.router = x.client.Route(x.watcher, cluster.RouterOptions{})
	t.Cleanup(x.router.Close)
	x.versions = x.client.Versions()
	return x
}

// put stores a version of some nodes.
func (x *source) put(version uint64, ids ...string) *ring.Ring {
	x.t.Helper()
	nodes := make([]ring.Node, len(ids))
	for i, id := range ids {
		nodes[i] = ring.Node{ID: id, Addr: "ws://" + id, Weight: 1, Capacity: 1000}
	}
	r, err := ring.Build(version, nodes, ring.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err := x.versions.Put(limit(x.t), r); err != nil {
		x.t.Fatal(err)
	}
	return r
}

var tell = cluster.Told{By: "test", Why: "a test"}

// at waits until the router has an activation.
func (x *source) at(p cluster.Pointer, err error) *cluster.Active {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
	a, err := x.router.Wait(limit(x.t), func(a *cluster.Active) bool { return a.Pointer.Activation == p.Activation })
	if err != nil {
		x.t.Fatalf("activation %d: %v; it is %+v", p.Activation, err, x.router.Load().Pointer)
	}
	return a
}

// activate puts a version in force for all.
func (x *source) activate(version uint64) *cluster.Active {
	x.t.Helper()
	t := tell
	t.At = time.Now()
	p, err := x.versions.Activate(limit(x.t), x.router.Load().Pointer.Activation, version, t)
	return x.at(p, err)
}

// open returns a store on a Redis; it ends with the test.
func open(t testing.TB, r *testredis.Server, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{URL: "redis://" + r.Addr()}
	for _, f := range change {
		f(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// ttl is what is left of a version's life: -1 is for ever, -2 that it is not there.
func ttl(r *testredis.Server, version uint64) string {
	return r.Text("TTL", fmt.Sprint("roost:ring:", version))
}

var quiet = slog.New(slog.DiscardHandler)
