package usage

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RecvQueues is input that the kernel has and a process has not read yet.
type RecvQueues struct {
	Sockets int   // of the process, with something waiting
	Bytes   int64 // in all of them
	Longest int64 // in one
}

// RecvQueues counts the TCP sockets of the process with waiting input. It asks
// each of this process's own; for another process see diagQueues.
func (p Process) RecvQueues() (RecvQueues, error) {
	if p == 0 || int(p) == os.Getpid() {
		return ownQueues()
	}
	return p.diagQueues()
}

// ownQueues asks every descriptor that there can be (SIOCINQ), however many
// sockets other processes have. To list them in /proc/self/fd has the kernel make
// a file for each.
func ownQueues() (q RecvQueues, err error) {
	size, err := tableSize()
	if err != nil {
		return q, err
	}
	for fd := range size {
		// Raw, as it never waits: a million of them by 54 processes kept two cores
		// from everything else for five seconds, half of it in the scheduler.
		n := int32(0)
		_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCINQ, uintptr(unsafe.Pointer(&n)))
		if errno != 0 || n <= 0 { // most: nothing waits, or no socket
			continue
		}
		if protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err == nil && protocol == unix.IPPROTO_TCP {
			q.add(int64(n))
		}
	}
	return q, nil
}

// tableSize is how many descriptors the table of this process has room for.
func tableSize() (int, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("usage: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "FDSize:"); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, fmt.Errorf("usage: /proc/self/status has no FDSize")
}

func (q *RecvQueues) add(n int64) {
	q.Sockets++
	q.Bytes += n
	q.Longest = max(q.Longest, n)
}

func descriptors(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	return names, nil
}

// diagQueues asks the kernel for all connected TCP sockets of this network
// namespace (netlink sock_diag: 19,000 take 17 ms, a million a second) and
// keeps those with waiting input that are the process's. Only if there are any
// are the descriptors of the process looked through, which takes 200 ms for
// 19,000.
func (p Process) diagQueues() (q RecvQueues, err error) {
	waiting := map[uint32]uint32{} // inode: bytes
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := dumpSockets(family, func(s diagSocket) {
			if s.waiting > 0 && s.inode != 0 {
				waiting[s.inode] = s.waiting
			}
		}); err != nil {
			return q, err
		}
	}
	if len(waiting) == 0 {
		return q, nil
	}
	names, err := descriptors(p.path("fd"))
	if err != nil {
		return q, err
	}
	for _, name := range names {
		link, err := os.Readlink(p.path("fd") + "/" + name)
		if err != nil {
			continue // closed meanwhile
		}
		inode, ok := socketInode(link)
		if n, there := waiting[inode]; ok && there {
			q.add(int64(n))
			delete(waiting, inode) // a second descriptor of it is not a second queue
		}
	}
	return q, nil
}

// socketInode reads "socket:[123]".
func socketInode(link string) (uint32, bool) {
	rest, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 32)
	return uint32(n), err == nil
}

// diagSocket is what is used of a struct inet_diag_msg.
type diagSocket struct {
	waiting uint32 // idiag_rqueue
	inode   uint32
}

const (
	diagRequestSize = 56 // struct inet_diag_req_v2
	diagAnswerSize  = 72 // struct inet_diag_msg
	stEstablished   = 1
	stCloseWait     = 8
	diagPatience    = 10 * time.Second
)

// diagRequest is a netlink message that asks for the TCP sockets of a family
// that can have input.
func diagRequest(family uint8) []byte {
	b := make([]byte, unix.NLMSG_HDRLEN+diagRequestSize)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[16], b[17] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[20:], 1<<stEstablished|1<<stCloseWait)
	return b
}

// dumpSockets calls f for each of them.
func dumpSockets(family uint8, f func(diagSocket)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("usage: sock_diag: %w", err)
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(diagPatience))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("usage: sock_diag: %w", err)
	}
	if err := unix.Sendto(fd, diagRequest(family), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("usage: sock_diag: %w", err)
	}
	buf := make([]byte, 32<<10) // the kernel fills at most this much at a time
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("usage: sock_diag: %w", err)
		}
		done, err := parseDiag(buf[:n], f)
		if done || err != nil {
			return err
		}
	}
}

// parseDiag reads one datagram of answers; done says that it was the last.
func parseDiag(b []byte, f func(diagSocket)) (done bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, fmt.Errorf("usage: sock_diag: a message of %d bytes in %d", size, len(b))
		}
		body := b[unix.NLMSG_HDRLEN:size]
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, fmt.Errorf("usage: sock_diag: a short error")
			}
			return true, fmt.Errorf("usage: sock_diag: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(body))))
		case unix.SOCK_DIAG_BY_FAMILY:
			if len(body) < diagAnswerSize {
				return false, fmt.Errorf("usage: sock_diag: a socket in %d bytes, want %d", len(body), diagAnswerSize)
			}
			f(diagSocket{waiting: binary.NativeEndian.Uint32(body[56:]), inode: binary.NativeEndian.Uint32(body[68:])})
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return false, nil
}
