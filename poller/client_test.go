package poller

import (
	"io"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawClient is a peer by bare system calls: it says exactly when it reads, and
// its receive buffer is small from the start.
type rawClient struct {
	t  testing.TB
	fd int
}

// dialRaw connects to p with a receive buffer of rcvbuf bytes, 0 for the
// default.
func dialRaw(t testing.TB, p *Poller, rcvbuf int) *rawClient {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &rawClient{t: t, fd: fd}
	if rcvbuf > 0 {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rcvbuf)
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	tv := unix.NsecToTimeval(int64(patience))
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	for {
		if err = unix.Connect(fd, sockaddr(p.Addr())); err != unix.EINTR {
			break
		}
	}
	if err != nil && err != unix.EISCONN {
		t.Fatalf("connect: %v", err)
	}
	return c
}

// dialConn is dialRaw and the handle that the loop has given it. opened is fed
// by the handler's Open.
func dialConn(t testing.TB, p *Poller, rcvbuf int, opened <-chan Handle) (*rawClient, Handle) {
	t.Helper()
	c := dialRaw(t, p, rcvbuf)
	return c, recv(t, "Open", opened)
}

// Read implements io.Reader; it waits.
func (c *rawClient) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(c.fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// readNow reads what is there, at most n bytes, without waiting.
func (c *rawClient) readNow(n int) []byte {
	b := make([]byte, n)
	for {
		n, _, err := unix.Recvfrom(c.fd, b, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		return b[:max(n, 0)]
	}
}

// Write implements io.Writer; it waits.
func (c *rawClient) Write(b []byte) (done int, err error) {
	for done < len(b) {
		n, err := unix.Write(c.fd, b[done:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// writeNow writes what fits without waiting.
func (c *rawClient) writeNow(b []byte) int {
	n, err := unix.SendmsgN(c.fd, b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err != nil {
		return 0
	}
	return n
}

// finish says FIN and keeps reading.
func (c *rawClient) finish() { unix.Shutdown(c.fd, unix.SHUT_WR) }

// reset closes with RST.
func (c *rawClient) reset() {
	unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	c.close()
}

func (c *rawClient) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}

// ended waits for the stream's end and returns how: nil for FIN.
func (c *rawClient) ended() error {
	b := make([]byte, 64<<10)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := c.Read(b); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	c.t.Fatal("the stream does not end")
	return nil
}

// readNowInto reads what is there without waiting and without allocating.
func (c *rawClient) readNowInto(b []byte) int {
	n, errno := sysRecvNow(c.fd, b)
	if errno != 0 {
		return 0
	}
	return n
}

func sysRecvNow(fd int, b []byte) (int, unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(r), 0
}
