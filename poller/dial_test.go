package poller

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDial: up, refused, capped, given up by us; each ends in one Closed.
func TestDial(t *testing.T) {
	type event struct {
		what   string
		dialed bool
		why    error
	}
	events := make(chan event, 16)
	p := start(t, Options{MaxConns: 4}, &script{
		open:   func(c Conn) { events <- event{"open", c.Dialed(), nil} },
		closed: func(c Conn, err error) { events <- event{"closed", c.Dialed(), err} },
	})
	l := p.Loops()[0]
	dial := func(to netip.AddrPort, from netip.AddrPort) (c Conn) {
		t.Helper()
		do(t, l, func(l *Loop) {
			var err error
			if c, err = l.Dial(to, from); err != nil {
				t.Errorf("dial %s: %v", to, err)
			}
			if c.Alive() {
				t.Error("alive before Open")
			}
		})
		return c
	}
	from := netip.MustParseAddrPort("127.0.0.9:0")
	c := dial(p.Addr(), from)
	sides := map[bool]int{}
	for range 2 {
		e := recv(t, "Open", events)
		if sides[e.dialed]++; e.what != "open" {
			t.Errorf("%+v", e)
		}
	}
	if sides[true] != 1 || sides[false] != 1 {
		t.Errorf("opened: %v", sides)
	}
	do(t, l, func(l *Loop) {
		if local, err := localAddr(int(c.get().fd)); err != nil || local.Addr() != from.Addr() || c.RemoteAddr() != p.Addr().String() {
			t.Errorf("from %s to %s, %v", local, c.RemoteAddr(), err)
		}
		c.Close(errTest)
	})
	for range 2 {
		if e := recv(t, "Closed", events); e.what != "closed" {
			t.Errorf("%+v", e)
		}
	}

	free, err := listenOne(netip.MustParseAddrPort("127.0.0.1:0"), &p.opt) // a port that nobody serves
	if err != nil {
		t.Fatal(err)
	}
	nobody, _ := localAddr(free)
	sysClose(free)
	dial(nobody, netip.AddrPort{})
	if e := recv(t, "refused", events); e.what != "closed" || !errors.Is(e.why, unix.ECONNREFUSED) {
		t.Errorf("refused: %+v", e)
	}

	do(t, l, func(l *Loop) { // given up before it is up
		c, err := l.Dial(p.Addr(), netip.AddrPort{})
		if err != nil {
			t.Error(err)
		}
		c.Close(errTest)
	})
	for errs := 0; errs == 0; {
		if e := recv(t, "given up", events); e.what == "closed" && e.dialed {
			errs++
			if e.why != errTest {
				t.Errorf("given up: %v", e.why)
			}
		}
	}
	// The other end of the one given up may still be in the accept queue.
	await(t, "all closed", func() bool { return p.Stats().Accepted == 2 && p.Conns() == 0 })
	do(t, l, func(l *Loop) {
		for range 4 {
			if _, err := l.Dial(p.Addr(), netip.AddrPort{}); err != nil {
				t.Error(err)
			}
		}
		if _, err := l.Dial(p.Addr(), netip.AddrPort{}); err == nil {
			t.Error("dialled past the cap")
		}
	})
}

// TestDialWhileStopping: a handler that dials again in Closed, as clients do,
// once got a connection that nobody closed.
func TestDialWhileStopping(t *testing.T) {
	again := make(chan error, 1)
	var to netip.AddrPort
	p := start(t, Options{}, &script{
		closed: func(c Conn, why error) {
			if c.Dialed() {
				_, err := c.Loop().Dial(to, netip.AddrPort{})
				again <- err
			}
		},
	})
	to = p.Addr()
	do(t, p.Loops()[0], func(l *Loop) { l.Dial(to, netip.AddrPort{}) })
	stop(t, p)
	if err := recv(t, "Dial in Closed", again); !errors.Is(err, ErrStopped) {
		t.Errorf("dial: %v", err)
	}
}
