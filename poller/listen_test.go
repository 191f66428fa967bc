package poller

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSocketOptionsAreInherited: what the listener is given, accepted sockets
// have, and dialled ones too.
func TestSocketOptionsAreInherited(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{SendBuffer: 50 << 10, NotSentLowat: 12345}, h)
	l := p.Loops()[0]
	do(t, l, func(l *Loop) { l.Dial(p.Addr(), netip.AddrPort{}) })
	for range 2 {
		name := recv(t, "Open", opened)
		do(t, l, func(l *Loop) {
			fd := int(l.lookup(name).fd)
			for _, o := range []struct {
				what             string
				level, opt, want int
			}{
				{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
				{"SO_SNDBUF", unix.SOL_SOCKET, unix.SO_SNDBUF, 2 * 50 << 10},
				{"TCP_NOTSENT_LOWAT", unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 12345},
			} {
				if got, err := unix.GetsockoptInt(fd, o.level, o.opt); err != nil || got != o.want {
					t.Errorf("dialled %v: %s is %d, want %d, %v", l.Conn(name).Dialed(), o.what, got, o.want, err)
				}
			}
			if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
				t.Error("blocking")
			}
			if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
				t.Error("inherited by children")
			}
		})
	}
}

// TestPortIsTaken: by another poller, by a foreign listener of any kind; and
// free again after StopListening, though connections live on.
func TestPortIsTaken(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{Loops: 2}, h)
	open := func(addr string) (*Poller, error) {
		return New(Options{Loops: 2, Listen: addr, NewHandler: func(*Loop) Handler { return h }})
	}
	refused := func(addr string) {
		t.Helper()
		before := len(openDescriptors())
		q, err := open(addr)
		if err == nil {
			q.Close()
			t.Fatalf("%s: a second poller listens", addr)
		}
		if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "taken by another process") || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
		}
		if after := len(openDescriptors()); after > before {
			t.Errorf("%s: %d descriptors before, %d after", addr, before, after)
		}
	}
	addr := p.Addr().String()
	refused(addr)

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused(ln.Addr().String())
	ln.Close()

	shared, err := listenOne(p.Addr(), &p.opt) // SO_REUSEPORT, as a poller without the guard would
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := localAddr(shared)
	p.StopListening()
	await(t, "its listeners are closed", func() bool { return p.open.Load() == 0 })
	refused(alone.String())
	sysClose(shared)

	q, err := open(addr) // a successor, while the first still has connections
	if err != nil {
		t.Fatalf("after StopListening: %v", err)
	}
	c := dialRaw(t, q, 0)
	recv(t, "Open", opened)
	c.close()
	stop(t, q)
	if r, err := open(addr); err != nil {
		t.Errorf("after Close: %v", err)
	} else {
		stop(t, r)
	}
}

// TestListenAddresses: every form that is documented.
func TestListenAddresses(t *testing.T) {
	h, opened, _ := watch()
	for _, addr := range []string{":0", "127.0.0.1:0", "[::1]:0", "localhost:0", "0.0.0.0:0"} {
		p, err := New(Options{Loops: 2, Listen: addr, NewHandler: func(*Loop) Handler { return h }})
		if err != nil {
			if addr == "[::1]:0" || addr == ":0" {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			t.Fatalf("%s: %v", addr, err)
		}
		if p.Addr().Port() == 0 {
			t.Errorf("%s: no port", addr)
		}
		hosts := []string{p.Addr().Addr().String()}
		if addr == ":0" {
			hosts = []string{"127.0.0.1"}
		}
		for _, host := range hosts {
			nc, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(p.Addr().Port())))
			if err != nil {
				t.Errorf("%s: %v", addr, err)
				continue
			}
			name := recv(t, "Open", opened)
			done := make(chan string, 1)
			p.Post(name, TaskFunc(func(l *Loop) { done <- l.Conn(name).RemoteAddr() }))
			if got := recv(t, "RemoteAddr", done); got != nc.LocalAddr().String() {
				t.Errorf("%s: remote is %s, want %s", addr, got, nc.LocalAddr())
			}
			nc.Close()
		}
		stop(t, p)
	}
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:http-nonsense", "1.2.3.4.5:1", "192.0.2.1:0"} {
		before := len(openDescriptors())
		if p, err := New(Options{Listen: addr, NewHandler: func(*Loop) Handler { return h }}); err == nil {
			p.Close()
			t.Errorf("%s is accepted", addr)
		}
		if after := len(openDescriptors()); after > before {
			t.Errorf("%s: %d descriptors before, %d after", addr, before, after)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	handler := func(*Loop) Handler { return &script{} }
	for name, opt := range map[string]Options{
		"no handler":     {},
		"loops":          {NewHandler: handler, Loops: MaxLoops + 1},
		"negative loops": {NewHandler: handler, Loops: -1},
		"conns":          {NewHandler: handler, MaxConns: -1},
		"partial":        {NewHandler: handler, MaxPartial: -1},
		"write timeout":  {NewHandler: handler, WriteTimeout: -1},
		"linger":         {NewHandler: handler, Linger: -1},
		"limits":         {NewHandler: handler, Limits: make([]Limits, 257)},
		"bounds":         {NewHandler: handler, Limits: []Limits{{Bytes: -1}}},
	} {
		if p, err := New(opt); err == nil {
			p.Close()
			t.Errorf("%s: accepted", name)
		}
	}
	limits := []Limits{{Messages: 3}}
	opt, err := Options{NewHandler: handler, Limits: limits}.withDefaults()
	want := DefaultLimits
	want.Messages = 3
	if err != nil || opt.Limits[0] != want || limits[0].Bytes != 0 {
		t.Errorf("%+v, %v; the caller's: %+v", opt.Limits, err, limits)
	}
}
