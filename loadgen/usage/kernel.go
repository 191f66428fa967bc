package usage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Softirqd is the kernel's threads that do network work put off by others.
// Sends through io_uring move 0.15-0.4 s of CPU per million there, where no
// process's clock sees it.
type Softirqd []Process

// FindSoftirqd looks the threads up.
func FindSoftirqd() (found Softirqd) {
	comms, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, path := range comms {
		comm, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(comm, []byte("ksoftirqd/")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(path, "/")[2]); err == nil {
			found = append(found, Process(pid))
		}
	}
	return found
}

// CPU returns what the threads have used so far, in steps of 10 ms each.
func (s Softirqd) CPU() (sum time.Duration) {
	for _, p := range s {
		user, system, _ := p.Times()
		sum += user + system
	}
	return sum
}

// Slab is kernel memory in slabs, in bytes, of the whole machine.
type Slab struct {
	Total  int64            `json:"total"`
	Caches map[string]int64 `json:"caches,omitempty"` // those that sockets live in; needs root
}

// socketCaches are where an epoll-watched TCP socket has its parts.
var socketCaches = []string{"TCP", "TCPv6", "sock_inode_cache", "dentry", "filp", "eventpoll_epi", "eventpoll_pwq", "tw_sock_TCP"}

// ReadSlab reads /proc/meminfo and, if allowed, /proc/slabinfo.
func ReadSlab() (s Slab, err error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return s, fmt.Errorf("usage: %w", err)
	}
	var ok bool
	if s.Total, ok = kilobytes(data, "\nSlab:"); !ok {
		return s, fmt.Errorf("usage: no Slab in /proc/meminfo")
	}
	if info, err := os.ReadFile("/proc/slabinfo"); err == nil {
		s.Caches = parseSlabinfo(info)
	}
	return s, nil
}

// parseSlabinfo returns the bytes of the pages behind socketCaches: slabs times
// pages per slab.
func parseSlabinfo(info []byte) map[string]int64 {
	caches := map[string]int64{}
	for line := range strings.Lines(string(info)) {
		f := strings.Fields(line)
		if len(f) < 16 || f[0] == "#" {
			continue
		}
		for _, name := range socketCaches {
			if f[0] == name {
				pages, _ := strconv.ParseInt(f[5], 10, 64)
				slabs, _ := strconv.ParseInt(f[14], 10, 64)
				caches[name] = slabs * pages * int64(os.Getpagesize())
			}
		}
	}
	return caches
}
