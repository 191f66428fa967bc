package poller

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxTasks bounds what other goroutines may have waiting for one loop.
const maxTasks = 64 << 10

// A Task is work for a loop, posted from any goroutine. Run is called on the
// loop and must not block.
type Task interface{ Run(l *Loop) }

// TaskFunc makes a function a Task.
type TaskFunc func(l *Loop)

// Run calls f.
func (f TaskFunc) Run(l *Loop) { f(l) }

// taskQueue carries tasks from any goroutine to one loop and wakes it, at most
// once until it has looked.
//
//	post:  locked: append; signalled 0 -> 1? write the eventfd
//	loop:  read the eventfd; signalled = 0; locked: take all
//
// The order of the loop's three steps matters: a post that still finds
// signalled set has appended before the take. A post signals before it unlocks,
// and close locks before the eventfd is closed: so no post writes to a
// descriptor that has become somebody else's.
type taskQueue struct {
	// Static after construction.
	fd int // eventfd

	signalled atomic.Uint32

	// mu covers the following.
	mu     sync.Mutex
	queue  []Task
	closed bool

	// Owned by the loop.
	taken []Task
}

// post appends t and wakes the loop. It reports false when the queue is full or
// the loop has ended: then t will not run.
func (q *taskQueue) post(t Task) bool {
	q.mu.Lock()
	if q.closed || len(q.queue) >= maxTasks {
		q.mu.Unlock()
		return false
	}
	q.queue = append(q.queue, t)
	q.signal()
	q.mu.Unlock()
	return true
}

// nudge wakes the loop without a task, from any goroutine.
func (q *taskQueue) nudge() {
	q.mu.Lock()
	if !q.closed {
		q.signal()
	}
	q.mu.Unlock()
}

// signal makes the eventfd readable unless it already is. Only the loop may call
// it without the lock.
func (q *taskQueue) signal() {
	if q.signalled.CompareAndSwap(0, 1) {
		one := uint64(1)
		unix.RawSyscall(unix.SYS_WRITE, uintptr(q.fd), uintptr(unsafe.Pointer(&one)), 8)
	}
}

// acknowledge makes the eventfd unreadable again.
func (q *taskQueue) acknowledge() {
	var count uint64
	unix.RawSyscall(unix.SYS_READ, uintptr(q.fd), uintptr(unsafe.Pointer(&count)), 8)
	q.signalled.Store(0)
}

// run runs what was posted before the call, and reports whether that was
// anything.
func (q *taskQueue) run(l *Loop) (some bool) {
	q.mu.Lock()
	taken := q.queue
	q.queue, q.taken = q.taken[:0], nil
	q.mu.Unlock()
	for i, t := range taken {
		taken[i] = nil
		t.Run(l)
	}
	if cap(taken) <= 1024 {
		q.taken = taken[:0]
	} // else: after a burst
	return len(taken) > 0
}

// close refuses further posts and runs what is left, so that whoever waits for
// an answer gets one.
func (q *taskQueue) close(l *Loop) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.run(l)
}
