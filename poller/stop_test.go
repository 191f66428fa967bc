package poller

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
