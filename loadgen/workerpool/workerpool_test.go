package workerpool

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/worker"
)

// buffer may be written to by several goroutines.
type buffer struct {
	sync.Mutex
	b bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.Lock()
	defer b.Unlock()
	return b.b.String()
}

// children returns options for worker processes that behave in some way.
func children(n int, how string) Options {
	return Options{Clock: clock.New(), Local: n, Command: []string{"/proc/self/exe"}, Env: []string{childEnv + "=" + how, "GORACE=atexit_sleep_ms=0"}, Parts: parts()}
}

// next returns the first event that is wanted.
func next(t *testing.T, c *Pool, want func(Event) bool) Event {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e := <-c.Events:
			if want(e) {
				return e
			}
		case <-late:
			t.Fatal("it did not come")
		}
	}
}

func plan(worker, workers int) *link.Message {
	return &link.Message{Plan: &link.Plan{Scenario: "name: x", Worker: worker, Workers: workers, Here: workers}}
}

// ready plans for every member and waits until it is ready.
func ready(t *testing.T, c *Pool) {
	t.Helper()
	for i, m := range c.Members {
		if err := m.Tell(plan(i, len(c.Members))); err != nil {
			t.Fatal(err)
		}
		e := next(t, c, func(e Event) bool { return e.Member == m })
		if e.Message == nil || e.Message.Ready == nil || e.Message.Ready.Clients != 7 {
			t.Fatalf("worker %d: %+v", i, e)
		}
	}
}

// TestChildrenAndOneInThisProcess join, answer and end in order.
func TestChildrenAndOneInThisProcess(t *testing.T) {
	here := Options{Clock: clock.New(), Local: 1, Parts: parts()}
	for name, o := range map[string]Options{"processes": children(3, "serves"), "this process": here} {
		t.Run(name, func(t *testing.T) {
			c, err := Gather(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ready(t, c)
			for _, m := range c.Members {
				if !worker.SameClock(m.Hello, worker.Hello("")) || m.Remote {
					t.Errorf("worker %d is of this machine: %+v", m.Index, m.Hello)
				}
				if err := m.Tell(&link.Message{Ping: &link.Ping{At: 42}}); err != nil {
					t.Error(err)
				}
				next(t, c, func(e Event) bool { return e.Member == m && e.Message.Pong != nil && e.Message.Pong.At == 42 })
			}
			c.Close()
			for _, m := range c.Members { // who was not told is killed, or found the socket closed
				if how := m.exit(); how != "exit status 0" && how != "done" {
					t.Errorf("worker %d: %s", m.Index, how)
				}
			}
		})
	}
}

// TestKilledChildIsSaidToBe, with the signal.
func TestKilledChildIsSaidToBe(t *testing.T) {
	c, err := Gather(t.Context(), children(2, "serves"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ready(t, c)
	if err := syscall.Kill(c.Members[1].Hello.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	e := next(t, c, func(e Event) bool { return e.Err != nil })
	if e.Member.Index != 1 || !strings.Contains(e.Err.Error(), "killed") {
		t.Errorf("worker %d: %v", e.Member.Index, e.Err)
	}
}

// TestStoppedChildIsKilledAtTheEnd: nothing is left of it.
func TestStoppedChildIsKilledAtTheEnd(t *testing.T) {
	c, err := Gather(t.Context(), children(1, "serves"))
	if err != nil {
		t.Fatal(err)
	}
	ready(t, c)
	pid := c.Members[0].Hello.PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	c.Members[0].Kill()
	c.Close()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d: %v", pid, err)
	}
}

// TestChildrenThatDoNotStart are an error that says why.
func TestChildrenThatDoNotStart(t *testing.T) {
	var out buffer
	for _, c := range []struct {
		name, want string
		o          Options
	}{
		{"no such program", "cannot be started", Options{Clock: clock.New(), Local: 1, Command: []string{"/no/such"}}},
		{"dies", "worker 0 (process", children(1, "dies:no room")},
		{"dies with words", "exit status 3: no room", children(2, "dies:no room")},
		{"too many without processes", "processes of their own", Options{Clock: clock.New(), Local: 2}},
		{"nobody", "at least one", Options{}},
		{"remote workers without a token", "token", Options{Clock: clock.New(), Expect: 1, Listen: "127.0.0.1:0"}},
		{"nowhere to listen", "listening", Options{Clock: clock.New(), Expect: 1, Token: "t", Listen: "127.0.0.1:bad"}},
		{"no remote workers come", "0 of 1 workers", Options{Clock: clock.New(), Expect: 1, Token: "t", Listen: "127.0.0.1:0", Wait: time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Log = &out
			pool, err := Gather(t.Context(), c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if pool != nil {
				pool.Close()
			}
		})
	}
	if !strings.Contains(out.String(), "worker 0: no room\n") {
		t.Errorf("what it printed is not in the log:\n%s", out.String())
	}
}

// TestLogIsBounded: whatever a child prints.
func TestLogIsBounded(t *testing.T) {
	var out buffer
	o := children(1, "prints")
	o.Log = &out
	if _, err := Gather(t.Context(), o); err == nil {
		t.Fatal("it has started")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != maxLines || lines[maxLines-1] != "worker 0: further lines are left out" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	var cut buffer
	l := newLog(&cut).prefixed("p: ")
	if _, err := l.Write([]byte(strings.Repeat("y", 3*maxLine) + "\nz\n")); err != nil {
		t.Fatal(err)
	}
	if want := "p: " + strings.Repeat("y", maxLine) + " ...\np: z\n"; cut.String() != want {
		t.Errorf("a long line became %d bytes", len(cut.String()))
	}
}

// TestInterruptedWhileGathering ends at once and leaves nobody.
func TestInterruptedWhileGathering(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := Gather(ctx, children(1, "stops")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// remotes starts Gather for n remote workers and returns its address.
func remotes(t *testing.T, n int) (addr string, result chan *Pool, out *buffer) {
	t.Helper()
	out, result = &buffer{}, make(chan *Pool, 1)
	go func() {
		c, err := Gather(t.Context(), Options{Clock: clock.New(), Expect: n, Token: "secret", Listen: "127.0.0.1:0", Wait: 20 * time.Second, Log: out})
		if err != nil {
			t.Error(err)
		}
		result <- c
	}()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, at, ok := strings.Cut(out.String(), " workers at "); ok {
			addr, _, _ = strings.Cut(at, ":") // the host
			port, _, _ := strings.Cut(at[len(addr)+1:], ":")
			return addr + ":" + port, result, out
		}
		if time.Now().After(end) {
			t.Fatalf("nobody listens: %q", out.String())
		}
	}
}

// join connects and serves as a remote worker, with what is said first.
func join(t *testing.T, addr, token string) chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			done <- err
			return
		}
		l := link.NewConn(c)
		l.Trust()
		p := parts()
		p.Token = token
		done <- worker.Serve(context.Background(), l, p)
	}()
	return done
}

// TestRemotes: those that know the token join, whoever else connects.
func TestRemotes(t *testing.T) {
	addr, result, out := remotes(t, 2)
	if err := <-join(t, addr, "wrong"); err == nil || !strings.Contains(err.Error(), "wrong token") {
		t.Errorf("with a wrong token: %v", err)
	}
	for _, first := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x02{}", "\x00\x00\x00\x1e{\"hello\":{\"version\":99999999}}", ""} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(first)); err != nil {
			t.Error(err)
		}
		defer c.Close()
	}
	a, b := join(t, addr, "secret"), join(t, addr, "secret")
	c := <-result
	if c == nil {
		t.Fatal("no pool")
	}
	ready(t, c)
	for _, m := range c.Members {
		if shift, bound, ok := m.Offset.Shift(0); !ok || bound <= 0 || max(shift, -shift) > int64(time.Second) {
			t.Errorf("clock of worker %d: shift %d, bound %v", m.Index, shift, bound)
		}
	}
	c.Close()
	if err := errors.Join(<-a, <-b); err != nil {
		t.Errorf("remote workers ended with %v", err)
	}
	for _, want := range []string{"wrong token", "no hello", "speaks version 99999999", "worker 2 of 2 has joined"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, out.String())
		}
	}
}

// TestChildEndsWithItsParent: when the socket does.
func TestChildEndsWithItsParent(t *testing.T) {
	c, err := Gather(t.Context(), children(1, "serves"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ready(t, c)
	m := c.Members[0]
	m.link.Close()
	select {
	case <-m.gone:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
	if how := m.exit(); !strings.Contains(how, "the coordinator is gone") {
		t.Errorf("it ended with %q", how)
	}
}
