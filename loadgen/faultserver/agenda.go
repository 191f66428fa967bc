package faultserver

import (
	"container/heap"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"roost/poller"
)

// task is what happens to a connection later.
type task uint8

const (
	taskSend    task = iota // a frame goes out
	taskRelease             // what is held for a swap goes out, if it still is
	taskUpgrade             // the answer to an upgrade goes out
	taskClose
	taskReset
	taskFreeze // of the whole server
)

// item is an entry of the agenda.
type item struct {
	at       time.Duration // since the server's start
	begun    time.Duration // when the delay began
	n        uint64        // of the entries, so that those of one time keep their order
	task     task
	conn     poller.Handle
	frame    []byte
	delivery uint64 // of taskRelease: whose frame it is about
}

// agenda has what is to happen later, the next first. It belongs to the loop.
type agenda struct {
	items []item
	next  uint64
	alarm *alarm
}

// Len, Less, Swap, Push and Pop are for package heap.
func (a *agenda) Len() int { return len(a.items) }

func (a *agenda) Less(i, j int) bool {
	x, y := &a.items[i], &a.items[j]
	return x.at < y.at || x.at == y.at && x.n < y.n
}

func (a *agenda) Swap(i, j int) { a.items[i], a.items[j] = a.items[j], a.items[i] }

func (a *agenda) Push(x any) { a.items = append(a.items, x.(item)) }

func (a *agenda) Pop() any {
	last := a.items[len(a.items)-1]
	a.items[len(a.items)-1] = item{}
	a.items = a.items[:len(a.items)-1]
	return last
}

// add puts an entry in.
func (a *agenda) add(it item) {
	it.n = a.next
	a.next++
	heap.Push(a, it)
	a.alarm.set(a.items[0].at)
}

// due takes the next entry out if its time has come, and sets the alarm.
func (a *agenda) due(now time.Duration) (it item, ok bool) {
	if len(a.items) > 0 && a.items[0].at <= now {
		return heap.Pop(a).(item), true
	}
	if len(a.items) > 0 {
		a.alarm.set(a.items[0].at)
	}
	return item{}, false
}

// alarm calls ring at a time that is set. It sleeps by the system call on a
// thread of its own, 60 us too long as a rule: the runtime's timers round up to
// a millisecond.
type alarm struct {
	began time.Time
	at    atomic.Int64  // 0: not set
	wake  chan struct{} // something was set
	quit  chan struct{}
	done  chan struct{}
	ring  func()
}

// nap is the longest sleep, and so how late the thread notices that an earlier
// time was set.
const nap = time.Millisecond

func newAlarm(began time.Time, ring func()) *alarm {
	a := &alarm{began: began, wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}), ring: ring}
	go a.run()
	return a
}

// set sets the time at which to ring next, in place of what was set before.
func (a *alarm) set(at time.Duration) {
	if a.at.Swap(max(int64(at), 1)) == 0 {
		select {
		case a.wake <- struct{}{}:
		default: // it has yet to notice the last one
		}
	}
}

func (a *alarm) run() {
	defer close(a.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		at := a.at.Load()
		if at == 0 {
			select {
			case <-a.wake:
				continue
			case <-a.quit:
				return
			}
		}
		select {
		case <-a.quit:
			return
		default:
		}
		left := time.Duration(at) - time.Since(a.began)
		if left > 0 {
			ts := syscall.NsecToTimespec(int64(min(left, nap)))
			_ = syscall.Nanosleep(&ts, nil) // cut short by a signal: one turn more
			continue
		}
		if a.at.CompareAndSwap(at, 0) {
			a.ring()
		}
	}
}

// stop ends the thread and waits for it.
func (a *alarm) stop() {
	close(a.quit)
	<-a.done
}
