package poller

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bell wakes the goroutine of a loop when its epoll has something, by the Go
// runtime's own poller, in which the loop's is nested. It is for processes that
// have one processor (GOMAXPROCS=1), as do many on one machine.
//
// A goroutine that blocks in epoll_wait itself is in a system call for the
// scheduler: at each wake-up the runtime's monitor thread starts to look every
// 20 us whether its processor should be taken away, goes on for a millisecond and
// ever more slowly for ten (Go 1.26, sysmon and retake in runtime/proc.go). That
// costs about 0.1 ms of a core for each wake-up of a process that has little to
// do, which is more than what it is woken for. A goroutine that is parked costs
// two more epoll_waits.
//
// With two processors and more it is the worse way: whoever finds that a loop is to
// run starts another thread to look for more. 10,000 echoes a second of two loops
// took 27.1 us each (median of 5 valid runs), and 20.1 where loops wait in epoll (3),
// in turn on one machine.
type bell struct {
	// Static after construction.
	epfd int
	file *os.File // a second descriptor of the same epoll
	raw  syscall.RawConn
	look func(uintptr) bool

	// Owned by the goroutine that waits.
	events []unix.EpollEvent
	n      int
	err    error
}

func newBell(epfd int) (*bell, error) {
	fd, err := unix.FcntlInt(uintptr(epfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("poller: dup of epoll: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or os.NewFile would not nest it
		unix.Close(fd)
		return nil, fmt.Errorf("poller: %w", err)
	}
	b := &bell{epfd: epfd, file: os.NewFile(uintptr(fd), "epoll")}
	if b.raw, err = b.file.SyscallConn(); err != nil {
		b.file.Close()
		return nil, fmt.Errorf("poller: %w", err)
	}
	b.look = func(uintptr) bool {
		b.n, b.err = pollNow(b.epfd, b.events)
		return b.n > 0 || b.err != nil
	}
	return b, nil
}

// wait returns how many events there are, at least one, or why there will be none.
func (b *bell) wait(events []unix.EpollEvent) (int, error) {
	b.events = events
	if err := b.raw.Read(b.look); err != nil {
		return 0, err
	}
	return b.n, b.err
}

// close gives the descriptor back.
func (b *bell) close() { b.file.Close() }

// pollNow asks epoll without waiting. The scheduler is not told: it takes less
// than telling it.
func pollNow(epfd int, events []unix.EpollEvent) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
