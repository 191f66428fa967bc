package usage

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Cgroup is a control group: one directory in version 2, one of each controller
// in version 1. A directory is "" where there is none.
type Cgroup struct {
	Version int // 1 or 2; where both are mounted, 1: it has the controllers
	CPU     string
	Account string // cpuacct in version 1; CPU in version 2
	Memory  string
	PIDs    string
}

// FindCgroup returns that of a process.
func FindCgroup(p Process) (Cgroup, error) {
	groups, err := os.ReadFile(p.path("cgroup"))
	if err != nil {
		return Cgroup{}, fmt.Errorf("usage: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Cgroup{}, fmt.Errorf("usage: %w", err)
	}
	return parseCgroup(string(groups), string(mounts)), nil
}

// OpenCgroup returns that of a directory of version 2.
func OpenCgroup(dir string) (Cgroup, error) {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		return Cgroup{}, fmt.Errorf("usage: %s is no cgroup: %w", dir, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err != nil {
		return Cgroup{}, fmt.Errorf("usage: %s is of cgroup version 1, which has no memory.stat of slab and sock: give a directory of version 2, or probe the process by its id", dir)
	}
	return Cgroup{2, dir, dir, dir, dir}, nil
}

// parseCgroup joins /proc/PID/cgroup and mountinfo: a group's directory is its
// path, less the root of the mount, behind the mount point.
func parseCgroup(groups, mounts string) Cgroup {
	paths := map[string]string{} // controller, "" for version 2: path
	for line := range strings.Lines(groups) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, controller := range strings.Split(f[1], ",") {
			paths[controller] = f[2]
		}
	}
	dirs := map[string]string{}
	for line := range strings.Lines(mounts) {
		// 32 31 0:29 ROOT POINT options - cgroup source rw,cpu
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(kind) < 3 {
			continue
		}
		switch kind[0] {
		case "cgroup2":
			dirs[""] = under(f[3], f[4], paths[""])
		case "cgroup":
			for _, option := range strings.Split(kind[2], ",") {
				if path, there := paths[option]; there {
					dirs[option] = under(f[3], f[4], path)
				}
			}
		}
	}
	if c := (Cgroup{1, dirs["cpu"], dirs["cpuacct"], dirs["memory"], dirs["pids"]}); c != (Cgroup{Version: 1}) {
		return c
	}
	if dirs[""] != "" {
		return Cgroup{2, dirs[""], dirs[""], dirs[""], dirs[""]}
	}
	return Cgroup{}
}

func under(root, point, path string) string {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		rest = "" // of a group outside of this view: the nearest that is in it
	}
	return filepath.Join(point, rest)
}

// Throttling is what a quota of CPU has cost.
type Throttling struct {
	Periods int64 // in which the quota ran out
	Time    time.Duration
}

// Throttled reads cpu.stat.
func (c Cgroup) Throttled() (t Throttling, err error) {
	stat, err := readStat(c.CPU, "cpu.stat")
	if err != nil {
		return t, err
	}
	t.Periods = stat["nr_throttled"]
	t.Time = time.Duration(stat["throttled_usec"])*time.Microsecond + time.Duration(stat["throttled_time"])
	return t, nil
}

// CPUTime returns what all processes of the group have used.
func (c Cgroup) CPUTime() (sum, user, system time.Duration, err error) {
	if c.Version == 2 {
		stat, err := readStat(c.CPU, "cpu.stat")
		us := func(name string) time.Duration { return time.Duration(stat[name]) * time.Microsecond }
		return us("usage_usec"), us("user_usec"), us("system_usec"), err
	}
	stat, err := readStat(c.Account, "cpuacct.stat")
	if err != nil {
		return 0, 0, 0, err
	}
	ns, err := readNumber(c.Account, "cpuacct.usage")
	return time.Duration(ns), time.Duration(stat["user"]) * tick, time.Duration(stat["system"]) * tick, err
}

// MemoryStat reads memory.stat, in bytes. Version 2 has anon, file, slab, sock,
// kernel_stack; version 1 has rss and cache, and no sock and slab.
func (c Cgroup) MemoryStat() (map[string]int64, error) { return readStat(c.Memory, "memory.stat") }

// MemoryLimit returns the tightest limit on the way up to the root, and how much
// of it is in use there; ok is false without a limit.
func (c Cgroup) MemoryLimit() (limit, used int64, ok bool) {
	limits, use := "memory.max", "memory.current"
	if c.Version == 1 {
		limits, use = "memory.limit_in_bytes", "memory.usage_in_bytes"
	}
	c.climb(c.Memory, func(dir string) {
		n, err := readNumber(dir, limits)
		if err != nil || n >= 1<<60 || ok && n >= limit { // "max"; version 1 says none by a huge number
			return
		}
		u, err := readNumber(dir, use)
		if err == nil {
			limit, used, ok = n, u, true
		}
	})
	return limit, used, ok
}

// PIDLimit returns how many more processes and threads the group may have.
func (c Cgroup) PIDLimit() (left int64, ok bool) {
	c.climb(c.PIDs, func(dir string) {
		limit, err1 := readNumber(dir, "pids.max")
		used, err2 := readNumber(dir, "pids.current")
		if err1 == nil && err2 == nil && (!ok || limit-used < left) {
			left, ok = limit-used, true
		}
	})
	return left, ok
}

// CPULimit returns the tightest quota, in cores.
func (c Cgroup) CPULimit() (cores float64, ok bool) {
	c.climb(c.CPU, func(dir string) {
		var quota, period float64
		if c.Version == 2 {
			if n, err := fmt.Sscan(word(dir+"/cpu.max"), &quota, &period); n != 2 || err != nil {
				return // "max 100000", or the root
			}
		} else {
			q, err1 := readNumber(dir, "cpu.cfs_quota_us")
			p, err2 := readNumber(dir, "cpu.cfs_period_us")
			if err1 != nil || err2 != nil || q < 0 {
				return
			}
			quota, period = float64(q), float64(p)
		}
		if have := quota / math.Max(period, 1); !ok || have < cores {
			cores, ok = have, true
		}
	})
	return cores, ok
}

// climb calls f for dir and the groups above it, up to where there are none.
func (c Cgroup) climb(dir string, f func(dir string)) {
	for dir != "" && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
			return
		}
		f(dir)
		dir = filepath.Dir(dir)
	}
}

// readStat reads lines of a name and a number.
func readStat(dir, file string) (map[string]int64, error) {
	if dir == "" {
		return nil, fmt.Errorf("usage: no cgroup that has %s", file)
	}
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, fmt.Errorf("usage: %w", err)
	}
	stat := map[string]int64{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 {
			if v, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				stat[f[0]] = v
			}
		}
	}
	return stat, nil
}

// readNumber reads a file of one number.
func readNumber(dir, file string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, fmt.Errorf("usage: %w", err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}
