package poller

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var errTest = errors.New("ended by the test")

// watch is a script that reports Open and Closed.
func watch() (h *script, opened chan Handle, why chan error) {
	opened, why = make(chan Handle, 4096), make(chan error, 4096)
	return &script{
		open:   func(c Conn) { opened <- c.Handle() },
		closed: func(_ Conn, err error) { why <- err },
	}, opened, why
}

// TestEndWhilePaused: FIN waits for Resume, and comes behind the input; a reset
// does not wait.
func TestEndWhilePaused(t *testing.T) {
	h, opened, why := watch()
	var got tally
	h.data = func(c Conn, b []byte) int {
		got.n.Add(int64(len(b)))
		if got.get() == 1 {
			c.Pause()
		}
		return len(b)
	}
	p := start(t, Options{}, h)
	l := p.Loops()[0]

	client, name := dialConn(t, p, 0, opened)
	io.WriteString(client, "x")
	await(t, "paused", func() bool { return got.get() == 1 })
	io.WriteString(client, "more")
	client.finish()
	for range 5 { // turns in which the end could be noticed
		do(t, l, func(l *Loop) {
			if !l.Conn(name).Alive() {
				t.Error("closed while paused")
			}
		})
	}
	if len(why) != 0 {
		t.Fatalf("closed while paused: %v", <-why)
	}
	do(t, l, func(l *Loop) { l.Conn(name).Resume() })
	if err := recv(t, "Closed", why); err != io.EOF || got.get() != 5 {
		t.Errorf("closed: %v, after %d bytes", err, got.get())
	}
	client.close()

	got.n.Store(0)
	client, _ = dialConn(t, p, 0, opened)
	io.WriteString(client, "x")
	await(t, "paused", func() bool { return got.get() == 1 })
	client.reset()
	if err := recv(t, "Closed", why); !isReset(err) {
		t.Errorf("closed: %v", err)
	}
}

// TestPeerClosesWhileOutputWaits: what waits is sent, then the connection is
// over, once, as ended by the peer.
func TestPeerClosesWhileOutputWaits(t *testing.T) {
	h, opened, why := watch()
	h.drained = func(Conn) { t.Error("Drained of a connection that ends") }
	p := start(t, Options{SendBuffer: 4 << 10}, h)
	l := p.Loops()[0]
	client, name := dialConn(t, p, 4<<10, opened)
	defer client.close()
	taken := 0
	do(t, l, func(l *Loop) { taken = fill(l.Conn(name), Reliable) })
	client.finish()
	await(t, "the end is seen", func() bool {
		alive := true
		do(t, l, func(l *Loop) { alive = l.Conn(name).Alive() })
		return !alive
	})
	do(t, l, func(l *Loop) {
		c := l.Conn(name)
		if c.Write([]byte("x"), Control) != Gone {
			t.Error("written to a connection that ends")
		}
		c.Pause() // too late for these; they must not keep it from ending
		c.Resume()
		c.SetDeadline(time.Nanosecond)
		c.Finish(errTest)
	})
	if len(why) != 0 {
		t.Fatalf("closed before what waits is sent: %v", <-why)
	}
	readFull(t, client, taken)
	if err := client.ended(); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	if err := recv(t, "Closed", why); err != io.EOF {
		t.Errorf("closed: %v", err)
	}
}

// TestPeerGoneWhileOutputWaits: nobody can be sent anything.
func TestPeerGoneWhileOutputWaits(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{SendBuffer: 4 << 10}, h)
	client, name := dialConn(t, p, 4<<10, opened)
	do(t, p.Loops()[0], func(l *Loop) { fill(l.Conn(name), Reliable) })
	client.reset()
	if err := recv(t, "Closed", why); !isReset(err) {
		t.Errorf("closed: %v", err)
	}
}

// TestFinish sends what waits, then FIN, and then leaves the peer time to close.
func TestFinish(t *testing.T) {
	h, opened, why := watch()
	h.data = func(_ Conn, b []byte) int { t.Error("input after Finish"); return len(b) }
	p := start(t, Options{SendBuffer: 4 << 10, Linger: time.Hour}, h)
	l := p.Loops()[0]
	for _, waits := range []bool{false, true} {
		client, name := dialConn(t, p, 4<<10, opened)
		taken := 0
		do(t, l, func(l *Loop) {
			c := l.Conn(name)
			if c.SetDeadline(time.Hour); waits {
				taken = fill(c, Reliable)
			} else {
				taken = 5
				c.Write([]byte("bye..")[:5], Reliable)
			}
			c.Finish(errTest)
			c.Finish(io.EOF) // the first one counts
			if c.Alive() || c.Write([]byte("x"), Control) != Gone {
				t.Error("alive after Finish")
			}
		})
		io.WriteString(client, "input that nobody wants")
		readFull(t, client, taken)
		if err := client.ended(); err != nil {
			t.Errorf("the stream ended with %v", err)
		}
		if len(why) != 0 {
			t.Errorf("closed before the peer's FIN: %v", <-why)
		}
		client.finish()
		if err := recv(t, "Closed", why); err != errTest {
			t.Errorf("closed: %v", err)
		}
		client.close()
	}
}

// TestFinishLinger ends a finished connection whose peer keeps its side open.
func TestFinishLinger(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{Linger: time.Millisecond}, h)
	client, name := dialConn(t, p, 0, opened)
	defer client.close()
	do(t, p.Loops()[0], func(l *Loop) { l.Conn(name).Finish(errTest) })
	if err := recv(t, "Closed", why); err != errTest {
		t.Errorf("closed: %v", err)
	}
}

// TestWriteTimeoutCountsFromProgress, while open and while finishing: a peer
// that takes something now and then is slow and not gone. A finished connection
// was once cut off after the timeout, however fast it took what waited.
func TestWriteTimeoutCountsFromProgress(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{SendBuffer: 4 << 10, WriteTimeout: time.Hour, Linger: time.Hour}, h)
	l := p.Loops()[0]
	for _, finishing := range []bool{false, true} {
		client, name := dialConn(t, p, 4<<10, opened)
		do(t, l, func(l *Loop) {
			c := l.Conn(name)
			fill(c, Reliable)
			if finishing {
				c.Finish(errTest)
			}
			if at, ok := l.wheel.next(); ok {
				t.Errorf("a deadline at tick %d that knows no progress", at)
			}
			s := c.get()
			q := l.outs[s.out-1]
			now := l.now
			defer func() { l.now = now }()
			l.now = now + int64(3*time.Hour)
			q.progress = l.now - int64(time.Hour) + 1
			if l.closeSlow(); s.flags&flagDying != 0 {
				t.Error("closed although the peer took something")
			}
			q.progress--
			if l.closeSlow(); s.flags&flagDying == 0 {
				t.Error("not closed")
			}
		})
		want := ErrSlow
		if finishing {
			want = errTest
		}
		if err := recv(t, "Closed", why); err != want {
			t.Errorf("closed: %v, want %v", err, want)
		}
		client.close()
	}
	if n := p.Stats().Slow; n != 2 {
		t.Errorf("Slow is %d", n)
	}
}

// TestSlowPeerIsClosed by the real clock.
func TestSlowPeerIsClosed(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{SendBuffer: 4 << 10, WriteTimeout: 50 * time.Millisecond}, h)
	client, name := dialConn(t, p, 4<<10, opened)
	defer client.close()
	do(t, p.Loops()[0], func(l *Loop) { fill(l.Conn(name), Droppable); fill(l.Conn(name), Reliable) })
	if err := recv(t, "Closed", why); err != ErrSlow {
		t.Errorf("closed: %v", err)
	}
}

// TestReset: the peer is told the hard way.
func TestReset(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{}, h)
	client, name := dialConn(t, p, 0, opened)
	defer client.close()
	do(t, p.Loops()[0], func(l *Loop) { l.Conn(name).Reset(errTest) })
	if err := client.ended(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the peer saw %v", err)
	}
	if err := recv(t, "Closed", why); err != errTest {
		t.Errorf("closed: %v", err)
	}
}

// TestEndInEveryCall ends the connection, in each way, from each call of the
// handler.
func TestEndInEveryCall(t *testing.T) {
	ends := map[string]func(Conn){
		"Close":  func(c Conn) { c.Close(errTest); c.Close(io.EOF) },
		"Finish": func(c Conn) { c.Finish(errTest); c.Close(io.EOF) },
		"Reset":  func(c Conn) { c.Reset(errTest); c.Finish(io.EOF) },
		"other":  func(c Conn) { c.Finish(errTest) },
	}
	for name, end := range ends {
		for _, call := range []string{"open", "data", "drained", "timeout", "closed"} {
			t.Run(name+" in "+call, func(t *testing.T) {
				h, opened, why := watch()
				in := func(which string, c Conn) {
					if which == call {
						end(c)
					}
				}
				h.open = func(c Conn) {
					if call == "timeout" {
						c.SetDeadline(time.Nanosecond)
					}
					in("open", c)
					opened <- c.Handle()
				}
				h.data = func(c Conn, b []byte) int {
					in("data", c)
					if call == "drained" {
						fill(c, Reliable)
					}
					return 0 // leaves something
				}
				h.drained = func(c Conn) { in("drained", c) }
				h.timeout = func(c Conn) { in("timeout", c) }
				closed := h.closed
				h.closed = func(c Conn, err error) { in("closed", c); c.Pause(); c.Resume(); closed(c, err) }
				p := start(t, Options{SendBuffer: 4 << 10, Linger: time.Millisecond}, h)
				client := dialRaw(t, p, 4<<10)
				defer client.close()
				recv(t, "Open", opened)
				want := errTest
				switch call {
				case "data", "drained":
					io.WriteString(client, "x")
				case "closed":
					client.finish()
					want = io.EOF
				}
				client.ended()
				if err := recv(t, "Closed", why); err != want {
					t.Errorf("closed: %v, want %v", err, want)
				}
				checked(t, p)
			})
		}
	}
}

// TestClosedOnceFromAnySide has every end there is meet every other, again and
// again: the handler of start complains of calls after Closed, and the sums say
// whether each was closed.
func TestClosedOnceFromAnySide(t *testing.T) {
	const conns, rounds = 40, 60
	var opened, closed tally
	h := &script{
		open: func(c Conn) {
			opened.inc()
			fill(c, Droppable)
			c.SetDeadline(time.Duration(rand.IntN(4)) * 100 * time.Millisecond)
		},
		data: func(c Conn, b []byte) int {
			if rand.IntN(4) == 0 {
				c.Pause()
			}
			return rand.IntN(len(b) + 1)
		},
		drained: func(c Conn) { c.Resume() },
		timeout: func(c Conn) { c.Close(errTest) },
		closed:  func(c Conn, _ error) { closed.inc(); c.Close(errTest); c.SetDeadline(1) },
	}
	p := start(t, Options{Loops: 2, SendBuffer: 4 << 10, Linger: time.Millisecond}, h)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range rounds {
				clients := make([]*rawClient, conns/4)
				for i := range clients {
					clients[i] = dialRaw(t, p, 4<<10)
				}
				for _, l := range p.Loops() {
					for range conns {
						slot, op := uint32(rand.IntN(conns)), rand.IntN(6)
						l.Post(TaskFunc(func(l *Loop) {
							if slot >= l.slots {
								return
							}
							c := l.Conn(makeHandle(l.index, slot, l.conns.At(slot).gen))
							switch op {
							case 0:
								c.Close(errTest)
							case 1:
								c.Finish(errTest)
							case 2:
								c.Reset(errTest)
							case 3:
								c.Write(make([]byte, 3000), Reliable)
							case 4:
								c.Pause()
							case 5:
								c.Resume()
							}
						}))
					}
				}
				for _, c := range clients {
					c.writeNow(make([]byte, rand.IntN(3000)))
					switch rand.IntN(3) {
					case 0:
						c.finish()
						c.readNow(64 << 10)
					case 1:
						c.reset()
					}
					c.close()
				}
				for _, l := range p.Loops() {
					do(t, l, func(l *Loop) {
						if err := l.check(); err != nil {
							t.Error(err)
						}
					})
				}
			}
		})
	}
	wg.Wait()
	stop(t, p)
	if opened.get() != closed.get() || opened.get() == 0 {
		t.Errorf("%d opened, %d closed", opened.get(), closed.get())
	}
}

// TestGoneConn: methods of connections that are over, or never were, say so.
func TestGoneConn(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{}, h)
	client, name := dialConn(t, p, 0, opened)
	client.close()
	recv(t, "Closed", why)
	do(t, p.Loops()[0], func(l *Loop) {
		for _, c := range []Conn{{}, l.Conn(name), l.Conn(0), l.Conn(makeHandle(0, MaxSlots-1, 1)), l.Conn(makeHandle(5, 0, 1))} {
			c.Close(nil)
			c.Reset(nil)
			c.Finish(nil)
			c.SetDeadline(1)
			c.Pause()
			c.Resume()
			c.SetVariant(1)
			c.SetLimit(0)
			if c.Alive() || c.Dialed() || c.Waiting() != 0 || c.RemoteAddr() != "" ||
				c.Write([]byte("x"), Reliable) != Gone || c.WriteShared([]byte("x"), Control) != Gone || c.WriteJoined([]byte("x"), Droppable, 2) != Gone {
				t.Errorf("%s is alive", c.Handle())
			}
		}
	})
}

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
	await(t, "all closed", func() bool { return p.Conns() == 0 })
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

// TestStopFromHandler: Stop may be called where Close would wait for itself.
func TestStopFromHandler(t *testing.T) {
	h, _, why := watch()
	h.data = func(c Conn, b []byte) int { c.l.p.Stop(); c.l.p.Stop(); return len(b) }
	p := start(t, Options{Loops: 2}, h)
	nc := dialTo(t, p)
	fmt.Fprint(nc, "stop")
	if err := recv(t, "Closed", why); err != ErrStopped {
		t.Errorf("closed: %v", err)
	}
	p.running.Wait()
}

// TestCloseWhileBusy closes under load from several goroutines at once.
func TestCloseWhileBusy(t *testing.T) {
	for range 5 {
		p := start(t, Options{Loops: 2, SendBuffer: 4 << 10}, echo(all))
		var wg sync.WaitGroup
		for range 8 {
			nc := dialTo(t, p)
			wg.Go(func() { io.Copy(io.Discard, nc) })
			wg.Go(func() {
				for b := make([]byte, 8<<10); ; {
					if _, err := nc.Write(b); err != nil {
						return
					}
				}
			})
		}
		await(t, "traffic", func() bool { return p.Stats().BytesIn > 1<<20 })
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() { p.Close() })
		}
		for range 3 {
			closers.Go(func() {
				for p.Loops()[0].Post(TaskFunc(func(l *Loop) { l.Cast(Cast{}) })) {
				}
			})
		}
		closers.Wait()
		stop(t, p)
		wg.Wait()
	}
}

// TestEpollFails: when epoll itself breaks, everything is closed and Close says
// what happened.
func TestEpollFails(t *testing.T) {
	h, opened, why := watch()
	p, err := New(Options{Loops: 1, Listen: "127.0.0.1:0", NewHandler: func(*Loop) Handler { return h }})
	if err != nil {
		t.Fatal(err)
	}
	client, _ := dialConn(t, p, 0, opened)
	defer client.close()
	l := p.Loops()[0]
	inner := netpollWakeup(l)
	do(t, l, func(l *Loop) { // another file in epoll's place
		if err := unix.Dup2(l.timer, l.re.epfd); err != nil {
			t.Error(err)
		}
	})
	if err := recv(t, "Closed", why); !errors.Is(err, unix.EINVAL) {
		t.Errorf("closed: %v", err)
	}
	if err := p.Close(); err == nil {
		t.Error("Close says nothing")
	}
	unix.Close(l.re.epfd) // netpoll leaves these two open when epoll_wait fails
	unix.Close(inner)
}
