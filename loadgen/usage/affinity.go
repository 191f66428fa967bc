package usage

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxProcessors is how many processors a set of the kernel's can have here.
const maxProcessors = len(unix.CPUSet{}) * 64

// Processors returns the numbers of the processors that any thread of the
// process may run on, in ascending order: what its affinity and its cgroup's
// cpuset allow.
func (p Process) Processors() ([]int, error) {
	threads, err := os.ReadDir(p.path("task"))
	if err != nil {
		return nil, fmt.Errorf("usage: process %d: %w", int(p), err)
	}
	var all unix.CPUSet
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(tid, &set); err != nil {
			continue // a thread may end meanwhile
		}
		for i := range all {
			all[i] |= set[i]
		}
	}
	if all.Count() == 0 {
		return nil, fmt.Errorf("usage: process %d: no thread tells its processors", int(p))
	}
	var list []int
	for cpu := range maxProcessors {
		if all.IsSet(cpu) {
			list = append(list, cpu)
		}
	}
	return list, nil
}
