package poller

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// FileLimit returns how many descriptors this process may have open. The Go
// runtime has already raised the soft limit to the hard one.
func FileLimit() (int, error) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0, fmt.Errorf("poller: RLIMIT_NOFILE: %w", err)
	}
	return int(min(lim.Cur, 1<<30)), nil
}

// LoopDescriptors is how many descriptors a loop has open beside its
// connections: epoll and its wake-up, tasks, timer, listener, reserve, ring.
const LoopDescriptors = 7
