package poller

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDialWithinAPortRange: connections come from the range alone, all of it,
// over IPv4 and IPv6; then the error names connect.
func TestDialWithinAPortRange(t *testing.T) {
	for _, source := range []string{"127.0.3.7", "::1"} {
		local := netip.AddrPortFrom(netip.MustParseAddr(source), 0)
		h, opened, _ := watch()
		listen := "127.0.0.1:0"
		if local.Addr().Is6() {
			listen = "[::1]:0"
			fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
			if err == nil {
				err = unix.Bind(fd, sockaddr(local))
				unix.Close(fd)
			}
			if err != nil {
				t.Skipf("no IPv6 here: %v", err)
			}
		}
		p := start(t, Options{Listen: listen}, h)
		l := p.Loops()[0]
		bounds := [2]uint16{43210, 43213}
		var err error
		ports := map[uint16]bool{}
		for len(ports) < 4 {
			var c Conn
			do(t, l, func(l *Loop) { c, err = l.DialWith(DialOptions{Remote: p.Addr(), Local: local, PortRange: bounds}) })
			if errors.Is(err, unix.ENOPROTOOPT) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatalf("%s: dial %d: %v", source, len(ports), err)
			}
			for range 2 { // both ends are here
				recv(t, "Open", opened)
			}
			do(t, l, func(*Loop) {
				from, err := localAddr(int(c.get().fd))
				if err != nil || from.Addr() != local.Addr() || from.Port() < bounds[0] || from.Port() > bounds[1] || ports[from.Port()] {
					t.Errorf("%s: from %s, %v; had %v", source, from, err, ports)
				}
				ports[from.Port()] = true
			})
			if t.Failed() {
				return
			}
		}
		do(t, l, func(l *Loop) { _, err = l.DialWith(DialOptions{Remote: p.Addr(), Local: local, PortRange: bounds}) })
		failed(t, err, "connect", unix.EADDRNOTAVAIL)
	}
}

// failed checks that err names the call and the errno.
func failed(t *testing.T, err error, call string, errno unix.Errno) {
	t.Helper()
	var e *DialError
	if !errors.As(err, &e) || e.Call != call || !errors.Is(err, errno) || !strings.Contains(err.Error(), call) {
		t.Errorf("got %v, want %s to say %v", err, call, errno)
	}
}

// TestDialErrorsNameTheCall: of those made at once; see TestDial for the later.
func TestDialErrorsNameTheCall(t *testing.T) {
	p := start(t, Options{}, &script{})
	for _, c := range []struct {
		o     DialOptions
		call  string
		errno unix.Errno
	}{
		{DialOptions{Remote: p.Addr(), Local: netip.MustParseAddrPort("203.0.113.9:0")}, "bind", unix.EADDRNOTAVAIL},
		{DialOptions{Remote: p.Addr(), PortRange: [2]uint16{9, 8}}, "setsockopt", unix.EINVAL},
		{DialOptions{Remote: netip.MustParseAddrPort("255.255.255.255:1")}, "connect", unix.ENETUNREACH},
	} {
		var err error
		do(t, p.Loops()[0], func(l *Loop) { _, err = l.DialWith(c.o) })
		failed(t, err, c.call, c.errno)
	}
	if n := p.Conns(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// stamped starts a poller that tells what Arrived says of what its dialled
// connection is sent, and returns the other end, that connection and its loop.
//
// The kernel begins to stamp a little after the first socket has asked for it, and
// stops with the last: one is held for the length of the test.
func stamped(t testing.TB, o DialOptions, data func(c Conn, b []byte) int) (far Conn, near Conn, l *Loop) {
	t.Helper()
	if o.Stamps {
		var arrived atomic.Int64
		far, _, l := connected(t, o, func(c Conn, b []byte) int {
			arrived.Store(c.Arrived())
			return len(b)
		})
		await(t, "the kernel stamps", func() bool {
			do(t, l, func(*Loop) { far.Write([]byte("x"), Reliable) })
			return arrived.Load() != 0
		})
	}
	return connected(t, o, data)
}

// connected connects a poller to itself.
func connected(t testing.TB, o DialOptions, data func(c Conn, b []byte) int) (far Conn, near Conn, l *Loop) {
	t.Helper()
	opened := make(chan Conn, 2)
	h := &script{open: func(c Conn) { opened <- c }, data: data}
	p := start(t, Options{NewHandler: func(*Loop) Handler { return h }}, nil) // guarded allocates
	l = p.Loops()[0]
	o.Remote = p.Addr()
	do(t, l, func(l *Loop) {
		var err error
		if near, err = l.DialWith(o); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		if c := recv(t, "Open", opened); c != near {
			far = c
		}
	}
	return far, near, l
}

// TestArrived: the kernel's time lies between sending and reading, for whole
// input and for the rest of what was kept; nobody else is told a time.
func TestArrived(t *testing.T) {
	type seen struct {
		at, now int64
		n       int
	}
	for _, stamps := range []bool{true, false} {
		got := make(chan seen, 16)
		whole := 10
		far, near, l := stamped(t, DialOptions{Stamps: stamps, RcvBuf: 8 << 10}, func(c Conn, b []byte) int {
			got <- seen{c.Arrived(), time.Now().UnixNano(), len(b)}
			if len(b) < whole {
				return 0
			}
			return len(b)
		})
		do(t, l, func(*Loop) {
			if n, err := unix.GetsockoptInt(int(near.get().fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil || n != 16<<10 {
				t.Errorf("receive buffer %d, %v", n, err)
			}
		})
		for i, size := range []int{10, 4, 6, 3, 300, 2, 6000} { // alone; in two parts, the rest within the kept buffer, and beyond
			var before int64
			do(t, l, func(*Loop) {
				before = time.Now().UnixNano()
				far.Write(make([]byte, size), Reliable)
			})
			s := recv(t, "Data", got)
			for s.n < size {
				s = recv(t, "the rest", got)
			}
			if !stamps {
				before, s.now = 0, 0
			}
			if s.at < before || s.at > s.now {
				t.Errorf("stamps %v, part %d: arrived at %d, sent at %d, read at %d", stamps, i, s.at, before, s.now)
			}
		}
		do(t, l, func(*Loop) {
			if near.Arrived() != 0 || far.Arrived() != 0 || (Conn{}).Arrived() != 0 {
				t.Error("a time outside of Data")
			}
		})
	}
}

// TestArrivedAgain: what is offered again has no time of its own.
func TestArrivedAgain(t *testing.T) {
	times := make(chan int64, 4)
	far, near, l := stamped(t, DialOptions{Stamps: true}, func(c Conn, b []byte) int {
		times <- c.Arrived()
		if len(times) == 1 {
			c.Pause()
			return 0
		}
		return len(b)
	})
	do(t, l, func(*Loop) { far.Write([]byte("x"), Reliable) })
	await(t, "paused", func() bool { return len(times) == 1 })
	do(t, l, func(*Loop) { near.Resume() })
	await(t, "offered again", func() bool { return len(times) == 2 })
	if first, again := <-times, <-times; first == 0 || again != 0 {
		t.Errorf("arrived at %d, then at %d", first, again)
	}
}
