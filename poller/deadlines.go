package poller

import (
	"io"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a loop does because time has passed: deadlines of connections in the wheel, the
// alarm, and looks at what is blocked, kept or not accepted. One timerfd wakes it for the
// earliest of them.

// tickLength is the resolution of deadlines.
const tickLength = 125 * time.Millisecond

// SetAlarm has the loop run t once, d from now, as exactly as the kernel's timers
// are; one that was set before is forgotten. Below 0 counts as 0, which is the
// next turn. Deadlines of connections are coarser and cost less.
func (l *Loop) SetAlarm(d time.Duration, t Task) {
	l.alarmAt, l.alarm = max(l.p.clock()+int64(min(max(d, 0), maxDeadline)), 1), t
}

// expire fires the deadlines that have passed.
func (l *Loop) expire() {
	l.wheel.advance(uint32(l.now/int64(tickLength)), l.timeout)
	if len(l.outs) > 0 && l.now >= l.secondAt {
		l.secondAt = l.now + int64(time.Second)
		l.closeSlow()
	}
	if l.buffers.kept > 0 && l.now >= l.trimAt {
		l.trimAt = l.now + int64(time.Second)
		l.buffers.trim()
	}
	l.wakeListener()
	if l.alarmAt != 0 && l.now >= l.alarmAt {
		l.alarmAt = 0
		l.alarm.Run(l)
	}
}

// timeout deals with the passed deadline of one slot.
func (l *Loop) timeout(slot uint32) {
	s := l.conns.At(slot)
	switch {
	case s.flags&flagUsed == 0 || s.flags&flagDying != 0:
	case s.flags&flagClosing != 0 && (s.out != 0 || unacknowledged(int(s.fd))):
		l.doom(slot, s, ErrSlow)
	case s.flags&flagClosing != 0:
		l.doom(slot, s, io.EOF) // the peer has all of it, and keeps its side open
	default:
		l.h.Timeout(Conn{l, makeHandle(l.index, slot, s.gen)})
	}
}

// maxDeadline is as far as deadlines reach: 9 years, which fit a tick's 32 bits
// as long as the process is younger than 7.
const maxDeadline = time.Duration(1) << 58

// tickAfter returns the first tick that is at least d from now.
func (l *Loop) tickAfter(d time.Duration) uint32 {
	return uint32((l.now + int64(min(d, maxDeadline)) + int64(tickLength) - 1) / int64(tickLength))
}

// arm sets the timerfd to the earliest thing there is to do, if that is before
// what it is set to. A loop without deadlines sleeps.
func (l *Loop) arm() {
	at := int64(0)
	if tick, ok := l.wheel.next(); ok {
		at = int64(tick) * int64(tickLength)
	}
	for _, t := range [...]int64{l.acceptAt, l.alarmAt, l.secondIfBlocked(), l.trimIfKept()} {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	if at == 0 || l.armed != 0 && l.armed <= at {
		return
	}
	l.armed = at
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(at-l.p.clock(), 1))}
	unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(l.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

// secondIfBlocked returns when to look at blocked connections, 0 without any.
func (l *Loop) secondIfBlocked() int64 {
	if len(l.outs) == 0 {
		return 0
	}
	return max(l.secondAt, 1)
}

// trimIfKept returns when to look at unused buffers, 0 without any.
func (l *Loop) trimIfKept() int64 {
	if l.buffers.kept == 0 {
		return 0
	}
	return max(l.trimAt, 1)
}
