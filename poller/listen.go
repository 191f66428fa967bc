package poller

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// backlog is the accept queue of each listener; the kernel clamps it to
// net.core.somaxconn.
const backlog = 4096

// listeners is one SO_REUSEPORT listener per loop on one address.
type listeners struct {
	addr  netip.AddrPort
	fds   []int
	guard int // abstract unix socket that stands for the address
}

// listen opens n listeners on addr. SO_REUSEPORT alone would let a second
// process share the port without a word, and take half of the devices: so the
// port is tried without it first, and a socket in the abstract unix namespace,
// which only one process can hold, closes the gap between the two steps.
func listen(addr string, n int, opt *Options) (*listeners, error) {
	ap, err := resolve(addr)
	if err != nil {
		return nil, err
	}
	ls := &listeners{guard: -1}
	if ap.Port() != 0 {
		if err := ls.claim(ap); err != nil {
			return nil, err
		}
	}
	for i := range n {
		fd, err := listenOne(ap, opt)
		if err != nil {
			ls.close()
			return nil, fmt.Errorf("poller: listen on %s: %w", ap, err)
		}
		ls.fds = append(ls.fds, fd)
		if i == 0 && ap.Port() == 0 {
			if ap, err = localAddr(fd); err == nil {
				err = ls.guardAddr(ap)
			}
			if err != nil {
				ls.close()
				return nil, fmt.Errorf("poller: listen on %s: %w", addr, err)
			}
		}
	}
	ls.addr = ap
	return ls, nil
}

// claim makes sure that nobody else listens on ap.
func (ls *listeners) claim(ap netip.AddrPort) error {
	if err := ls.guardAddr(ap); err != nil {
		return err
	}
	fd, err := boundSocket(ap, false)
	if err == nil {
		err = unix.Listen(fd, 1)
		sysClose(fd)
	}
	if err != nil {
		ls.close()
		return inUse(ap, err)
	}
	return nil
}

// guardAddr takes the abstract unix address that stands for ap in this network
// namespace.
func (ls *listeners) guardAddr(ap netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("poller: guard of %s: %w", ap, err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: "@roost-poller-" + ap.String()}); err != nil {
		sysClose(fd)
		return inUse(ap, err)
	}
	ls.guard = fd
	return nil
}

// inUse words the error of a taken port so that it says what to do.
func inUse(ap netip.AddrPort, err error) error {
	if err == unix.EADDRINUSE {
		return fmt.Errorf("poller: %s is taken by another process: stop it or choose another port: %w", ap, err)
	}
	return fmt.Errorf("poller: listen on %s: %w", ap, err)
}

func (ls *listeners) close() {
	for _, fd := range ls.fds {
		sysClose(fd)
	}
	ls.fds = nil
	ls.releaseGuard()
}

// releaseGuard lets another process have the address.
func (ls *listeners) releaseGuard() {
	if ls.guard >= 0 {
		sysClose(ls.guard)
		ls.guard = -1
	}
}

// listenOne opens one SO_REUSEPORT listener. What is set here is inherited by
// every accepted socket, which saves three system calls per connection.
func listenOne(ap netip.AddrPort, opt *Options) (int, error) {
	fd, err := boundSocket(ap, true)
	if err != nil {
		return -1, err
	}
	err = setSocketOptions(fd, opt)
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		sysClose(fd)
		return -1, err
	}
	return fd, nil
}

// setSocketOptions sets what all our connections have in common.
func setSocketOptions(fd int, opt *Options) error {
	if err := sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	if opt.SendBuffer > 0 {
		if err := sysSetInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, opt.SendBuffer); err != nil {
			return fmt.Errorf("SO_SNDBUF=%d: %w", opt.SendBuffer, err)
		}
	}
	if opt.NotSentLowat > 0 {
		if err := sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, opt.NotSentLowat); err != nil {
			return fmt.Errorf("TCP_NOTSENT_LOWAT=%d: %w", opt.NotSentLowat, err)
		}
	}
	return nil
}

func boundSocket(ap netip.AddrPort, reusePort bool) (int, error) {
	family := unix.AF_INET
	if ap.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && reusePort {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sockaddr(ap))
	}
	if err != nil {
		sysClose(fd)
		return -1, err
	}
	return fd, nil
}

// resolve turns host:port into an address. An empty host is every address, IPv4
// and, where the kernel has it, IPv6.
func resolve(addr string) (netip.AddrPort, error) {
	ta, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("poller: address %q: want host:port: %w", addr, err)
	}
	ap := ta.AddrPort()
	if !ap.Addr().IsValid() {
		any := netip.IPv6Unspecified()
		if fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
			sysClose(fd)
		} else if err == unix.EAFNOSUPPORT { // a kernel without IPv6
			any = netip.IPv4Unspecified()
		}
		return netip.AddrPortFrom(any, ap.Port()), nil
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

func sockaddr(ap netip.AddrPort) unix.Sockaddr {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
}

func localAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return addrPort(sa), nil
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
