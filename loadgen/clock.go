package loadgen

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// clock is the one time base of a run, in nanoseconds since its start.
// time.Since costs 27 ns here, time.Now 69.
type clock struct{ base time.Time }

func (c clock) now() int64 { return int64(time.Since(c.base)) }

// maxNap bounds one sleep, so that the end of a context is seen.
const maxNap = 20 * time.Millisecond

// sleepUntil waits until at, more finely than time.Sleep, which rounds up to
// milliseconds when nothing else goes on. Call it on a locked thread: the
// scheduler then need not look for another one to take over.
func (c clock) sleepUntil(ctx context.Context, at int64) error {
	for {
		left := at - c.now()
		if err := ctx.Err(); err != nil || left <= 0 {
			return err
		}
		ts := unix.NsecToTimespec(min(left, int64(maxNap)))
		_ = unix.Nanosleep(&ts, nil) // cut short by a signal: go round
	}
}

// onThread runs f on a goroutine with an OS thread of its own, for sleeping
// precisely, and returns its end.
func onThread(f func()) (done <-chan struct{}) {
	ch := make(chan struct{})
	go func() {
		defer close(ch)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		f()
	}()
	return ch
}

// sleepUntil waits until at on a thread of its own.
func (s *swarm) sleepUntil(ctx context.Context, at int64) (err error) {
	<-onThread(func() { err = s.clock.sleepUntil(ctx, at) })
	return err
}
