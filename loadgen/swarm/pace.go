package swarm

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"roost/poller"
)

// Periods of the loop's turns. They come when something is due, but not more
// often than each half millisecond: that much later on average at high rates,
// where each turn costs more than it is worth.
const (
	shortest = 500 * time.Microsecond
	longest  = 10 * time.Millisecond
)

// pacer gives the loop a turn when something is due, from a thread of its own.
// It sleeps by system calls: the runtime's timers round up to milliseconds.
//
//	resting --shortest has passed--> deep, until due --due, or woken--> turn posted --> resting
type pacer struct {
	due    atomic.Int64 // when the next turn is wanted, by the run's clock
	deep   atomic.Int64 // until when the thread sleeps that may be woken; 0: it does not
	posted atomic.Bool  // a turn has not run yet
	quit   atomic.Bool
	fd     int // eventfd: wakes the thread
	done   chan struct{}
}

func newPacer() (*pacer, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	return &pacer{fd: fd, done: make(chan struct{})}, err
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
		for !p.quit.Load() {
			p.due.Store(w.now() + int64(longest)) // what the turn will say is earlier as a rule
			if p.posted.CompareAndSwap(false, true) {
				w.l.Post(turn)
			}
			ts := unix.NsecToTimespec(int64(shortest))
			_ = unix.Nanosleep(&ts, nil) // cut short by a signal: a turn more
			p.sleep(w)
		}
	}()
}

// sleep waits until the next turn is due. A turn may be wanted earlier
// meanwhile:
//
//	thread: deep = due; look at due again; wait
//	loop:   due = earlier; look at deep; wake
func (p *pacer) sleep(w *Worker) {
	for !p.quit.Load() {
		at := p.due.Load()
		left := at - w.now()
		if left <= 0 {
			return
		}
		p.deep.Store(at)
		if p.due.Load() == at && !p.quit.Load() {
			ts := unix.NsecToTimespec(left)
			fds := [1]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
			_, _ = unix.Ppoll(fds[:], &ts, nil) // interrupted: a look more
		}
		p.deep.Store(0)
		var count [8]byte
		_, _ = unix.Read(p.fd, count[:]) // nothing, as a rule
	}
}

// wake asks for a turn at a time, if none is wanted earlier.
func (p *pacer) wake(at int64) {
	if at >= p.due.Load() {
		return
	}
	p.due.Store(at)
	if p.deep.Load() > at {
		p.signal()
	}
}

func (p *pacer) signal() {
	one := [8]byte{1} // of either byte order: not 0
	_, _ = unix.Write(p.fd, one[:])
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

// stop ends the thread, or the spinning. It may be called again.
func (p *pacer) stop() {
	if p.quit.Swap(true) {
		<-p.done
		return
	}
	p.signal()
	<-p.done
	unix.Close(p.fd)
}
