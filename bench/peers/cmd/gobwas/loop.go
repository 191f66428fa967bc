package main

import (
	"errors"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"roost/bench/peers/internal/control"
	"roost/bench/peers/internal/frames"
)

// loop is the one goroutine that touches sockets. Others post to it by call.
type loop struct {
	// Static after newLoop.
	ep, listener, wake int

	// Owned by run.
	conns  []*conn // by descriptor, so that a broadcast walks them in that order
	open   int     // upgraded connections
	paused bool    // out of descriptors: the listener is not watched
	buf    []byte  // what one read brings
	codec  frames.Codec

	mu    sync.Mutex
	tasks []func()
}

func newLoop(addr string) (*loop, error) {
	l := &loop{buf: make([]byte, 64<<10)}
	var err error
	if l.listener, err = listen(addr); err != nil {
		return nil, err
	}
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return nil, err
	}
	return l, errors.Join(l.watch(unix.EPOLL_CTL_ADD, l.listener, unix.EPOLLIN),
		l.watch(unix.EPOLL_CTL_ADD, l.wake, unix.EPOLLIN))
}

// listen opens the raw listener. TCP_NODELAY and the user timeout pass to the
// accepted sockets, which saves two system calls per connection.
func listen(addr string) (int, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return -1, err
	}
	sa := &unix.SockaddrInet4{Port: tcp.Port}
	copy(sa.Addr[:], tcp.IP.To4())
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	return fd, errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		control.SetUserTimeout(fd),
		unix.Bind(fd, sa),
		unix.Listen(fd, unix.SOMAXCONN))
}

func (l *loop) watch(how, fd int, events uint32) error {
	return unix.EpollCtl(l.ep, how, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// call runs f on the loop and waits for it.
func (l *loop) call(f func()) {
	done := make(chan struct{})
	l.mu.Lock()
	l.tasks = append(l.tasks, func() { f(); close(done) })
	l.mu.Unlock()
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only if a wake-up waits already
	<-done
}

func (l *loop) runTasks() {
	var count [8]byte
	_, _ = unix.Read(l.wake, count[:])
	l.mu.Lock()
	tasks := l.tasks
	l.tasks = nil
	l.mu.Unlock()
	for _, f := range tasks {
		f()
	}
}

func (l *loop) run() error {
	events := make([]unix.EpollEvent, 512)
	for {
		n, err := unix.EpollWait(l.ep, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for i := range max(n, 0) {
			l.handle(int(events[i].Fd))
		}
	}
}

// handle serves one ready descriptor. An event may be older than its
// descriptor's reuse; it then costs one read or write that answers EAGAIN,
// because errors are taken from the calls and never from the event.
func (l *loop) handle(fd int) {
	switch {
	case fd == l.listener:
		l.accept()
	case fd == l.wake:
		l.runTasks()
	case fd >= len(l.conns) || l.conns[fd] == nil:
	case l.conns[fd].out != nil:
		l.flush(l.conns[fd])
	default:
		l.read(l.conns[fd])
	}
}

func (l *loop) accept() {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
		case unix.ECONNABORTED, unix.EINTR:
			continue
		case unix.EMFILE, unix.ENFILE:
			// Watched again by the next close; until then it would spin.
			l.paused = l.watch(unix.EPOLL_CTL_DEL, l.listener, 0) == nil
			return
		default:
			return
		}
		if l.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN) != nil {
			_ = unix.Close(fd)
			continue
		}
		for fd >= len(l.conns) {
			l.conns = append(l.conns, nil)
		}
		l.conns[fd] = &conn{fd: fd}
	}
}

// broadcast compiles the frame once and writes it in fd order.
func (l *loop) broadcast(payload []byte) (sent int) {
	frame := textFrame(payload)
	for _, c := range l.conns {
		if c != nil && c.upgraded && !c.closing && l.send(c, frame, backlogMax) {
			sent++
		}
	}
	return sent
}
