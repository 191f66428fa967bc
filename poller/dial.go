package poller

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Dial starts a connection to remote from this loop. local chooses the source
// address (port 0: the kernel picks one that is free towards remote, so that a
// source address can serve 28,000 connections to each destination); the zero
// AddrPort leaves both to the kernel. Handler.Open is called when the
// connection is up, or Handler.Closed with the reason why it is not.
func (l *Loop) Dial(remote, local netip.AddrPort) (Conn, error) {
	if l.stopping { // or nobody would close it
		return Conn{}, fmt.Errorf("poller: dial %s: %w", remote, ErrStopped)
	}
	if l.p.conns.Add(1) > int64(l.p.opt.MaxConns) {
		l.p.conns.Add(-1)
		return Conn{}, fmt.Errorf("poller: dial %s: at the cap of %d connections", remote, l.p.opt.MaxConns)
	}
	fd, err := dialSocket(remote, local, &l.p.opt)
	if err != nil {
		l.p.conns.Add(-1)
		return Conn{}, fmt.Errorf("poller: dial %s: %w", remote, err)
	}
	slot, s, ok := l.alloc(fd, flagConnecting|flagOutMask|flagDialed)
	if !ok {
		l.p.conns.Add(-1)
		sysClose(fd)
		return Conn{}, fmt.Errorf("poller: dial %s: loop %d is at its cap of %d connections", remote, l.index, MaxSlots)
	}
	if err := l.re.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLOUT, makeToken(kindConn, slot, s.gen)); err != nil {
		l.p.conns.Add(-1)
		l.release(slot, s)
		return Conn{}, fmt.Errorf("poller: dial %s: epoll: %w", remote, err)
	}
	return Conn{l, makeHandle(l.index, slot, s.gen)}, nil
}

func dialSocket(remote, local netip.AddrPort, opt *Options) (int, error) {
	family := unix.AF_INET
	if remote.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = setSocketOptions(fd, opt)
	if err == nil && local.IsValid() {
		// Without this a bind takes the port for all destinations at once.
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, sockaddr(local))
		}
	}
	if err == nil {
		if err = unix.Connect(fd, sockaddr(remote)); err == unix.EINPROGRESS {
			err = nil
		}
	}
	if err != nil {
		sysClose(fd)
		return -1, err
	}
	return fd, nil
}

// dialed ends the connecting state, one way or the other.
func (l *Loop) dialed(slot uint32, s *conn) {
	e, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && e != 0 {
		err = unix.Errno(e)
	}
	if err != nil {
		l.doom(slot, s, err)
		return
	}
	s.flags &^= flagConnecting
	l.register(slot, s)
	l.n.dialed.Add(1)
	l.h.Open(Conn{l, makeHandle(l.index, slot, s.gen)})
}
