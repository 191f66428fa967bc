package timing

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Thread is a goroutine's thread, bound to one core. Its methods are for the
// goroutine that has bound it.
type Thread struct {
	before unix.CPUSet
}

// Cores returns the cores that this process may use.
func Cores() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("cores of this process: %w", err)
	}
	var cores []int
	for cpu := 0; len(cores) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cores = append(cores, cpu)
		}
	}
	return cores, nil
}

// Bind ties the calling goroutine to a thread and that to a core, until Free.
func Bind(core int) (*Thread, error) {
	runtime.LockOSThread()
	t := &Thread{}
	if err := unix.SchedGetaffinity(0, &t.before); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("cores of a thread: %w", err)
	}
	var one unix.CPUSet
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("bind a thread to core %d: %w", core, err)
	}
	return t, nil
}

// Free undoes Bind.
func (t *Thread) Free() {
	// If it fails the thread stays bound: keep the goroutine on it, so that Go
	// ends the thread together with the goroutine.
	if unix.SchedSetaffinity(0, &t.before) == nil {
		runtime.UnlockOSThread()
	}
}

// switches returns how often the calling thread has left its core so far.
func switches() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		panic("BUG: getrusage of the calling thread: " + err.Error())
	}
	return u.Nvcsw + u.Nivcsw
}

// cpuTime returns the time that the calling thread has run so far, in ns.
func cpuTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic("BUG: CPU clock of the calling thread: " + err.Error())
	}
	return ts.Nano()
}
