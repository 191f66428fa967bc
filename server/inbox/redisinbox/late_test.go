package redisinbox

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/testredis"
)

// holder makes connections whose bytes can be held on their way, as by a network: they come to Redis later, also
// when the connection was given up since.
type holder struct {
	mu    sync.Mutex
	held  bool
	conns []*heldConn
}

func (h *holder) dial(ctx context.Context, addr string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	x := &heldConn{Conn: c, h: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, x)
	return x, nil
}

func (h *holder) hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = true
}

// release lets the bytes go, and returns when Redis has read them.
func (h *holder) release(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = false
	for _, c := range h.conns {
		if len(c.bytes) == 0 {
			continue
		}
		if !c.closed {
			t.Fatal("bytes are held of a connection that was not given up")
		}
		_ = c.Conn.SetDeadline(time.Now().Add(patience))
		if _, err := c.Conn.Write(append(c.bytes, "ECHO all-of-them\r\n"...)); err != nil {
			t.Fatal(err)
		}
		c.bytes = nil
		for r := bufio.NewReader(c.Conn); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(line, "all-of-them") {
				break
			}
		}
	}
}

func (h *holder) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		_ = c.Conn.Close()
	}
}

// heldConn is one of them. holder.mu covers its fields.
type heldConn struct {
	net.Conn
	h      *holder
	bytes  []byte
	closed bool
}

func (c *heldConn) Write(b []byte) (int, error) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.h.held:
		c.bytes = append(c.bytes, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *heldConn) Close() error {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.closed = true
	if len(c.bytes) > 0 {
		return c.Conn.SetReadDeadline(time.Now()) // whoever reads ends; what is held stays on its way
	}
	return c.Conn.Close()
}

// TestLate: what was answered with a failure is not carried out afterwards, when others have done the same or the
// opposite since.
func TestLate(t *testing.T) {
	set := func(v string) *inbox.Latest {
		l := &inbox.Latest{Topic: "fw"}
		if v != "" {
			l.Message = &inbox.Message{TTL: 60, Payload: []byte(v)}
		}
		return l
	}
	sub := func(on bool) inbox.Op { return &inbox.Subscription{Device: "d", Topic: "fw", On: on} }
	for _, row := range []struct {
		name  string
		late  func(a *node) error // by a, whose bytes are held
		since func(b *node)
		want  func(t *testing.T, b *node)
	}{
		{"removal", func(a *node) error { return a.do(&inbox.Removal{Device: "d"}) }, func(b *node) {
			if err := b.do(&inbox.Removal{Device: "d"}); err != nil {
				b.tb.Fatal(err)
			}
			b.open("d")
			b.put("d", "", "accepted", 60)
		}, func(t *testing.T, b *node) {
			same(t, "what waits", b.fetch(b.open("d"), 1), "1 accepted")
			same(t, "devices", b.Devices("", 10), "d")
		}},
		{"open", func(a *node) error { _, err := a.Open([]byte("d"), inbox.Resume{}); return err }, func(b *node) {
			b.open("d")
		}, func(t *testing.T, b *node) {
			if err := b.Resync("", 0); err != nil || len(b.endings()) > 0 {
				t.Errorf("the session has ended: %v %q", err, b.endings())
			}
		}},
		{"into a topic", func(a *node) error { return a.do(sub(true)) }, func(b *node) {
			if err := b.do(sub(true), sub(false)); err != nil {
				b.tb.Fatal(err)
			}
		}, func(t *testing.T, b *node) {
			if i, _ := b.Lookup([]byte("d")); len(i.Topics) > 0 {
				t.Errorf("it is in %q", i.Topics)
			}
		}},
		{"out of a topic", func(a *node) error { return a.do(sub(false)) }, func(b *node) {
			if err := b.do(sub(true)); err != nil {
				b.tb.Fatal(err)
			}
		}, func(t *testing.T, b *node) {
			if s := spread("fw", "", "x"); b.do(s) != nil || s.Receivers != 1 {
				t.Errorf("%+v", s)
			}
		}},
		{"latest value", func(a *node) error { return a.do(set("old")) }, func(b *node) {
			if err := b.do(sub(true), set("new")); err != nil {
				b.tb.Fatal(err)
			}
		}, func(t *testing.T, b *node) {
			b.refreshLatest([]string{"fw"})
			if m, ok := b.LatestOf([]byte("fw")); !ok || string(m.Payload) != "new" {
				t.Errorf("%v %q", ok, m.Payload)
			}
		}},
		{"no latest value", func(a *node) error { return a.do(set("")) }, func(b *node) {
			if err := b.do(sub(true), set("new")); err != nil {
				b.tb.Fatal(err)
			}
		}, func(t *testing.T, b *node) {
			b.refreshLatest([]string{"fw"})
			if _, ok := b.LatestOf([]byte("fw")); !ok {
				t.Error("it is gone")
			}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			server, h := testredis.Start(t), &holder{}
			t.Cleanup(h.close) // after the stores
			a := start(t, server, nil, func(o *Options) { o.Dial, o.Deadline = h.dial, 300*time.Millisecond })
			b := start(t, server, nil)
			b.open("d")
			h.hold()
			if err := row.late(a); !errors.Is(err, inbox.ErrFailed) {
				t.Fatalf("%v", err)
			}
			row.since(b)
			testredis.Await(t, "the connection is given up", func() bool {
				h.mu.Lock()
				defer h.mu.Unlock()
				for _, c := range h.conns {
					if len(c.bytes) > 0 && !c.closed {
						return false
					}
				}
				return true
			})
			h.release(t)
			row.want(t, b)
			b.check()
		})
	}
}

// TestOtherClock: a Redis whose clock is not the one that was known, as after a failover, costs one question more.
func TestOtherClock(t *testing.T) {
	server := testredis.Start(t)
	n := start(t, server, nil)
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(fmt.Sprint(off), func(t *testing.T) {
			n.redis.clock.note(time.Now().Add(off))
			o := n.open("d")
			if err := n.do(&inbox.Subscription{Device: "d", Topic: "fw", On: true}, &inbox.Latest{Topic: "fw", Message: &inbox.Message{TTL: 60, Payload: []byte("x")}}); err != nil {
				t.Fatal(err)
			}
			if !n.Current(o.Ref, o.Fence) {
				t.Error("the session is over")
			}
			if off < 0 && !n.redis.clock.doubted.Load() {
				t.Error("the clock is not doubted")
			}
			n.redis.clock.doubted.Store(true)
			n.maintain()
			n.maintain() // the first one is not the tenth
			if d := time.Duration(n.redis.clock.least()-time.Now().UnixMilli()) * time.Millisecond; d.Abs() > time.Minute {
				t.Errorf("the clock is %v off", d)
			}
		})
	}
}
