package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/testredis"
)

// way leads to a server that can be exchanged for another.
type way struct {
	l net.Listener

	mu    sync.Mutex // covers the following
	to    string
	conns map[net.Conn]struct{}
}

func newWay(t testing.TB, to string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{l: l, to: to, conns: map[net.Conn]struct{}{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.lead("")
		work.Wait()
	})
	return w
}

// lead ends all connections; further ones lead to that address, "" to nobody.
func (w *way) lead(to string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *way) carry(c net.Conn) {
	defer c.Close()
	w.mu.Lock()
	to := w.to
	w.conns[c] = struct{}{}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.conns, c)
	}()
	if to == "" {
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, server)
		_ = c.Close()
	})
	_, _ = io.Copy(server, c)
	_ = server.Close()
	back.Wait()
}

// TestExchangedRedis: an empty Redis takes the place of the cluster's for one node. It takes
// nothing any more once it has seen that the others are not in it, also while etcd is away and
// comes back, until its way leads to the Redis of the others again.
func TestExchangedRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes for half a minute")
	}
	t.Parallel()
	d := newDesk(t)
	empty := testredis.Start(t)
	w := newWay(t, d.redis.Addr())
	launch(t, d.args("n1")...)
	b := launch(t, append(d.args("n2"), "--redis", "redis://"+w.l.Addr().String(), "--inbox-unknown", "store")...)
	d.agree(0, "n1", "n2")
	stored := func() bool { return wasStored(d.publish(b, "d1", "m")) }
	testredis.Await(t, "n2 takes messages", stored)
	w.lead(empty.Addr())
	testredis.Await(t, "n2 has found out", func() bool { return strings.Contains(b.says(), "this is not the cluster's Redis") })
	testredis.Await(t, "n2 takes nothing", func() bool { return !stored() })
	refuses := func(when string, seconds int) {
		t.Helper()
		for range 10 * seconds {
			if stored() {
				t.Fatalf("%s n2 takes messages into a Redis that is not the cluster's", when)
			}
			time.Sleep(100 * time.Millisecond) // pace, not a wait for a state
		}
	}
	d.etcd.Kill()
	refuses("while etcd is away", 10)
	d.etcd.Restart()
	d.agree(0, "n1", "n2")
	refuses("when etcd is back", 5)
	w.lead(d.redis.Addr())
	testredis.Await(t, "n2 takes messages again", stored)
}
