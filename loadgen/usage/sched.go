package usage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Sched is what the kernel's scheduler did with the threads of a process.
type Sched struct {
	Run     time.Duration // on a core
	Delay   time.Duration // ready to run, waiting for one
	Threads int
}

// Sched sums up the threads that there are. One that has ended takes its times
// along: differences can come out too small, so never use one below 0.
func (p Process) Sched() (s Sched, err error) {
	dir := p.path("task")
	threads, err := os.ReadDir(dir)
	if err != nil {
		return s, fmt.Errorf("usage: %w", err)
	}
	for _, t := range threads {
		data, err := os.ReadFile(dir + "/" + t.Name() + "/schedstat")
		if os.IsNotExist(err) {
			continue // it has ended
		}
		if err != nil {
			return s, fmt.Errorf("usage: %w", err)
		}
		run, delay, ok := parseSchedstat(string(data))
		if !ok {
			return s, fmt.Errorf("usage: %s/%s/schedstat: want three numbers, got %q (does the kernel have CONFIG_SCHED_INFO?)", dir, t.Name(), data)
		}
		s.Run += run
		s.Delay += delay
		s.Threads++
	}
	return s, nil
}

// Sub returns what has happened since before.
func (s Sched) Sub(before Sched) Sched {
	return Sched{Run: max(s.Run-before.Run, 0), Delay: max(s.Delay-before.Delay, 0), Threads: s.Threads}
}

// parseSchedstat reads "run-ns delay-ns timeslices".
func parseSchedstat(s string) (run, delay time.Duration, ok bool) {
	f := strings.Fields(s)
	if len(f) < 3 {
		return 0, 0, false
	}
	r, err1 := strconv.ParseInt(f[0], 10, 64)
	d, err2 := strconv.ParseInt(f[1], 10, 64)
	return time.Duration(r), time.Duration(d), err1 == nil && err2 == nil
}
