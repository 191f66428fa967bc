package poller

import (
	"errors"
	"io"
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
			if c.Alive() || c.Dialed() || c.Waiting() != 0 || c.RemoteAddr() != "" || c.RemoteAddrPort().IsValid() ||
				c.Write([]byte("x"), Reliable) != Gone || c.WriteShared([]byte("x"), Control) != Gone || c.WriteJoined([]byte("x"), Droppable, 2) != Gone {
				t.Errorf("%s is alive", c.Handle())
			}
		}
	})
}
