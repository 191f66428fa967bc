package main

import (
	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"roost/bench/peers/internal/frames"
)

// backlogMax is how many unsent bytes a connection may have for a broadcast
// still to be added; above it the frame is dropped for this connection.
const backlogMax = 256 << 10

// conn is one connection, owned by the loop. An idle one holds no buffer.
//
// States: new -> upgraded -> (closing, while a close frame waits) -> closed,
// which is its absence from loop.conns.
type conn struct {
	fd                int
	upgraded, closing bool
	frames            frames.State
	in                []byte   // a partial frame or request
	out               *backlog // what the socket did not take; while set, reading pauses
}

type backlog struct{ b []byte }

func textFrame(payload []byte) []byte {
	return ws.MustCompileFrame(ws.NewTextFrame(payload))
}

// read reads once and handles every whole frame in it.
func (l *loop) read(c *conn) {
	n, err := unix.Read(c.fd, l.buf)
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if err != nil || n <= 0 {
		l.close(c)
		return
	}
	in := l.buf[:n]
	if c.in != nil {
		c.in = append(c.in, in...)
		in = c.in
	}
	rest, ok := l.handleInput(c, in)
	switch {
	case !ok:
	case len(rest) == 0:
		c.in = nil
	case c.in != nil:
		c.in = c.in[:copy(c.in, rest)]
	default:
		c.in = append([]byte(nil), rest...)
	}
}

// handleInput returns what is left of in, or false if c is closed.
func (l *loop) handleInput(c *conn, in []byte) (rest []byte, ok bool) {
	if !c.upgraded {
		response, n, err := frames.Upgrade(in)
		if n == 0 {
			return in, true
		}
		if !l.reply(c, response) {
			return nil, false
		}
		if err != nil {
			l.close(c)
			return nil, false
		}
		c.upgraded = true
		l.open++
		in = in[n:]
	}
	for len(in) > 0 && !c.closing {
		out, n, err := l.codec.Step(&c.frames, in)
		if n > len(in) {
			return in, true
		}
		if len(out) > 0 && !l.reply(c, out) {
			return nil, false
		}
		if err != nil && c.out == nil {
			l.close(c)
			return nil, false
		}
		c.closing = err != nil // then flush closes it
		in = in[n:]
	}
	return nil, true
}

// reply sends an answer. It is never dropped: while anything waits c is not
// read, so at most the answers to one read come on top of the backlog.
func (l *loop) reply(c *conn, p []byte) bool { return l.send(c, p, 1<<62) }

// send writes p, or queues what the socket does not take. It reports whether
// c has all of p; if not, p was dropped whole or c is closed.
func (l *loop) send(c *conn, p []byte, limit int) bool {
	if c.out != nil {
		if len(c.out.b)+len(p) > limit {
			return false
		}
		c.out.b = append(c.out.b, p...)
		return true
	}
	n, err := unix.Write(c.fd, p)
	if n == len(p) {
		return true
	}
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		l.close(c)
		return false
	}
	c.out = &backlog{append([]byte(nil), p[max(n, 0):]...)}
	if l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLOUT) != nil {
		l.close(c)
		return false
	}
	return true
}

// flush writes the backlog and resumes reading once it is gone.
func (l *loop) flush(c *conn) {
	n, err := unix.Write(c.fd, c.out.b)
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if err != nil {
		l.close(c)
		return
	}
	if n < len(c.out.b) {
		c.out.b = c.out.b[:copy(c.out.b, c.out.b[n:])]
		return
	}
	c.out = nil
	if c.closing || l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN) != nil {
		l.close(c)
	}
}

func (l *loop) close(c *conn) {
	if c.upgraded {
		l.open--
	}
	l.conns[c.fd] = nil
	_ = unix.Close(c.fd)
	if l.paused {
		l.paused = l.watch(unix.EPOLL_CTL_ADD, l.listener, unix.EPOLLIN) != nil
	}
}
