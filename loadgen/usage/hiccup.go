package usage

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// HiccupEvery is how long a meter of hiccups sleeps each time, if it is not one
// of many on a machine: each keeps Go's monitor thread awake, which looks every
// 20 us for something to do, and costs 4 % of a core.
const HiccupEvery = time.Millisecond

// WatchHiccups measures how long a thread of this process that wants to run has
// to wait, the way jHiccup does: one that has nothing else to do sleeps for a
// period at a time and records by how much each sleep was too long, in ns. It is
// in one process with the load, and so sees what holds that up: the kernel's scheduler,
// the host, and Go's scheduler and collector. One long hold-up is one late
// wake-up but stands for many that did not happen, so record is also called for
// those: a period less each time. record runs on the meter's goroutine. stop ends
// the meter and waits for it.
//
// The thread's timer slack is 1 ns; with the kernel's 50 us each sleep would be
// that much too long by itself.
func WatchHiccups(every time.Duration, record func(ns int64)) (stop func()) {
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread, with its slack, ends with us
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
		for before := time.Now(); !over.Load(); {
			sleep(every)
			now := time.Now()
			backfill(int64(now.Sub(before)-every), int64(every), record)
			before = now
		}
	}()
	return func() {
		over.Store(true)
		<-done
	}
}

// backfill records late, and what those would have seen who meant to wake up in
// between.
func backfill(late, every int64, record func(ns int64)) {
	record(max(late, 0))
	for late -= every; late >= every; late -= every {
		record(late)
	}
}

// sleep sleeps in the kernel, not in Go's timers.
func sleep(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR { // the scheduler's signals
	}
}
