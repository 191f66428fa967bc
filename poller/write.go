package poller

import (
	"errors"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrSlow closes a connection whose socket took nothing for
// Options.WriteTimeout while output waited.
var ErrSlow = errors.New("poller: peer reads too slowly: write deadline passed")

// maxIovec is how many waiting writes one writev carries.
const maxIovec = 64

// Write sends b: to the kernel at once, and what that does not take to the
// connection's queue, copied. Writes of one connection go out in order. b may
// be reused when Write returns.
func (c Conn) Write(b []byte, class Class) Result {
	return c.l.write(c.h, b, class, 1, false)
}

// WriteShared is Write for a buffer that nobody will change any more: a queue
// refers to it instead of copying it.
func (c Conn) WriteShared(b []byte, class Class) Result {
	return c.l.write(c.h, b, class, 1, true)
}

// WriteJoined is Write for several frames joined in b, which count as frames
// messages in the bounds.
func (c Conn) WriteJoined(b []byte, class Class, frames int) Result {
	return c.l.write(c.h, b, class, min(max(frames, 1), 1<<20), false)
}

func (l *Loop) write(h Handle, b []byte, class Class, frames int, shared bool) Result {
	if l == nil {
		return Gone
	}
	s := l.lookup(h)
	if s == nil || s.flags&noData != 0 {
		return Gone
	}
	if len(b) == 0 {
		return Written
	}
	if s.out != 0 {
		return l.enqueue(h.Slot(), s, outItem{b: b, class: class, frames: uint32(frames)}, shared)
	}
	n, errno := sysSend(int(s.fd), b)
	l.n.sends.Add(1)
	switch {
	case errno != 0 && !temporary(errno):
		l.doom(h.Slot(), s, errno)
		return Gone
	case n == len(b):
		l.n.bytesOut.Add(uint64(n))
		return Written
	}
	l.n.bytesOut.Add(uint64(n))
	return l.enqueue(h.Slot(), s, outItem{b: b[n:], class: class, frames: uint32(frames), begun: n > 0}, shared)
}

// smallTail is up to which size WriteParts joins the parts by copying: sendto of
// one buffer beats writev of two by about half a microsecond, as much as copying
// 8 KiB costs, and below this a reference would not spare much memory either.
const smallTail = 1 << 10

// WriteParts sends one Reliable frame whose end, tail, is the same for many
// connections: nobody may change it any more. A large tail goes out with its head
// in one writev and is referred to where it has to wait, not copied.
func (c Conn) WriteParts(head, tail []byte) Result {
	l := c.l
	s := c.get()
	if s == nil || s.flags&noData != 0 {
		return Gone
	}
	if len(tail) <= smallTail {
		l.joined = append(append(l.joined[:0], head...), tail...)
		return c.Write(l.joined, Reliable)
	}
	n := 0
	if s.out == 0 {
		l.iov[0].Base, l.iov[1].Base = unsafe.SliceData(head), unsafe.SliceData(tail)
		l.iov[0].SetLen(len(head))
		l.iov[1].SetLen(len(tail))
		var errno unix.Errno
		n, errno = sysWritev(int(s.fd), l.iov[:2])
		clear(l.iov[:2])
		l.n.sends.Add(1)
		if errno != 0 {
			if !temporary(errno) {
				l.doom(c.h.Slot(), s, errno)
				return Gone
			}
			n = 0
		}
		l.n.bytesOut.Add(uint64(n))
	}
	return l.enqueueParts(c.h.Slot(), s, head, tail, n)
}

// enqueueParts queues what is left of a frame in two parts after the kernel took
// n bytes.
func (l *Loop) enqueueParts(slot uint32, s *conn, head, tail []byte, n int) Result {
	if n == len(head)+len(tail) {
		return Written
	}
	if n >= len(head) {
		return l.enqueue(slot, s, outItem{b: tail[n-len(head):], frames: 1, begun: true}, true)
	}
	if n == 0 && !l.queueOf(slot, s).room(&l.p.opt.Limits[s.limit], Reliable, 1, len(head)+len(tail)) {
		l.n.overflow.Add(1)
		return Full
	}
	l.enqueue(slot, s, outItem{b: head[n:], frames: 1, begun: true}, false)
	return l.enqueue(slot, s, outItem{b: tail, begun: true}, true)
}

// writable sends what waits, joined by writev, as far as the socket takes it.
func (l *Loop) writable(slot uint32, s *conn) {
	if s.out == 0 {
		l.register(slot, s)
		return
	}
	q := l.outs[s.out-1]
	for len(q.items) > 0 {
		iov := l.gather(q)
		n, errno := sysWritev(int(s.fd), iov)
		clear(iov)
		l.n.sends.Add(1)
		if errno != 0 {
			if !temporary(errno) {
				l.doom(slot, s, errno)
			}
			return
		}
		l.n.bytesOut.Add(uint64(n))
		q.progress = l.now
		short := n < l.gathered
		l.consume(q, n)
		if short {
			return
		}
	}
	l.dropOutput(s)
	l.register(slot, s)
	if s.flags&flagClosing != 0 {
		if s.flags&flagEnded != 0 {
			l.doom(slot, s, io.EOF)
		} else {
			l.shut(slot, s)
		}
		return
	}
	l.h.Drained(Conn{l, makeHandle(l.index, slot, s.gen)})
}

// gather fills the loop's iovec array from the queue.
func (l *Loop) gather(q *outQueue) []unix.Iovec {
	n := min(len(q.items), maxIovec)
	l.gathered = 0
	for i := range n {
		b := q.items[i].b
		if i == 0 {
			b = b[q.off:]
		}
		l.iov[i].Base = unsafe.SliceData(b)
		l.iov[i].SetLen(len(b))
		l.gathered += len(b)
	}
	return l.iov[:n]
}

// consume takes n sent bytes off the front of the queue.
func (l *Loop) consume(q *outQueue, n int) {
	done := 0
	for n > 0 {
		it := &q.items[done]
		left := len(it.b) - q.off
		if n < left {
			q.off += n
			break
		}
		n -= left
		q.off = 0
		q.count(it, -1)
		if it.owned {
			l.buffers.Put(it.b)
		}
		done++
	}
	m := copy(q.items, q.items[done:])
	clear(q.items[m:])
	q.items = q.items[:m]
}

// closeSlow ends the connections whose socket has taken nothing for the write
// timeout. It looks at blocked connections only, once a second.
func (l *Loop) closeSlow() {
	for _, q := range l.outs {
		if l.now-q.progress < int64(l.p.opt.WriteTimeout) {
			continue
		}
		s := l.conns.At(q.slot)
		if s.flags&flagDying == 0 {
			l.n.slow.Add(1)
			l.doom(q.slot, s, ErrSlow)
		}
	}
}
