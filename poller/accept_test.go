package poller

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMaxConns: past the cap a peer hears the refusal and FIN; below it again,
// peers are served.
func TestMaxConns(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{Loops: 2, MaxConns: 3, Refusal: []byte("full\n")}, h)
	var in []*rawClient
	for range 3 {
		c, _ := dialConn(t, p, 0, opened)
		in = append(in, c)
	}
	for range 5 {
		c := dialRaw(t, p, 0)
		if got, err := io.ReadAll(c); string(got) != "full\n" || err != nil {
			t.Errorf("refused peer got %q, %v", got, err)
		}
		c.close()
	}
	in[0].close()
	recv(t, "Closed", why)
	await(t, "the place is free", func() bool { return p.Conns() == 2 })
	c, _ := dialConn(t, p, 0, opened)
	c.close()
	if s := p.Stats(); s.Refused != 5 || s.Accepted != 4 {
		t.Errorf("%+v", s)
	}
	for _, c := range in[1:] {
		c.close()
	}
}

// TestDescriptorsPerConnection: a connection costs its socket and nothing else.
func TestDescriptorsPerConnection(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{Loops: 2}, h)
	before := len(openDescriptors())
	const n = 50
	for range n {
		c, _ := dialConn(t, p, 0, opened)
		defer c.close()
	}
	if got := len(openDescriptors()) - before; got != 2*n { // both ends are in this process
		t.Errorf("%d descriptors for %d connections with both ends here", got, n)
	}
}

func init() {
	children["descriptors"] = childDescriptors
	children["new"] = childNew
}

// child runs part in a process of its own.
func child(t *testing.T, part string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+part)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err = <-ended:
	case <-time.After(4 * patience):
		cmd.Process.Kill()
		err = <-ended
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out.String())
	} else if out.Len() > 0 {
		t.Log(out.String())
	}
}

// TestDescriptorsRunOut: peers hear the refusal, the loop neither dies nor
// spins, and accepts again once descriptors are back.
func TestDescriptorsRunOut(t *testing.T) { child(t, "descriptors") }

func setDescriptorLimit(n int) error {
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(n), Max: uint64(n)})
}

// lowestFree returns the number that the next descriptor gets.
func lowestFree() int {
	fd, err := unix.Dup(0)
	if err != nil {
		return -1
	}
	unix.Close(fd)
	return fd
}

func childDescriptors() error {
	h, opened, why := watch()
	p, err := New(Options{Loops: 1, Listen: "127.0.0.1:0", Refusal: []byte("later\n"), NewHandler: func(*Loop) Handler { return h }})
	if err != nil {
		return err
	}
	l := p.Loops()[0]
	// Both ends live here, so the clients' sockets are made first.
	const clients = 30
	var fds []int
	for range clients {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		tv := unix.NsecToTimeval(int64(patience))
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
		fds = append(fds, fd)
	}
	room := 8
	if err := setDescriptorLimit(lowestFree() + room); err != nil {
		return err
	}
	for _, fd := range fds {
		if err := unix.Connect(fd, sockaddr(p.Addr())); err != nil && err != unix.EINTR {
			return fmt.Errorf("connect: %w", err)
		}
	}
	read := func(fd int) string {
		b := make([]byte, 64)
		for {
			n, err := unix.Read(fd, b)
			if err == unix.EINTR {
				continue
			}
			return fmt.Sprintf("%s %v", b[:max(n, 0)], err)
		}
	}
	wait := func(what string, cond func() bool) error {
		for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return fmt.Errorf("waited in vain: %s: %+v", what, p.Stats())
			}
		}
		return nil
	}
	if err := wait("all are dealt with", func() bool { s := p.Stats(); return s.Accepted+s.Refused == clients }); err != nil {
		return err
	}
	s := p.Stats()
	if s.Refused == 0 || s.Accepted == 0 || s.AcceptErrors < s.Refused {
		return fmt.Errorf("nothing was refused, or all: %+v", s)
	}
	for _, fd := range fds[s.Accepted:] {
		if got := read(fd); got != "later\n <nil>" {
			return fmt.Errorf("a refused peer got %q", got)
		}
	}
	// At rest: turns do not go on and on.
	if err := restsNow(l); err != nil {
		return fmt.Errorf("out of descriptors: %w", err)
	}
	// Not even a refusal: the reserve is gone. The listener rests, and looks
	// again now and then.
	taken := make(chan int, 1)
	l.Post(TaskFunc(func(l *Loop) {
		sysClose(l.reserve)
		l.reserve = -1
		fd, _ := unix.Dup(l.timer) // somebody else has the last descriptor
		taken <- fd
	}))
	last := <-taken
	again := fds[clients-1]
	unix.Shutdown(again, unix.SHUT_RDWR)
	if err := unix.Dup2(fds[clients-2], again); err != nil { // no socket without a number: reuse one
		return err
	}
	unix.Close(again) // a free number
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, sockaddr(p.Addr())); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	errs := p.Stats().AcceptErrors
	if err := wait("the listener tries again", func() bool { return p.Stats().AcceptErrors >= errs+2 }); err != nil {
		return err
	}
	if err := restsNow(l); err != nil {
		return fmt.Errorf("without a reserve: %w", err)
	}
	unix.Close(last) // descriptors are back
	if err := wait("the waiting one is dealt with", func() bool { n := p.Stats(); return n.Accepted+n.Refused > s.Accepted+s.Refused }); err != nil {
		return err
	}
	before := p.Stats().Accepted
	for _, fd := range fds[:s.Accepted] {
		unix.Close(fd)
	}
	if err := wait("the old ones are closed", func() bool { return p.Stats().Closed >= s.Accepted }); err != nil {
		return err
	}
	nc, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		return err
	}
	if err := wait("accepting goes on", func() bool { return p.Stats().Accepted > before }); err != nil {
		return err
	}
	nc.Close()
	for len(opened) > 0 || len(why) > 0 {
		select {
		case <-opened:
		case <-why:
		}
	}
	return p.Close()
}

// restsNow reports a loop that keeps turning although nothing happens: it looks
// for half a second at how many turns there are.
func restsNow(l *Loop) error {
	before := l.n.turns.Load()
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if n := l.n.turns.Load() - before; n > 50 {
			return fmt.Errorf("the loop spins: %d turns in less than half a second", n)
		}
	}
	return nil
}

// TestAbandonedLoopTouchesNobody: a loop that New gives up has a listener, and
// perhaps peers in its queue. It once accepted them on the way out.
func TestAbandonedLoopTouchesNobody(t *testing.T) {
	h := &script{
		open:   func(Conn) { t.Error("accepted") },
		closed: func(Conn, error) { t.Error("closed") },
	}
	before := len(openDescriptors())
	opt, err := Options{Loops: 1, NewHandler: func(*Loop) Handler { return h }}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := &Poller{opt: opt, began: time.Now()}
	if p.ls, err = listen("127.0.0.1:0", 1, &opt); err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(p, 0, p.ls.fds[0])
	if err != nil {
		t.Fatal(err)
	}
	p.loops = []*Loop{l}
	c := dialRaw(t, p, 0)
	p.abandon(0)
	if p.ls.guard >= 0 {
		t.Error("the address is still taken")
	}
	if err := c.ended(); err != nil && !isReset(err) {
		t.Error(err)
	}
	c.close()
	if after := len(openDescriptors()); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestNewFailsClean: New runs out of descriptors at every point it can; it says
// so and keeps none.
func TestNewFailsClean(t *testing.T) { child(t, "new") }

func childNew() error {
	before := lowestFree()
	count := len(openDescriptors())
	worked := false
	for room := 0; room < 80 && !worked; room++ {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(before + room), Max: 4096}); err != nil {
			return err
		}
		p, err := New(Options{Loops: 3, Listen: "127.0.0.1:0", NewHandler: func(*Loop) Handler { return &script{} }})
		if err == nil {
			worked = p.Uring().OK || room > 70 // with all it wants, or with all there is
			if err := p.Close(); err != nil {
				return err
			}
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4096, Max: 4096}); err != nil {
			return err
		}
		if now := len(openDescriptors()); now != count {
			return fmt.Errorf("room for %d: %v: %d descriptors before, %d after: %v", room, err, count, now, openDescriptors())
		}
	}
	if !worked {
		return errors.New("New never worked")
	}
	return nil
}
