package poller

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience bounds every wait of the tests. Nothing is expected to take nearly
// so long; a test that gets here has hung.
const patience = 30 * time.Second

// childEnv names the part that a re-executed test binary plays.
const childEnv = "ROOST_POLLER_CHILD"

// children are the parts, run instead of the tests.
var children = map[string]func() error{}

// TestMain fails the run when goroutines or descriptors are left.
func TestMain(m *testing.M) {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		ln.Close() // the runtime's own poller opens its descriptors once
	}
	if part := os.Getenv(childEnv); part != "" {
		if err := children[part](); err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	before := openDescriptors()
	settled := goleak.IgnoreCurrent() // netpoll's default poller
	code := m.Run()
	if err := goleak.Find(settled); err != nil {
		fmt.Println("goroutines left:", err)
		code = 1
	}
	after := openDescriptors()
	for end := time.Now().Add(5 * time.Second); len(after) > len(before) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // sockets of package net close behind their finishers
		after = openDescriptors()
	}
	if len(after) > len(before) {
		fmt.Printf("descriptors left: %d before, %d after\n", len(before), len(after))
		for fd, what := range after {
			if before[fd] == "" {
				fmt.Println("  ", fd, what)
			}
		}
		code = 1
	}
	os.Exit(code)
}

// openDescriptors lists the process's descriptors.
func openDescriptors() map[string]string {
	open := map[string]string{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if what, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = what // the directory itself is gone by now
		}
	}
	return open
}

// script is a Handler of functions; what is nil does nothing, and Data consumes
// all.
type script struct {
	open    func(c Conn)
	data    func(c Conn, b []byte) int
	drained func(c Conn)
	timeout func(c Conn)
	closed  func(c Conn, why error)
}

func (h *script) Open(c Conn) {
	if h.open != nil {
		h.open(c)
	}
}

func (h *script) Data(c Conn, b []byte) int {
	if h.data != nil {
		return h.data(c, b)
	}
	return len(b)
}

func (h *script) Drained(c Conn) {
	if h.drained != nil {
		h.drained(c)
	}
}

func (h *script) Timeout(c Conn) {
	if h.timeout != nil {
		h.timeout(c)
	}
}

func (h *script) Closed(c Conn, why error) {
	if h.closed != nil {
		h.closed(c, why)
	}
}

// guarded checks, around another Handler, what the package promises about the
// order of calls.
type guarded struct {
	t      testing.TB
	inside bool
	live   map[Handle]bool // opened, not closed
	gone   map[Handle]bool
	Handler
}

func (g *guarded) enter(c Conn, call string) func() {
	if g.inside {
		g.t.Errorf("%s of %s inside another call", call, c.Handle())
	}
	if g.gone[c.Handle()] {
		g.t.Errorf("%s of %s after its Closed", call, c.Handle())
	}
	g.inside = true
	return func() { g.inside = false }
}

func (g *guarded) Open(c Conn) {
	defer g.enter(c, "Open")()
	if g.live[c.Handle()] {
		g.t.Errorf("%s opened twice", c.Handle())
	}
	g.live[c.Handle()] = true
	g.Handler.Open(c)
}

func (g *guarded) Data(c Conn, b []byte) int {
	defer g.enter(c, "Data")()
	if !g.live[c.Handle()] {
		g.t.Errorf("Data of %s, which is not open", c.Handle())
	}
	if len(b) == 0 {
		g.t.Errorf("Data of %s without data", c.Handle())
	}
	return g.Handler.Data(c, b)
}

func (g *guarded) Drained(c Conn) {
	defer g.enter(c, "Drained")()
	g.Handler.Drained(c)
}

func (g *guarded) Timeout(c Conn) {
	defer g.enter(c, "Timeout")()
	g.Handler.Timeout(c)
}

func (g *guarded) Closed(c Conn, why error) {
	defer g.enter(c, "Closed")()
	if why == nil {
		g.t.Errorf("%s closed without a reason", c.Handle())
	}
	delete(g.live, c.Handle())
	g.gone[c.Handle()] = true
	g.Handler.Closed(c, why)
}

// start runs a poller with one loop on a free port, unless opt says otherwise,
// and checks when the test ends that nothing is left on any loop.
func start(t testing.TB, opt Options, h *script) *Poller {
	t.Helper()
	if opt.Loops == 0 {
		opt.Loops = 1
	}
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	if opt.NewHandler == nil {
		_, bench := t.(*testing.B)
		opt.NewHandler = func(*Loop) Handler {
			if bench {
				return h
			}
			return &guarded{t: t, live: map[Handle]bool{}, gone: map[Handle]bool{}, Handler: h}
		}
	}
	p, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

// stop closes p and checks that it kept nothing.
func stop(t testing.TB, p *Poller) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Close hangs")
	}
	for _, l := range p.Loops() {
		if n := l.buffers.Lent(); n != 0 {
			t.Errorf("loop %d: %d buffers not given back", l.index, n)
		}
		if l.used != 0 || len(l.free) != int(l.slots) || len(l.outs) != 0 || len(l.endings) != 0 || len(l.jobs) != 0 || l.walk != nil {
			t.Errorf("loop %d keeps: used %d, free %d of %d, outs %d, endings %d, jobs %d",
				l.index, l.used, len(l.free), l.slots, len(l.outs), len(l.endings), len(l.jobs))
		}
		if at, ok := l.wheel.next(); ok {
			t.Errorf("loop %d: a deadline is left at tick %d", l.index, at)
		}
	}
	if s := p.Stats(); s.Conns != 0 || s.Accepted+s.Dialed > s.Closed {
		t.Errorf("connections left: %+v", s)
	}
}

// check verifies what must hold on a loop between turns. It runs on the loop.
func (l *Loop) check() error {
	used, outs := 0, 0
	for slot := range l.slots {
		s := l.conns.At(slot)
		if s.flags&flagUsed == 0 {
			if s.out != 0 || s.in != 0 || s.fd != -1 {
				return fmt.Errorf("free slot %d holds something: %+v", slot, *s)
			}
			continue
		}
		used++
		if s.flags&flagTarget != 0 {
			return fmt.Errorf("slot %d is marked as a target outside a slice", slot)
		}
		if s.out == 0 {
			continue
		}
		outs++
		q := l.outs[s.out-1]
		if q.slot != slot || q.index != s.out-1 {
			return fmt.Errorf("slot %d: its queue says slot %d, index %d", slot, q.slot, q.index)
		}
		var sum outQueue
		for i := range q.items {
			if len(q.items[i].b) == 0 {
				return fmt.Errorf("slot %d: empty item", slot)
			}
			sum.count(&q.items[i], 1)
		}
		if sum.bytes != q.bytes || sum.messages != q.messages || sum.msgBytes != q.msgBytes ||
			sum.control != q.control || sum.ctlBytes != q.ctlBytes {
			return fmt.Errorf("slot %d: counts %+v, items say %+v", slot, *q, sum)
		}
		if s.flags&flagOutMask == 0 && s.flags&flagDying == 0 {
			return fmt.Errorf("slot %d: output waits and write-readiness is not armed", slot)
		}
	}
	if used != l.used || outs != len(l.outs) || used+len(l.free) != int(l.slots) {
		return fmt.Errorf("used %d (%d), outs %d (%d), free %d, slots %d", used, l.used, outs, len(l.outs), len(l.free), l.slots)
	}
	return nil
}

// do runs f on the loop and waits for it.
func do(t testing.TB, l *Loop, f func(l *Loop)) {
	t.Helper()
	done := make(chan struct{})
	if !l.Post(TaskFunc(func(l *Loop) { defer close(done); f(l) })) {
		t.Fatal("Post refused")
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the loop does not run tasks")
	}
}

// checked runs the invariants of all loops.
func checked(t testing.TB, p *Poller) {
	t.Helper()
	for _, l := range p.Loops() {
		do(t, l, func(l *Loop) {
			if err := l.check(); err != nil {
				t.Errorf("loop %d: %v", l.index, err)
			}
		})
	}
}

// await polls until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// recv waits for a value.
func recv[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

// dialTo connects package net to p.
func dialTo(t testing.TB, p *Poller) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(2 * patience))
	return nc.(*net.TCPConn)
}

// readFull reads n bytes.
func readFull(t testing.TB, r io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if m, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("read %d of %d bytes: %v", m, n, err)
	}
	return b
}

// fill writes until the connection's queue refuses (droppable output: until some
// was pushed out), so that output waits. It runs on the loop, and says how many
// bytes were taken.
func fill(c Conn, class Class) (taken int) {
	b := make([]byte, 4<<10)
	for dropped := c.l.n.dropped.Load(); c.l.n.dropped.Load() == dropped; {
		switch c.Write(b, class) {
		case Written, Queued:
			taken += len(b)
		default:
			return taken
		}
	}
	return taken
}

// eachCastPath runs f for casts by io_uring and by sendto.
func eachCastPath(t *testing.T, f func(t *testing.T, mode IOUringMode)) {
	t.Helper()
	if probe := ProbeUring(); probe.OK {
		t.Run("uring", func(t *testing.T) { f(t, IOUringAuto) })
	} else {
		t.Logf("io_uring is not available, casts by sendto only: %s", probe.Why)
	}
	t.Run("sendto", func(t *testing.T) { f(t, IOUringOff) })
}

// tally counts calls from a loop, read by the test.
type tally struct{ n atomic.Int64 }

func (c *tally) inc() int64 { return c.n.Add(1) }
func (c *tally) get() int   { return int(c.n.Load()) }

// isReset reports an errno of a peer that has gone the hard way.
func isReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}
