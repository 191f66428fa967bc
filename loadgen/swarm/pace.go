package swarm

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"roost/poller"
)

// Periods of the loop's wake-up. What is planned is late by half of one on
// average; a shorter one costs more CPU than it is worth.
const (
	busyPace = 500 * time.Microsecond // something is planned
	idlePace = 10 * time.Millisecond
)

// pacer wakes the loop each period, from a thread of its own. It sleeps by the
// system call: the runtime's timers round up to milliseconds.
type pacer struct {
	period atomic.Int64 // ns
	posted atomic.Bool  // a wake-up has not run yet
	quit   atomic.Bool
	done   chan struct{}
}

func newPacer() *pacer {
	p := &pacer{done: make(chan struct{})}
	p.period.Store(int64(idlePace))
	return p
}

// start starts the thread, or has the loop spin; the loop runs.
func (p *pacer) start(w *Worker) {
	if w.s.Clients.Spin {
		w.l.Post(&spinner{p, w})
		return
	}
	turn := poller.TaskFunc(func(*poller.Loop) {
		p.posted.Store(false)
		w.turn()
	})
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for next := w.now(); !p.quit.Load(); {
			if p.posted.CompareAndSwap(false, true) {
				w.l.Post(turn)
			}
			now := w.now()
			if next = max(next+p.period.Load(), now); next > now {
				ts := unix.NsecToTimespec(next - now)
				_ = unix.Nanosleep(&ts, nil) // cut short by a signal: a turn more
			}
		}
	}()
}

// busy sets the period.
func (p *pacer) busy(yes bool) {
	if yes {
		p.period.Store(int64(busyPace))
	} else {
		p.period.Store(int64(idlePace))
	}
}

// spinner keeps the loop from sleeping: a task that posts itself again makes
// the next epoll_wait return at once.
type spinner struct {
	p *pacer
	w *Worker
}

// Run is one turn.
func (s *spinner) Run(l *poller.Loop) {
	s.w.turn()
	if s.p.quit.Load() || !l.Post(s) {
		close(s.p.done)
	}
}

// stop ends the thread, or the spinning.
func (p *pacer) stop() {
	p.quit.Store(true)
	<-p.done
}
