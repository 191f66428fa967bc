package cluster

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"roost/ring"
	"roost/server/testetcd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prefixed makes a request of all keys that begin so.
var prefixed = clientv3.WithPrefix()

// bound is how long a state may take to come about.
const bound = 30 * time.Second

var desk = Identity{ID: "desk", Environment: "test"}

// dial returns a client that ends with the test.
func dial(t testing.TB, s *testetcd.Server, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Endpoints: s.Endpoints(), Cluster: desk, Timeout: 2 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// identified is dial with the prefix taken.
func identified(t testing.TB, s *testetcd.Server, change ...func(*Options)) *Client {
	t.Helper()
	c := dial(t, s, change...)
	if err := c.Identify(limit(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// limit returns a context that ends after bound.
func limit(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until ok is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(bound); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// fast are times of a watcher for tests.
var fast = WatchOptions{Silence: 1500 * time.Millisecond, Window: 2 * time.Second, Look: 300 * time.Millisecond}

// watching returns a watcher that is ready and ends with the test.
func watching(t testing.TB, c *Client, o WatchOptions) *Watcher {
	t.Helper()
	w, err := c.Watch(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if err := w.Ready(limit(t)); err != nil {
		t.Fatal(err)
	}
	return w
}

// sees waits for a view.
func sees(t testing.TB, w *Watcher, what string, ok func(*View) bool) *View {
	t.Helper()
	v, err := w.Wait(limit(t), ok)
	if err != nil {
		t.Fatalf("%s: %v; the view is %+v", what, err, w.View())
	}
	return v
}

// joined registers a node, waits until it is, and takes it away with the test.
func joined(t testing.TB, c *Client, m Member, o RegisterOptions) *Registration {
	t.Helper()
	r, err := c.Register(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	if err := r.Wait(limit(t)); err != nil {
		t.Fatal(err)
	}
	return r
}

func member(id string) Member {
	return Member{ID: id, Addr: "ws://127.0.0.1:8080/" + id, API: "http://127.0.0.1:8081/" + id, Zone: "a", Capacity: 10_000, Build: "test"}
}

// built returns a ring of nodes with a weight of 1.
func built(t testing.TB, version uint64, ids ...string) *ring.Ring {
	t.Helper()
	nodes := make([]ring.Node, len(ids))
	for i, id := range ids {
		m := member(id)
		nodes[i] = ring.Node{ID: id, Addr: m.Addr, Zone: m.Zone, Weight: 1, Capacity: m.Capacity}
	}
	r, err := ring.Build(version, nodes, ring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stored puts rings.
func stored(t testing.TB, v *Versions, rings ...*ring.Ring) {
	t.Helper()
	for _, r := range rings {
		if _, err := v.Put(limit(t), r); err != nil {
			t.Fatal(err)
		}
	}
}
