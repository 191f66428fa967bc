package poller

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// Each test brings a loop into a state in which level-triggered epoll could
// report the same thing for ever, and then counts its turns.

func noSpin(t *testing.T, p *Poller) {
	t.Helper()
	for _, l := range p.Loops() {
		if err := restsNow(l); err != nil {
			t.Error(err)
		}
	}
}

func TestNoSpinIdle(t *testing.T) {
	h, opened, _ := watch()
	h.open = func(c Conn) { c.SetDeadline(1 << 40); opened <- c.Handle() }
	p := start(t, Options{Loops: 2}, h)
	for range 10 {
		c, _ := dialConn(t, p, 0, opened)
		defer c.close()
	}
	noSpin(t, p)
}

// TestNoSpinHalfClosed: FIN has come, output waits, the peer does not read.
func TestNoSpinHalfClosed(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{SendBuffer: 4 << 10}, h)
	l := p.Loops()[0]
	for _, finished := range []bool{false, true} {
		client, name := dialConn(t, p, 4<<10, opened)
		defer client.close()
		do(t, l, func(l *Loop) {
			if fill(l.Conn(name), Reliable); finished {
				l.Conn(name).Finish(errTest)
			}
		})
		client.finish()
		await(t, "FIN is seen", func() (seen bool) {
			do(t, l, func(l *Loop) { seen = l.conns.At(name.Slot()).flags&flagEnded != 0 })
			return seen
		})
	}
	noSpin(t, p)
}

// TestNoSpinPaused: input and FIN are there and nobody wants them.
func TestNoSpinPaused(t *testing.T) {
	h, opened, _ := watch()
	h.open = func(c Conn) { c.Pause(); opened <- c.Handle() }
	p := start(t, Options{}, h)
	for range 5 {
		client, _ := dialConn(t, p, 0, opened)
		defer client.close()
		io.WriteString(client, "unread")
		client.finish()
	}
	noSpin(t, p)
	if p.Conns() != 5 {
		t.Errorf("%d connections", p.Conns())
	}
}

// TestNoSpinLingering: our FIN is out, the peer keeps its side open.
func TestNoSpinLingering(t *testing.T) {
	h, opened, _ := watch()
	p := start(t, Options{Linger: 1 << 40}, h)
	for range 5 {
		client, name := dialConn(t, p, 0, opened)
		defer client.close()
		do(t, p.Loops()[0], func(l *Loop) { l.Conn(name).Finish(errTest) })
		if err := client.ended(); err != nil {
			t.Error(err)
		}
	}
	noSpin(t, p)
}

// TestNoSpinBrokenListener: accept fails in a way that will not pass.
func TestNoSpinBrokenListener(t *testing.T) {
	h, opened, why := watch()
	p := start(t, Options{}, h)
	l := p.Loops()[0]
	do(t, l, func(l *Loop) { unix.Shutdown(l.listener, unix.SHUT_RD) }) // it listens no more
	await(t, "it is noticed", func() bool { return p.Stats().AcceptErrors > 0 })
	noSpin(t, p)
	do(t, l, func(l *Loop) {
		if err := unix.Listen(l.listener, backlog); err != nil {
			t.Error(err)
		}
		p.ls.addr, _ = localAddr(l.listener) // the kernel has picked another port
	})
	client, _ := dialConn(t, p, 0, opened) // and again, once it can
	client.close()
	recv(t, "Closed", why)
}
