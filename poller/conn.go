package poller

import (
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is what a connection costs while nothing happens on it: 20 bytes without
// pointers, beside the 12 of its timer node.
//
// States (flags), all moves made by the owning loop:
//
//	free --accept--> open --Finish, or EOF with output waiting--> closing
//	free --Dial--> connecting --> open
//	connecting, open, closing --Close, error, EOF, deadline--> dying
//	dying --end of turn: Closed called, gen+1--> free
//
// blocked and paused are marks beside open.
type conn struct {
	fd      int32
	gen     uint32
	out     uint32 // index + 1 in Loop.outs while output waits
	in      uint32 // index + 1 in Loop.ins while input waits
	flags   uint16
	variant uint8 // which frame of a Cast it gets; 0 for none
	limit   uint8 // index in Options.Limits
}

const (
	flagUsed       = 1 << iota // not free
	flagConnecting             // dialled, not yet connected
	flagClosing                // input is discarded; closes when output is out and the peer is done
	flagDying                  // in Loop.doomed
	flagPaused                 // input is not read
	flagResumed                // in Loop.resumed
	flagEnded                  // the peer has said FIN while output waited
	flagInMask                 // registered for input
	flagOutMask                // registered for output
	flagDialed                 // we called
	flagTarget                 // in the slice of a cast that is being sent
	flagStamped                // read by recvmsg, with the kernel's time of arrival
)

// noData reports a state in which the handler gets no input.
const noData = flagClosing | flagDying | flagConnecting

// Conn is a connection as its loop sees it. It is a value: keep it, or its
// Handle, anywhere, but call its methods on the owning loop only (in a Handler
// call or a Task). Once the connection is closed the methods do nothing and
// say so.
type Conn struct {
	l *Loop
	h Handle
}

// Handle returns the name of the connection.
func (c Conn) Handle() Handle { return c.h }

// Loop returns the owning loop.
func (c Conn) Loop() *Loop { return c.l }

// Slot returns the connection's index on its loop, for a Slab of the handler.
func (c Conn) Slot() uint32 { return c.h.Slot() }

// get returns the record if the connection is still the one that c names.
func (c Conn) get() *conn {
	if c.l == nil {
		return nil
	}
	return c.l.lookup(c.h)
}

// Alive reports whether the connection is open for writing.
func (c Conn) Alive() bool {
	s := c.get()
	return s != nil && s.flags&noData == 0
}

// Dialed reports whether this side opened the connection.
func (c Conn) Dialed() bool {
	s := c.get()
	return s != nil && s.flags&flagDialed != 0
}

// Close ends the connection at once; output that waits is lost. Handler.Closed
// is called with why at the end of the loop's turn.
func (c Conn) Close(why error) {
	if s := c.get(); s != nil {
		c.l.doom(c.h.Slot(), s, why)
	}
}

// Reset is Close with a TCP reset, which leaves no TIME_WAIT behind.
func (c Conn) Reset(why error) {
	if s := c.get(); s != nil {
		c.l.resetOnClose(s)
		c.l.doom(c.h.Slot(), s, why)
	}
}

// resetOnClose makes close drop what is unsent and answer the peer with RST.
func (l *Loop) resetOnClose(s *conn) {
	linger := unix.Linger{Onoff: 1}
	unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&linger)), unix.SizeofLinger, 0)
}

// Finish ends the connection in order: what waits is sent, then FIN, then the
// peer has Options.Linger to close its side, so that it gets to read the last
// bytes. One whose kernel has not taken them by then is reset: left to the
// kernel they could stay for as long as the peer likes. Input is discarded from
// here on, 1 MiB of it at most. Handler.Closed is called with why
// when it is over.
func (c Conn) Finish(why error) {
	if s := c.get(); s != nil && s.flags&noData == 0 {
		c.l.finish(c.h.Slot(), s, why)
	}
}

// SetDeadline arms the connection's one timer: Handler.Timeout is called on the
// first tick (125 ms) after d from now. Zero or less disarms it. It is cheap,
// but the cheapest deadline is one that stays: let it fire, compare with the
// time of the last input, and set it anew.
func (c Conn) SetDeadline(d time.Duration) {
	s := c.get()
	if s == nil || s.flags&(flagClosing|flagDying) != 0 {
		return
	}
	if d <= 0 {
		c.l.wheel.clear(c.h.Slot())
		return
	}
	c.l.wheel.set(c.h.Slot(), c.l.tickAfter(d))
}

// Pause stops reading: the kernel's buffer fills, and the peer has to wait.
// Handler.Data may call it and leave bytes unconsumed.
func (c Conn) Pause() {
	if s := c.get(); s != nil && s.flags&(flagPaused|flagClosing|flagDying) == 0 {
		s.flags |= flagPaused
		c.l.register(c.h.Slot(), s)
	}
}

// Resume reads again; bytes that Handler.Data left come first, before the end
// of the loop's turn (of the next, when called in a Data that such bytes
// brought, or in Closed).
func (c Conn) Resume() {
	s := c.get()
	if s == nil || s.flags&flagPaused == 0 || s.flags&(flagClosing|flagDying) != 0 {
		return
	}
	s.flags &^= flagPaused
	c.l.register(c.h.Slot(), s)
	if s.in != 0 && s.flags&flagResumed == 0 {
		s.flags |= flagResumed
		c.l.resumed = append(c.l.resumed, c.h)
	}
}

// SetVariant says which frame of a Cast to all the connection gets, 1 to
// MaxVariants-1; 0, as at first, is none.
func (c Conn) SetVariant(v uint8) {
	if s := c.get(); s != nil && v < MaxVariants {
		s.variant = v
	}
}

// SetLimit chooses the bound of the output queue: an index in Options.Limits.
func (c Conn) SetLimit(i uint8) {
	if s := c.get(); s != nil && int(i) < len(c.l.p.opt.Limits) {
		s.limit = i
	}
}

// Waiting returns how many bytes wait because the socket did not take them.
func (c Conn) Waiting() int {
	if s := c.get(); s != nil && s.out != 0 {
		q := c.l.outs[s.out-1]
		return q.bytes - q.off
	}
	return 0
}

// RemoteAddr returns the peer's address as host:port, or "" when it is gone.
// It allocates: for logs, not for every message.
func (c Conn) RemoteAddr() string {
	if a := c.RemoteAddrPort(); a.IsValid() {
		return a.String()
	}
	return ""
}

// RemoteAddrPort returns the peer's address, or the zero AddrPort when it is gone. It
// asks the kernel: a system call. An IPv4 address in IPv6 form is returned as IPv4.
func (c Conn) RemoteAddrPort() netip.AddrPort {
	s := c.get()
	if s == nil {
		return netip.AddrPort{}
	}
	return sysPeer(int(s.fd))
}

// lookup returns the record that h names, or nil when it has been freed since.
func (l *Loop) lookup(h Handle) *conn {
	if h.Slot() >= l.slots || h.Loop() != l.index {
		return nil
	}
	s := l.conns.At(h.Slot())
	if s.gen != h.gen() || s.flags&flagUsed == 0 {
		return nil
	}
	return s
}

// alloc takes a free slot for fd, the most recently freed first.
func (l *Loop) alloc(fd int, flags uint16) (slot uint32, s *conn, ok bool) {
	if n := len(l.free); n > 0 {
		slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else if l.slots < MaxSlots {
		slot = l.slots
		l.slots++
	} else {
		return 0, nil, false
	}
	s = l.conns.At(slot)
	gen := max(s.gen, 1)
	*s = conn{fd: int32(fd), gen: gen, flags: flags | flagUsed}
	l.used++
	return slot, s, true
}

// release gives everything the connection holds back and frees its slot. A new
// generation makes every Handle and every event of the old one stale.
func (l *Loop) release(slot uint32, s *conn) {
	l.wheel.clear(slot)
	l.dropOutput(s)
	l.dropInput(s)
	sysClose(int(s.fd))               // takes it out of epoll too: there is no other descriptor
	*s = conn{fd: -1, gen: s.gen + 1} // alloc leaves 0 out
	l.free = append(l.free, slot)
	l.used--
}

// doom marks the connection as over. The rest happens at the end of the turn,
// so that no call of the handler is interrupted by its own Closed.
func (l *Loop) doom(slot uint32, s *conn, why error) {
	if s.flags&flagDying != 0 {
		return
	}
	s.flags |= flagDying
	if why == ErrSlow {
		// An orderly close would leave the unsent output, 50 KiB and more, with
		// an orphan in the kernel for as long as the peer keeps answering
		// probes of its closed window.
		l.resetOnClose(s)
	}
	l.doomed = append(l.doomed, doomed{slot: slot, why: why})
}

// finish starts the orderly end.
func (l *Loop) finish(slot uint32, s *conn, why error) {
	s.flags |= flagClosing
	s.flags &^= flagPaused
	l.endings[slot] = ending{why: why}
	if l.delivering != slot+1 { // else the handler still looks at it
		l.dropInput(s)
	}
	s.variant = 0
	if s.out == 0 {
		l.shut(slot, s)
	} else {
		l.wheel.clear(slot) // closeSlow watches it
	}
	l.register(slot, s)
}

// shut says FIN and gives the peer a while to say its own.
func (l *Loop) shut(slot uint32, s *conn) {
	sysShutdownWrite(int(s.fd))
	l.wheel.set(slot, l.tickAfter(l.p.opt.Linger))
}

// register brings epoll's interest in line with the flags: input unless paused,
// output while something waits or a dial is under way.
func (l *Loop) register(slot uint32, s *conn) {
	var mask uint32
	have := s.flags & (flagInMask | flagOutMask)
	want := uint16(0)
	if s.flags&(flagPaused|flagConnecting) == 0 {
		mask |= unix.EPOLLIN | unix.EPOLLRDHUP
		want |= flagInMask
	}
	if s.out != 0 || s.flags&flagConnecting != 0 {
		mask |= unix.EPOLLOUT
		want |= flagOutMask
	}
	if want == have {
		return
	}
	s.flags = s.flags&^(flagInMask|flagOutMask) | want
	if err := l.re.control(unix.EPOLL_CTL_MOD, int(s.fd), mask, makeToken(kindConn, slot, s.gen)); err != nil {
		l.doom(slot, s, err)
	}
}
