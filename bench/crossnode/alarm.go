package crossnode

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm waits for due times by a timer of the kernel. Timers of Go end up in epoll_wait, which counts whole milliseconds: a
// process that has nothing else to do sleeps up to one longer than it wants to, half of one on average, and what is measured
// from due times has that in it (a message at 1,000 a second: 1.1 ms, of which 0.5 were this).
type alarm struct {
	fd   int
	file *os.File // of fd: waits in the runtime's poller
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	return &alarm{fd: fd, file: os.NewFile(uintptr(fd), "timerfd")}, nil
}

// wait waits d and reports whether ctx did not end before.
func (a *alarm) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	if err := unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}, nil); err != nil {
		return pause(ctx, d)
	}
	defer context.AfterFunc(ctx, func() { _ = a.file.SetReadDeadline(time.Now()) })()
	var expired [8]byte
	_, err := a.file.Read(expired[:])
	return err == nil && ctx.Err() == nil
}

func (a *alarm) close() { a.file.Close() }
