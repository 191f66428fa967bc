package swarm

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roost/loadgen/scenario"
)

// TestSpin: a worker that never sleeps does the same as one that does, and takes
// a core for it.
func TestSpin(t *testing.T) {
	f := newFake(t, &fake{})
	s := f.plain(20, ramp(20), publish(scenario.ToAll, 100, 300*time.Millisecond))
	s.Clients.Spin = true
	r := newRig(t, s, 1)
	var cpu unix.Timespec // of the loop's thread, while nothing is to be done
	r.workers[0].do(func() { _ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &cpu) })
	before := cpu.Nano()
	await(t, "CPU time of a loop without work", func() bool {
		r.workers[0].do(func() { _ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &cpu) })
		return cpu.Nano()-before > int64(20*time.Millisecond)
	}, func() int64 { return cpu.Nano() - before })
	r.run(0)
	if c := r.run(1); c.Sent != 30 || c.Delivered != 600 || c.Missing+c.Gap+c.Stray+c.Wrong+c.Duplicate != 0 {
		t.Errorf("%+v", c)
	}
}
