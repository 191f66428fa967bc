package poller

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// UringProbe says whether casts go through io_uring, and if not, why.
type UringProbe struct {
	OK  bool
	Why string // empty when OK
}

// ProbeUring finds out whether io_uring can be used: container profiles and the
// sysctl kernel.io_uring_disabled commonly forbid it, and a kernel that does
// not report a short send together with skip-success would lose the rest of
// frames. So it sends more than a socket takes, and wants to be told how much
// that was.
func ProbeUring() UringProbe {
	u, err := newUring()
	if err != nil {
		return UringProbe{Why: err.Error()}
	}
	defer u.close()
	if err := probeShortSend(u); err != nil {
		return UringProbe{Why: err.Error()}
	}
	return UringProbe{OK: true}
}

// probeShortSend checks, over a loopback TCP connection whose peer does not
// read, that a whole send completes in silence, that a short one reports its
// count, and that one to a full socket reports EAGAIN.
func probeShortSend(u *uring) error {
	a, b, err := tcpPair()
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer sysClose(a)
	defer sysClose(b)

	report := map[int]int32{}
	failed := func(i int, res int32) { report[i] = res }
	big := make([]byte, 8<<20)
	small := big[:16] // a buffer of its own could be on the stack, which moves
	if _, err := u.send([]target{{fd: int32(a), b: small}}, failed); err != nil {
		return fmt.Errorf("probe: io_uring_enter: %w", err)
	}
	if len(report) != 0 {
		return fmt.Errorf("probe: a whole send was reported: %v", report)
	}
	if _, err := u.send([]target{{fd: int32(a), b: big}, {fd: int32(a), b: big}}, failed); err != nil {
		return fmt.Errorf("probe: io_uring_enter: %w", err)
	}
	if n := report[0]; n <= 0 || int(n) >= len(big) {
		return fmt.Errorf("probe: a short send was not reported as such: result %d of %d", n, len(big))
	}
	if n, ok := report[1]; !ok || unix.Errno(-n) != unix.EAGAIN && int(n) >= len(big) {
		return fmt.Errorf("probe: a send to a full socket was not reported: result %d", n)
	}
	return nil
}

// tcpPair returns the two ends of a loopback connection, non-blocking, with a
// small send buffer on the first.
func tcpPair() (a, b int, err error) {
	opt := Options{SendBuffer: 8 << 10, NotSentLowat: -1}
	ap, err := resolve("127.0.0.1:0")
	if err != nil {
		return -1, -1, err
	}
	ln, err := listenOne(ap, &Options{SendBuffer: -1, NotSentLowat: -1})
	if err != nil {
		return -1, -1, err
	}
	defer sysClose(ln)
	if ap, err = localAddr(ln); err != nil {
		return -1, -1, err
	}
	if a, err = dialSocket(&DialOptions{Remote: ap}, &opt); err != nil {
		return -1, -1, err
	}
	fds := []unix.PollFd{{Fd: int32(ln), Events: unix.POLLIN}}
	for {
		if _, err = unix.Poll(fds, 1000); err != unix.EINTR { // the scheduler's signals
			break
		}
	}
	if err == nil {
		var errno unix.Errno
		if b, errno = sysAccept(ln); errno != 0 {
			err = errno
		}
	}
	if err != nil {
		sysClose(a)
		return -1, -1, err
	}
	return a, b, nil
}
