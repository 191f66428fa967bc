package poller

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// DialOptions says where a connection goes and how its socket is made. The zero
// value of a field leaves it to the kernel.
type DialOptions struct {
	// Remote is where to connect to. Required.
	Remote netip.AddrPort
	// Local chooses the source. With port 0 the kernel picks one that is free
	// towards Remote, so that a source address can serve 28,000 connections to
	// each destination.
	Local netip.AddrPort
	// PortRange is the first and the last port that the kernel may pick for
	// this socket (IP_LOCAL_PORT_RANGE, Linux 6.3): several processes can share
	// a source address without searching each other's ports. A bound outside of
	// net.ipv4.ip_local_port_range does not count, and nobody says so.
	PortRange [2]uint16
	// RcvBuf is SO_RCVBUF in bytes, as given to the kernel, which doubles it.
	RcvBuf int
	// Stamps asks for Conn.Arrived.
	Stamps bool
}

// DialError is why a connection did not come about: in what Dial returns when
// its own calls failed, and in Handler.Closed when the kernel reported it later.
type DialError struct {
	// Call is the system call that failed: socket, setsockopt, bind, connect or
	// epoll_ctl.
	Call string
	// Err is what it said, a unix.Errno or a text around one.
	Err error
}

// Error names the call and what it said.
func (e *DialError) Error() string { return e.Call + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *DialError) Unwrap() error { return e.Err }

// HasPortRange reports whether this kernel can keep a connection's own port
// within DialOptions.PortRange: Linux can since 6.3.
func HasPortRange() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.GetsockoptInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE)
	return err == nil
}

// errNoPortRange says what to do where PortRange is not to be had.
var errNoPortRange = fmt.Errorf("this kernel has no IP_LOCAL_PORT_RANGE (Linux has it since 6.3): dial without a port range, from more source addresses: %w", unix.ENOPROTOOPT)

// Dial is DialWith for an address and a source; the zero AddrPort as local
// leaves that to the kernel.
func (l *Loop) Dial(remote, local netip.AddrPort) (Conn, error) {
	return l.DialWith(DialOptions{Remote: remote, Local: local})
}

// DialWith starts a connection from this loop. Handler.Open is called when the
// connection is up, or Handler.Closed with the reason why it is not. An error of
// the kernel is a *DialError.
func (l *Loop) DialWith(o DialOptions) (Conn, error) {
	if l.stopping { // or nobody would close it
		return Conn{}, fmt.Errorf("poller: dial %s: %w", o.Remote, ErrStopped)
	}
	if l.p.conns.Add(1) > int64(l.p.opt.MaxConns) {
		l.p.conns.Add(-1)
		return Conn{}, fmt.Errorf("poller: dial %s: at the cap of %d connections", o.Remote, l.p.opt.MaxConns)
	}
	fd, err := dialSocket(&o, &l.p.opt)
	if err != nil {
		l.p.conns.Add(-1)
		return Conn{}, fmt.Errorf("poller: dial %s: %w", o.Remote, err)
	}
	flags := uint16(flagConnecting | flagOutMask | flagDialed)
	if o.Stamps {
		flags |= flagStamped
	}
	slot, s, ok := l.alloc(fd, flags)
	if !ok {
		l.p.conns.Add(-1)
		sysClose(fd)
		return Conn{}, fmt.Errorf("poller: dial %s: loop %d is at its cap of %d connections", o.Remote, l.index, MaxSlots)
	}
	if err := l.re.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLOUT, makeToken(kindConn, slot, s.gen)); err != nil {
		l.p.conns.Add(-1)
		l.release(slot, s)
		return Conn{}, fmt.Errorf("poller: dial %s: %w", o.Remote, &DialError{"epoll_ctl", err})
	}
	return Conn{l, makeHandle(l.index, slot, s.gen)}, nil
}

// dialSocket makes a socket and starts to connect it. What it returns as an
// error is a *DialError.
func dialSocket(o *DialOptions, opt *Options) (int, error) {
	family := unix.AF_INET
	if o.Remote.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, errno := sysSocket(family)
	if errno != 0 {
		return -1, &DialError{"socket", errno}
	}
	call := "setsockopt"
	err := setSocketOptions(fd, opt)
	if err == nil {
		err = setDialOptions(fd, o)
	}
	if err == nil && o.Local.IsValid() {
		call, err = "bind", sysBind(fd, o.Local)
	}
	if err == nil {
		call, err = "connect", sysConnect(fd, o.Remote)
	}
	if err != nil {
		sysClose(fd)
		return -1, &DialError{call, err}
	}
	return fd, nil
}

// setDialOptions sets what has to be set before bind and connect. The options
// of SOL_IP hold for sockets of IPv6 as well.
func setDialOptions(fd int, o *DialOptions) (err error) {
	if o.Local.IsValid() {
		// Without this a bind takes the port for all destinations at once.
		err = sysSetInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	if err == nil && o.PortRange != [2]uint16{} {
		bounds := int(o.PortRange[1])<<16 | int(o.PortRange[0])
		if err = sysSetInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, bounds); errors.Is(err, unix.ENOPROTOOPT) {
			err = errNoPortRange
		}
	}
	if err == nil && o.RcvBuf > 0 {
		err = sysSetInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.RcvBuf)
	}
	if err == nil && o.Stamps {
		err = sysSetInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	return err
}

// dialed ends the connecting state, one way or the other.
func (l *Loop) dialed(slot uint32, s *conn) {
	if err := sysSocketError(int(s.fd)); err != nil {
		l.doom(slot, s, &DialError{"connect", err})
		return
	}
	s.flags &^= flagConnecting
	l.register(slot, s)
	l.n.dialed.Add(1)
	l.h.Open(Conn{l, makeHandle(l.index, slot, s.gen)})
}
