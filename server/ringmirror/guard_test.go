package ringmirror

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/server/testredis"
)

// marks is etcd as Agree sees it.
type marks struct {
	mu sync.Mutex
	is string
}

func (m *marks) propose(_ context.Context, mark string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.is == "" {
		m.is = mark
	}
	return m.is, nil
}

// guardOf returns a guard that has agreed with etcd and looks when it is told to.
func guardOf(t testing.TB, s *Store, etcd *marks) (g *Guard, losses *atomic.Int32) {
	t.Helper()
	g, losses = NewGuard(s, desk, quiet), new(atomic.Int32)
	g.OnLost(func() { losses.Add(1) })
	if err := g.Agree(limit(t), etcd.propose); err != nil {
		t.Fatal(err)
	}
	return g, losses
}

// markIn returns the mark in a Redis, without its life.
func markIn(r *testredis.Server) string {
	mark, _, _ := strings.Cut(r.Text("GET", "roost:data"), ".")
	return mark
}

// TestAgree: the data of a Redis have a name that etcd has too: another Redis of a cluster of
// the same name is refused, an etcd that has lost its data takes the name from Redis, and an
// empty Redis gets it from etcd.
func TestAgree(t *testing.T) {
	t.Parallel()
	ours, theirs, empty := testredis.Start(t), testredis.Start(t), testredis.Start(t)
	etcd, other := &marks{}, &marks{}
	guardOf(t, open(t, ours), etcd)
	guardOf(t, open(t, ours), etcd)
	guardOf(t, open(t, theirs), other)
	if etcd.is == "" || etcd.is == other.is || markIn(ours) != etcd.is {
		t.Fatalf("marks are %q and %q, and in Redis %q", etcd.is, other.is, markIn(ours))
	}
	err := NewGuard(open(t, theirs), desk, quiet).Agree(limit(t), etcd.propose)
	if !errors.Is(err, ErrForeign) || !errors.Is(err, ErrWrongRedis) || !strings.Contains(err.Error(), "another cluster of this name") {
		t.Errorf("another Redis of this name: %v", err)
	}
	wiped := &marks{}
	if guardOf(t, open(t, ours), wiped); wiped.is != etcd.is {
		t.Errorf("an etcd without data has %q, want %q", wiped.is, etcd.is)
	}
	if guardOf(t, open(t, empty), etcd); markIn(empty) != etcd.is {
		t.Error("an empty Redis has not got the mark")
	}
}

// dialer dials by a guard, as the clients of a node do.
func dialer(g *Guard, addr string) (net.Conn, error) {
	return g.Dial(context.Background(), addr, &net.Dialer{Timeout: 2 * time.Second}, nil)
}

// TestGuardFlush: a Redis that has lost all without having been away is found out by the next
// look, once, and has its marks again.
func TestGuardFlush(t *testing.T) {
	t.Parallel()
	r, etcd := testredis.Start(t), &marks{}
	g, losses := guardOf(t, open(t, r), etcd)
	other, others := guardOf(t, open(t, r), etcd)
	for range 2 {
		if err := g.look(limit(t)); err != nil || losses.Load() != 0 {
			t.Fatalf("nothing happened: %v, %d losses", err, losses.Load())
		}
	}
	r.Text("FLUSHALL")
	for range 2 {
		if err := g.look(limit(t)); err != nil || losses.Load() != 1 {
			t.Fatalf("after a flush: %v, %d losses", err, losses.Load())
		}
	}
	for range 2 { // who comes later finds all there
		if err := other.look(limit(t)); err != nil || others.Load() != 1 {
			t.Fatalf("another node: %v, %d losses", err, others.Load())
		}
	}
	if markIn(r) != etcd.is || r.Text("EXISTS", "roost:cluster", "presence:cluster") != "2" {
		t.Error("it has no marks")
	}
	if c, err := dialer(g, r.Addr()); err != nil {
		t.Errorf("a connect afterwards: %v", err)
	} else {
		_ = c.Close()
	}
}

// TestGuardSwap: another cluster's data at the same address: connections are cut by the next
// look and refused before it, until ours are back.
func TestGuardSwap(t *testing.T) {
	t.Parallel()
	r, etcd := testredis.Start(t), &marks{}
	g, losses := guardOf(t, open(t, r), etcd)
	c, err := dialer(g, r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, swap := range map[string][]string{
		"another of this name": {"roost:data", "ANOTHER"},
		"another cluster":      {"roost:cluster", `{"id":"x","environment":"test"}`},
		"somebody's presence":  {"presence:cluster", `{"id":"x","environment":"test"}`},
	} {
		was := r.Text("GET", swap[0])
		r.Text("SET", swap[0], swap[1])
		if _, err := dialer(g, r.Addr()); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: connect: %v", name, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the connection before: %v", name, err)
		}
		if st := g.Status(); !errors.Is(st.Foreign, ErrForeign) || st.Refused == 0 {
			t.Errorf("%s: %+v", name, st)
		}
		r.Text("SET", swap[0], was)
		if c, err = dialer(g, r.Addr()); err != nil {
			t.Fatalf("%s: mended: %v", name, err)
		}
		defer c.Close()
	}
	if st := g.Status(); st.Foreign != nil || losses.Load() != 0 {
		t.Errorf("mended: %+v, %d losses", st, losses.Load())
	}
	g.Doubt(ErrWrongRedis)
	if _, err := dialer(g, r.Addr()); !errors.Is(err, ErrWrongRedis) {
		t.Errorf("in doubt: %v", err)
	}
	g.Doubt(nil)
	if c, err := dialer(g, r.Addr()); err != nil {
		t.Errorf("out of doubt: %v", err)
	} else {
		_ = c.Close()
	}
}

// TestGuardAway: a Redis that does not answer is no other one: what was known stays.
func TestGuardAway(t *testing.T) {
	t.Parallel()
	r, etcd := testredis.Start(t), &marks{}
	g, losses := guardOf(t, open(t, r), etcd)
	r.Kill()
	if _, err := dialer(g, r.Addr()); err == nil {
		t.Error("a connect to nobody")
	}
	if err := g.look(limit(t)); !errors.Is(err, ErrUnreachable) || g.Status().Foreign != nil {
		t.Errorf("%v, %+v", err, g.Status())
	}
	r.Restart() // without a file: empty
	testredis.Await(t, "it lets us through", func() bool {
		c, err := dialer(g, r.Addr())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	if losses.Load() != 1 || markIn(r) != etcd.is {
		t.Errorf("%d losses, and the mark is %q", losses.Load(), markIn(r))
	}
}

// TestGuardShard: of a Redis Cluster one master may lose its data by itself.
func TestGuardShard(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts six servers")
	}
	t.Parallel()
	c, etcd := testredis.StartSteadyCluster(t), &marks{}
	s, err := Open(Options{URL: "redis://" + c.Addrs()[0]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	g, losses := guardOf(t, s, etcd)
	for i := range testredis.Masters {
		c.Master(i).Text("FLUSHALL")
		for range 2 {
			if err := g.look(limit(t)); err != nil || int(losses.Load()) != i+1 {
				t.Fatalf("master %d was flushed: %v, %d losses", i, err, losses.Load())
			}
		}
	}
}

// TestWitnesses: one in each 512 slots.
func TestWitnesses(t *testing.T) {
	for _, known := range []struct {
		tag  string
		slot uint16
	}{{"123456789", 0x31c3}, {"foo", 12182}, {"user1000", 3443}} { // the specification's
		if got := slot(known.tag); got != known.slot {
			t.Errorf("slot of %q is %d, want %d", known.tag, got, known.slot)
		}
	}
	for i, tag := range witnesses {
		if at := int(slot(tag)) / 512; at != i {
			t.Errorf("witness %d, %q, lies in part %d", i, tag, at)
		}
	}
}
