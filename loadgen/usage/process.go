// Package usage reads from the kernel what processes and sockets cost.
package usage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process of this machine, by its id; 0 is this one.
type Process int

func (p Process) path(name string) string {
	if p == 0 {
		return "/proc/self/" + name
	}
	return "/proc/" + strconv.Itoa(int(p)) + "/" + name
}

// CPU returns the CPU time used so far by all threads, user and system, to the
// nanosecond: the process's CPU clock, not the 10 ms ticks of /proc/PID/stat.
func (p Process) CPU() (time.Duration, error) {
	clock := int32(unix.CLOCK_PROCESS_CPUTIME_ID)
	if p != 0 {
		clock = ^int32(p)<<3 | 2 // CPUCLOCK_SCHED of the whole process
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("usage: CPU clock of process %d: %w", int(p), err)
	}
	return time.Duration(ts.Nano()), nil
}

// tick is the unit of CPU times in /proc/PID/stat; USER_HZ is 100 on every
// Linux that Go runs on.
const tick = 10 * time.Millisecond

// Times returns the CPU time used so far in user and in system mode, in steps
// of 10 ms. The kernel divides what CPU reports by where its clock ticks fell.
func (p Process) Times() (user, system time.Duration, err error) {
	data, err := os.ReadFile(p.path("stat"))
	if err != nil {
		return 0, 0, fmt.Errorf("usage: %w", err)
	}
	// Fields count from behind the name, which may hold anything.
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 13 {
		return 0, 0, fmt.Errorf("usage: %s is too short", p.path("stat"))
	}
	u, _ := strconv.ParseInt(string(f[11]), 10, 64)
	s, _ := strconv.ParseInt(string(f[12]), 10, 64)
	return time.Duration(u) * tick, time.Duration(s) * tick, nil
}

// Memory is what a process occupies, in bytes.
type Memory struct {
	RSS int64 `json:"rss"`
	PSS int64 `json:"pss"` // RSS with shared pages divided among their users
}

// Memory reads smaps_rollup.
func (p Process) Memory() (m Memory, err error) {
	data, err := os.ReadFile(p.path("smaps_rollup"))
	if err != nil {
		return m, fmt.Errorf("usage: %w", err)
	}
	rss, ok1 := kilobytes(data, "\nRss:")
	pss, ok2 := kilobytes(data, "\nPss:")
	if !ok1 || !ok2 {
		return m, fmt.Errorf("usage: no Rss or Pss in %s", p.path("smaps_rollup"))
	}
	return Memory{RSS: rss, PSS: pss}, nil
}

// Status is what /proc/PID/status says.
type Status struct {
	RSS     int64 // bytes
	PeakRSS int64 // the most that it ever was
	Threads int
}

// Status reads it. It costs 20 us, where Memory has the kernel walk all pages.
func (p Process) Status() (s Status, err error) {
	data, err := os.ReadFile(p.path("status"))
	if err != nil {
		return s, fmt.Errorf("usage: %w", err)
	}
	var ok1, ok2 bool
	s.RSS, ok1 = kilobytes(data, "\nVmRSS:")
	s.PeakRSS, ok2 = kilobytes(data, "\nVmHWM:")
	if !ok1 || !ok2 {
		return s, fmt.Errorf("usage: no VmRSS or VmHWM in %s: has the process ended?", p.path("status"))
	}
	if _, rest, ok := bytes.Cut(data, []byte("\nThreads:")); ok {
		if f := bytes.Fields(rest[:min(len(rest), 40)]); len(f) > 0 {
			s.Threads, _ = strconv.Atoi(string(f[0]))
		}
	}
	return s, nil
}

// kilobytes returns the value behind name, given in kB, in bytes.
func kilobytes(data []byte, name string) (int64, bool) {
	_, rest, ok := bytes.Cut(data, []byte(name))
	f := bytes.Fields(rest[:min(len(rest), 40)])
	if !ok || len(f) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(f[0]), 10, 64)
	return n << 10, err == nil
}

// Files returns the number of open descriptors. Since Linux 6.2 the size of the
// directory says it; before, the names have to be read, 0.3 us each.
func (p Process) Files() (int, error) {
	d, err := os.Open(p.path("fd"))
	if err != nil {
		return 0, fmt.Errorf("usage: %w", err)
	}
	defer d.Close()
	if info, err := d.Stat(); err == nil && info.Size() > 0 {
		return int(info.Size()), nil
	}
	names, err := d.Readdirnames(-1)
	return len(names), err
}

// Started returns when the process began, in ticks since boot: with it a process
// can be told from a later one of the same id. The error of one that has ended,
// whether or not its parent knows, is ErrEnded.
func (p Process) Started() (int64, error) {
	data, err := os.ReadFile(p.path("stat"))
	if err != nil {
		return 0, fmt.Errorf("usage: process %d: %w", int(p), ErrEnded)
	}
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 20 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return 0, fmt.Errorf("usage: process %d: %w", int(p), ErrEnded)
	}
	return strconv.ParseInt(string(f[19]), 10, 64)
}

// ErrEnded is what a process that is no more gives.
var ErrEnded = errors.New("has ended")
