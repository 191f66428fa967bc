package poller

import "golang.org/x/sys/unix"

// Ended reports whether the peer has ended its side or the connection is
// broken, also where it is paused and nobody would read of that. It asks the
// kernel: a system call.
func (c Conn) Ended() bool {
	s := c.get()
	if s == nil || s.flags&flagDying != 0 {
		return true
	}
	if s.flags&flagConnecting != 0 {
		return false
	}
	p := [1]unix.PollFd{{Fd: s.fd, Events: unix.POLLRDHUP}}
	n, err := unix.Poll(p[:], 0)
	return err == nil && n == 1 && p[0].Revents != 0
}
