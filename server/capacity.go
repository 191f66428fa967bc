package server

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"roost/poller"
)

const (
	// apiConnections bounds the API's connections, and so its descriptors.
	apiConnections = 256
	// otherDescriptors is for standard streams, the data directory, resolver
	// and pprof files, the Go runtime's own poller.
	otherDescriptors = 48
	// refusing is how many connections past the cap can be refused in words at
	// the same time.
	refusing = 64

	// connectionBytes is what one connection is taken to cost in memory: 4.0 KiB
	// of kernel (TCP 2,520 + inode 862 + filp 195 + dentry 193 + epoll 208),
	// up to 0.3 KiB of ours, and room for one waiting frame on each fourth.
	connectionBytes = 5 << 10
	// reservedBytes is kept for the process itself and for queues.
	reservedBytes = 256 << 20
)

// Capacity is how many connections this process can hold, and why no more.
type Capacity struct {
	Connections int    // the cap
	Files       int    // RLIMIT_NOFILE
	ByFiles     int    // connections that the descriptors allow
	Memory      int64  // bytes usable, 0 when unknown
	ByMemory    int    // connections that the memory allows, 0 when unknown
	LimitedBy   string // "descriptors", "memory" or "configuration"
	Hint        string // what to change for more
}

// measureCapacity reads the limits of this process. configured is
// Options.MaxConnections.
func measureCapacity(loops, configured int) (Capacity, error) {
	files, err := poller.FileLimit()
	if err != nil {
		return Capacity{}, err
	}
	return planCapacity(files, usableMemory(), loops, configured)
}

// planCapacity is measureCapacity without the machine.
func planCapacity(files int, memory int64, loops, configured int) (Capacity, error) {
	c := Capacity{Files: files, Memory: memory}
	c.ByFiles = files - apiConnections - otherDescriptors - refusing - loops*poller.LoopDescriptors
	if c.ByFiles < 1 {
		return c, fmt.Errorf("RLIMIT_NOFILE is %d, which leaves no descriptor for devices: at least %d are needed (ulimit -n, or LimitNOFILE= in systemd)",
			files, files-c.ByFiles+1)
	}
	c.Connections, c.LimitedBy = c.ByFiles, "descriptors"
	c.Hint = "raise RLIMIT_NOFILE (ulimit -n, or LimitNOFILE= in systemd)"
	if memory > 0 {
		c.ByMemory = int(max(memory-reservedBytes, memory/2) / connectionBytes)
		if c.ByMemory < c.Connections {
			c.Connections, c.LimitedBy = c.ByMemory, "memory"
			c.Hint = "give the process more memory (container limit, or machine)"
		}
	}
	if configured > 0 && configured <= c.Connections {
		c.Connections, c.LimitedBy = configured, "configuration"
		c.Hint = "raise max-connections"
	}
	return c, nil
}

// usableMemory returns the smaller of the machine's available memory and what
// the control groups leave, 0 if neither can be read.
func usableMemory() int64 {
	usable := memAvailable("/proc/meminfo")
	for _, limit := range cgroupLimits("/proc/self/cgroup", "/sys/fs/cgroup") {
		if usable == 0 || limit < usable {
			usable = limit
		}
	}
	return usable
}

// memAvailable reads MemAvailable, in bytes.
func memAvailable(path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "MemAvailable:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// cgroupLimits reads memory.max of the process's version 2 control group and
// its parents.
func cgroupLimits(membership, root string) []int64 {
	data, err := os.ReadFile(membership)
	if err != nil {
		return nil
	}
	var limits []int64
	for line := range strings.Lines(string(data)) {
		dir, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for ; ; dir = filepath.Dir(dir) {
			text, err := os.ReadFile(filepath.Join(root, dir, "memory.max"))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
				limits = append(limits, n)
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return limits
}
