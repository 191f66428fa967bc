package poller

import (
	"errors"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// readSize is the one read buffer of a loop. Larger ones gain nothing: the
	// kernel copies out at most this much at a time from a socket's queue in
	// practice, and it should stay in the cache.
	readSize = 64 << 10

	// readBudget is how many buffers one connection may fill in one turn before
	// the others are looked at. Level-triggered epoll brings it back.
	readBudget = 4
)

// ErrPartial closes a connection whose handler left more than
// Options.MaxPartial bytes unconsumed.
var ErrPartial = errors.New("poller: too much input left unconsumed")

// readable reads until the socket is empty, the stream ends, the budget is
// spent or the handler pauses. A read that does not fill the buffer has emptied
// the socket: the read that would say EAGAIN is spared, and what arrives in
// between makes the next epoll_wait report it. ended says that epoll has seen
// the peer's FIN; then the read that returns 0 is made in the same turn.
func (l *Loop) readable(slot uint32, s *conn, ended bool) {
	for range readBudget {
		data, n, room, errno := l.read(s)
		l.n.reads.Add(1)
		if errno != 0 {
			if !temporary(errno) {
				l.doom(slot, s, errno)
			}
			return
		}
		if n == 0 {
			l.eof(slot, s)
			return
		}
		l.n.bytesIn.Add(uint64(n))
		if s.flags&noData == 0 {
			l.deliver(slot, s, data)
		} else {
			l.discard(slot, s, n)
		}
		if s.flags&(flagPaused|flagResumed|flagDying) != 0 || n < room && !ended {
			return
		}
	}
}

// maxDiscard is how much a peer may go on sending after Finish: what can have
// been on its way. One that sends for ever would cost the loop's time.
const maxDiscard = 1 << 20

// discard throws input of a closing connection away.
func (l *Loop) discard(slot uint32, s *conn, n int) {
	if s.flags&flagClosing == 0 {
		return
	}
	e := l.endings[slot]
	if e.discarded += n; e.discarded > maxDiscard {
		l.resetOnClose(s)
		l.doom(slot, s, e.why)
		return
	}
	l.endings[slot] = e
}

// read makes one read: n bytes of room possible ones. data is what the handler
// is to see: they, behind the input that waits for its rest, if there is any.
// They are read to behind that input as far as its buffer has room and to the
// loop's buffer beyond, so that a message that was cut makes no read smaller.
func (l *Loop) read(s *conn) (data []byte, n, room int, errno unix.Errno) {
	if s.flags&flagStamped != 0 {
		return l.readStamped(s)
	}
	if s.in == 0 {
		n, errno = sysRead(int(s.fd), l.rbuf)
		return l.rbuf[:n], n, len(l.rbuf), errno
	}
	kept := l.ins[s.in-1]
	behind := kept[len(kept):cap(kept)]
	if len(behind) == 0 {
		n, errno = sysRead(int(s.fd), l.rbuf)
	} else {
		n, errno = sysReadv(int(s.fd), l.aim(behind))
		clear(l.iov[:2])
	}
	return l.joinInput(s, kept, n), n, len(behind) + len(l.rbuf), errno
}

// aim points two buffers of a read at behind and at the loop's own.
func (l *Loop) aim(behind []byte) []unix.Iovec {
	l.iov[0].Base, l.iov[1].Base = unsafe.SliceData(behind), unsafe.SliceData(l.rbuf)
	l.iov[0].SetLen(len(behind))
	l.iov[1].SetLen(len(l.rbuf))
	return l.iov[:2]
}

// joinInput makes one of n bytes that were read behind kept and on into the
// loop's buffer.
func (l *Loop) joinInput(s *conn, kept []byte, n int) (data []byte) {
	behind := kept[len(kept):cap(kept)]
	if n <= len(behind) {
		return kept[:len(kept)+n]
	}
	grown := append(l.buffers.Get(max(2*cap(kept), len(kept)+n)), kept[:cap(kept)]...)
	data = append(grown, l.rbuf[:n-len(behind)]...)
	l.ins[s.in-1] = data[:len(kept)]
	l.buffers.Put(kept)
	return data
}

// deliver hands data to the handler and keeps what it leaves.
func (l *Loop) deliver(slot uint32, s *conn, data []byte) {
	l.delivering = slot + 1
	used := l.h.Data(Conn{l, makeHandle(l.index, slot, s.gen)}, data)
	l.delivering = 0
	if s.flags&noData != 0 || used >= len(data) {
		l.dropInput(s)
		return
	}
	rest := data[used:]
	if len(rest) > l.p.opt.MaxPartial && s.flags&flagPaused == 0 {
		l.doom(slot, s, ErrPartial)
		return
	}
	if s.in == 0 {
		l.keepInput(s, rest)
		return
	}
	kept := l.ins[s.in-1]
	if cap(kept) > 4<<10 && len(rest) <= cap(kept)/4 { // do not sit on a buffer grown for more
		l.ins[s.in-1] = append(l.buffers.Get(len(rest)), rest...)
		l.buffers.Put(kept)
		return
	}
	l.ins[s.in-1] = kept[:copy(kept[:cap(kept)], rest)]
}

// keepInput copies rest into a pooled buffer of the connection.
func (l *Loop) keepInput(s *conn, rest []byte) {
	b := append(l.buffers.Get(len(rest)), rest...)
	if n := len(l.freeIns); n > 0 {
		i := l.freeIns[n-1]
		l.freeIns = l.freeIns[:n-1]
		l.ins[i] = b
		s.in = i + 1
		return
	}
	l.ins = append(l.ins, b)
	s.in = uint32(len(l.ins))
}

// dropInput gives the buffer of waiting input back.
func (l *Loop) dropInput(s *conn) {
	if s.in == 0 {
		return
	}
	i := s.in - 1
	s.in = 0
	l.buffers.Put(l.ins[i])
	l.ins[i] = nil
	l.freeIns = append(l.freeIns, i)
	if len(l.freeIns) == len(l.ins) && cap(l.ins) > keepEntries {
		l.ins, l.freeIns = nil, nil // after a burst
	}
}

// redeliver offers waiting input again after Resume.
func (l *Loop) redeliver(h Handle) {
	s := l.lookup(h)
	if s == nil {
		return
	}
	s.flags &^= flagResumed
	if s.in == 0 || s.flags&(noData|flagPaused) != 0 {
		return
	}
	l.arrived = 0 // long ago
	l.deliver(h.Slot(), s, l.ins[s.in-1])
}

// eof deals with the peer's FIN: what waits for it is still sent.
func (l *Loop) eof(slot uint32, s *conn) {
	if s.out != 0 && s.flags&(flagClosing|flagDying) == 0 {
		l.finish(slot, s, io.EOF)
	}
	if s.out != 0 {
		// Nothing more to read: take the registration for input away, or
		// level-triggered epoll reports the FIN for ever.
		s.flags |= flagPaused | flagEnded
		l.register(slot, s)
		return
	}
	l.doom(slot, s, io.EOF)
}

// connEvent deals with one event of a connection.
func (l *Loop) connEvent(slot, gen uint32, events uint32) {
	s := l.conns.At(slot)
	if s.gen != gen || s.flags&flagUsed == 0 || s.flags&flagDying != 0 {
		l.n.stale.Add(1)
		return
	}
	if s.flags&flagConnecting != 0 {
		l.dialed(slot, s)
		return
	}
	if events&unix.EPOLLERR != 0 {
		l.doom(slot, s, socketError(int(s.fd)))
		return
	}
	if events&unix.EPOLLOUT != 0 {
		l.writable(slot, s)
	}
	if s.flags&flagDying != 0 {
		return
	}
	if s.flags&flagPaused != 0 {
		// Only a hang-up can have brought us here with input unread: both
		// sides are closed and no answer can be sent.
		if events&unix.EPOLLHUP != 0 {
			l.doom(slot, s, io.EOF)
		}
		return
	}
	if s.flags&flagResumed != 0 {
		return // what waits is offered alone first, or it could grow without bound
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 {
		l.readable(slot, s, events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0)
	}
}

// socketError takes the pending error off a socket.
func socketError(fd int) error {
	if err := sysSocketError(fd); err != nil {
		return err
	}
	return io.EOF
}
