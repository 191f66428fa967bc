package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// acceptBudget is how many connections one loop takes in one turn before
	// the connections it has are looked at.
	acceptBudget = 64

	// acceptPause is how long the listener rests when descriptors or memory
	// have run out and the connection cannot even be refused.
	acceptPause = 100 * time.Millisecond
)

// accept takes connections until there are none, within the budget. No error
// ends it: what concerns one connection is counted and skipped, what concerns
// the process (no descriptors, no memory) makes it rest.
func (l *Loop) accept() {
	for range acceptBudget {
		fd, errno := sysAccept(l.listener)
		switch errno {
		case 0:
			l.accepted(fd)
		case unix.EAGAIN:
			return
		case unix.EMFILE, unix.ENFILE:
			l.n.acceptErrors.Add(1)
			switch l.refuseWithReserve() {
			case 0:
			case unix.EAGAIN: // the kernel wants a descriptor before it looks: nobody is there
				return
			default:
				l.restListener()
				return
			}
		case unix.ENOBUFS, unix.ENOMEM:
			l.n.acceptErrors.Add(1)
			l.restListener()
			return
		case unix.EBADF, unix.EINVAL, unix.ENOTSOCK:
			l.n.acceptErrors.Add(1)
			l.restListener() // the listener itself is broken: do not spin on it
			return
		default: // ECONNABORTED, EINTR, EPERM, pending network errors: that connection only
			l.n.acceptErrors.Add(1)
		}
	}
}

// accepted starts a connection, or refuses it past the cap.
func (l *Loop) accepted(fd int) {
	if l.p.conns.Add(1) > int64(l.p.opt.MaxConns) {
		l.p.conns.Add(-1)
		l.refuse(fd)
		return
	}
	slot, s, ok := l.alloc(fd, flagInMask)
	if !ok {
		l.p.conns.Add(-1)
		l.refuse(fd)
		return
	}
	err := l.re.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN|unix.EPOLLRDHUP, makeToken(kindConn, slot, s.gen))
	if err != nil {
		// max_user_watches or memory: the handler never hears of it.
		l.n.acceptErrors.Add(1)
		l.p.conns.Add(-1)
		l.release(slot, s)
		return
	}
	l.n.accepted.Add(1)
	l.h.Open(Conn{l, makeHandle(l.index, slot, s.gen)})
}

// refuse says no and closes. What the peer has sent already is read first, as
// far as it is there: closing with unread input sends a reset, which can
// overtake the refusal.
func (l *Loop) refuse(fd int) {
	l.n.refused.Add(1)
	sysRead(fd, l.rbuf)
	if len(l.p.opt.Refusal) > 0 {
		sysSend(fd, l.p.opt.Refusal)
		sysShutdownWrite(fd)
	}
	sysClose(fd)
}

// refuseWithReserve gives the spare descriptor up for a moment so that a
// connection past the limit hears a refusal instead of waiting in the backlog.
func (l *Loop) refuseWithReserve() unix.Errno {
	if l.reserve < 0 {
		l.openReserve()
	}
	if l.reserve < 0 {
		return unix.EMFILE
	}
	sysClose(l.reserve)
	l.reserve = -1
	fd, errno := sysAccept(l.listener)
	if errno == 0 {
		l.refuse(fd)
	}
	l.openReserve()
	return errno
}

// openReserve takes a descriptor that stands for nothing.
func (l *Loop) openReserve() {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		fd = -1
	}
	l.reserve = fd
}

// restListener stops accepting for a while. The listener leaves epoll: a
// registration for nothing would still report a hang-up, for ever.
func (l *Loop) restListener() {
	l.acceptAt = l.now + int64(acceptPause)
	l.re.control(unix.EPOLL_CTL_DEL, l.listener, 0, 0)
}

// wakeListener accepts again once the rest is over.
func (l *Loop) wakeListener() {
	if l.acceptAt == 0 || l.now < l.acceptAt || l.listener < 0 {
		return
	}
	l.acceptAt = 0
	err := l.re.control(unix.EPOLL_CTL_ADD, l.listener, unix.EPOLLIN, makeToken(kindListener, 0, 0))
	if err != nil { // no memory, say
		l.acceptAt = l.now + int64(acceptPause)
	}
}
