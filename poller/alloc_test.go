//go:build !race

package poller

import (
	"runtime"
	"testing"
)

// allocs counts what f allocates on the loop per call, in the steady state. All
// goroutines count: nothing else runs.
func allocs(t *testing.T, what string, f func()) {
	t.Helper()
	for range 10 {
		f()
	}
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestEchoDoesNotAllocate(t *testing.T) {
	p := start(t, Options{NewHandler: func(*Loop) Handler { return echo(all) }}, nil)
	client := dialRaw(t, p, 0)
	defer client.close()
	for _, size := range []int{20, 3000} {
		msg, back := make([]byte, size), make([]byte, size)
		allocs(t, "echo", func() {
			client.Write(msg)
			for n := 0; n < size; {
				m, err := client.Read(back[n:])
				if err != nil {
					t.Fatal(err)
				}
				n += m
			}
		})
	}
}

// TestSplitInputDoesNotAllocate: a message in two parts passes through a pooled
// buffer.
func TestSplitInputDoesNotAllocate(t *testing.T) {
	h := echo(func(b []byte) int { return len(b) / 1000 * 1000 })
	p := start(t, Options{NewHandler: func(*Loop) Handler { return h }}, nil)
	l := p.Loops()[0]
	client := dialRaw(t, p, 0)
	defer client.close()
	msg, back := make([]byte, 1000), make([]byte, 1000)
	client.Write(msg)
	readFull(t, client, 1000)
	allocs(t, "split echo", func() {
		reads := l.n.reads.Load()
		client.Write(msg[:600])
		for l.n.reads.Load() == reads { // until the part is in
			runtime.Gosched()
		}
		client.Write(msg[600:])
		for n := 0; n < len(back); {
			m, err := client.Read(back[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
	})
}

func TestDeadlinesAndHandlesDoNotAllocate(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{NewHandler: func(*Loop) Handler { return h }}, nil)
	l := p.Loops()[0]
	client, name := dialConn(t, p, 0, opened)
	defer client.close()
	do(t, l, func(l *Loop) {
		allocs(t, "SetDeadline", func() {
			c := l.Conn(name)
			c.SetDeadline(1 << 36)
			c.SetVariant(1)
			c.Pause()
			c.Resume()
			if !c.Alive() || !c.RemoteAddrPort().IsValid() {
				t.Error("gone")
			}
		})
	})
}

// TestCastSlicesDoNotAllocate: what a cast costs does not grow with its
// receivers.
func TestCastSlicesDoNotAllocate(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		s := h.script()
		p := start(t, Options{IOUring: mode, NewHandler: func(*Loop) Handler { return s }}, nil)
		l := p.Loops()[0]
		var clients []*rawClient
		for range 300 {
			c, _ := h.connect(t, p, 0, 1, true)
			defer c.close()
			clients = append(clients, c)
		}
		f := variants(1, 64, 1)
		back := make([]byte, 1<<16)
		do(t, l, func(l *Loop) {
			l.jobs = []*castJob{{Cast: Cast{Frames: f}}}
			w := l.board()
			allocs(t, "slice", func() {
				w.cursor = 0
				for w.cursor < l.end(w) {
					n, _ := l.collect(w, sliceTargets)
					if l.ring != nil {
						l.sendRing(w, l.targets[:n])
					} else {
						l.sendEach(w, l.targets[:n])
					}
				}
				for _, c := range clients {
					if _, err := c.Read(back); err != nil {
						t.Error(err)
					}
				}
			})
			l.failJobs()
		})
	})
}

// TestQueueDoesNotAllocate: output that has to wait passes through pooled
// queues and buffers.
func TestQueueDoesNotAllocate(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{SendBuffer: 4 << 10, NewHandler: func(*Loop) Handler { return h }}, nil)
	l := p.Loops()[0]
	client, name := dialConn(t, p, 4<<10, opened)
	defer client.close()
	msg, back := make([]byte, 300), make([]byte, 1<<16)
	do(t, l, func(l *Loop) {
		c := l.Conn(name)
		allocs(t, "queue", func() {
			for c.Waiting() == 0 {
				c.Write(msg, Reliable)
			}
			for range 10 {
				c.Write(msg, Droppable)
				c.Write(msg[:20], Control)
			}
			for c.Waiting() > 0 {
				client.readNowInto(back)
				l.writable(name.Slot(), c.get())
			}
			client.readNowInto(back)
		})
	})
}

// TestStampedReadsDoNotAllocate: recvmsg and the stamp, with and without input
// that was kept.
func TestStampedReadsDoNotAllocate(t *testing.T) {
	got := make(chan int, 16)
	far, _, l := stamped(t, DialOptions{Stamps: true}, func(c Conn, b []byte) int {
		if c.Arrived() == 0 {
			t.Error("no time")
		}
		got <- len(b)
		return len(b) / 1000 * 1000
	})
	part := make([]byte, 600)
	rest := make([]byte, 400)
	write := TaskFunc(func(*Loop) { far.Write(part, Reliable) })
	finish := TaskFunc(func(*Loop) { far.Write(rest, Reliable) })
	allocs(t, "stamped read", func() {
		l.Post(write)
		<-got
		l.Post(finish)
		<-got
	})
}
