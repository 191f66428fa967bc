package client

import (
	"time"

	"roost/server/wire"
)

// NextDeadline returns when OnTime has to be called, at the latest; it may be
// past. The largest Duration means never. It changes with every call on s.
func (s *Session) NextDeadline() time.Duration {
	at := never
	if s.is(stopped) {
		return at
	}
	if s.current != 0 {
		at = min(s.beatAt, s.ackAt, s.silentAt())
	}
	if s.is(waiting) {
		at = min(at, s.dialAt)
	}
	return at
}

// OnTime does what is due: it appends to dst at most one message to be sent on
// the current connection, and says what there is to do about connecting. Call
// it when the application has handled what was delivered.
func (s *Session) OnTime(now time.Duration, dst []byte) ([]byte, Next) {
	if s.is(stopped) {
		return dst, Next{}
	}
	if s.current != 0 {
		switch {
		case now >= s.silentAt():
			return dst, s.silent(now)
		case now >= s.beatAt:
			dst = s.heartbeat(now, dst)
		case now >= s.ackAt:
			dst = s.AppendAck(dst)
		}
	}
	if s.is(waiting) && now >= s.dialAt {
		return dst, Next{Do: Reconnect, URL: s.target()}
	}
	return dst, Next{}
}

// AppendAck appends an acknowledgement if one is waiting, due or not: the last
// word before a connection is closed.
func (s *Session) AppendAck(dst []byte) []byte {
	if s.current == 0 || s.ackAt == never {
		return dst
	}
	s.said()
	return wire.AppendUp(dst, s.format, &wire.Up{Op: wire.OpAck, Seq: s.seq, HasSeq: true})
}

// heartbeat appends one; it acknowledges too.
func (s *Session) heartbeat(now time.Duration, dst []byte) []byte {
	s.beatAt = now + ms(s.beat)
	s.flags |= asked
	s.said()
	return wire.AppendUp(dst, s.format, &wire.Up{Op: wire.OpHeartbeat, Seq: s.seq, HasSeq: s.seq != 0})
}

// said takes note that seq goes to the node.
func (s *Session) said() { s.acked, s.ackAt = s.seq, never }

// silentAt returns when the node has been silent for too long. While the
// application handles a message nobody reads, so nobody can tell.
func (s *Session) silentAt() time.Duration {
	if s.is(handling) {
		return never
	}
	return s.heard + ms(s.beat) + ms(s.beat)/2
}

// silent gives the current connection up as lost: whoever holds the other end
// is gone, and with it perhaps many others.
func (s *Session) silent(now time.Duration) Next {
	c := s.current
	s.leave(c, now)
	next := s.plan(now, s.slot()+s.guard(), false)
	next.Drop, next.Err = c, ErrSilent
	return next
}
