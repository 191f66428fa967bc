package client

import (
	"fmt"
	"time"

	"roost/server/wire"
)

// OnMessage takes one message of connection c: the payload of one text or
// binary WebSocket message, of the session's format. d is filled with its
// fields, which are parts of data, and may be used for the next message.
//
// After Deliver nothing more may be given to it until Handled was called.
func (s *Session) OnMessage(c Conn, now time.Duration, data []byte, d *wire.Down) Event {
	if c == 0 || c != s.current && c != s.next || s.is(stopped) {
		return Event{}
	}
	if s.is(handling) {
		panic("BUG: client: OnMessage before Handled")
	}
	s.Heard(c, now)
	if err := wire.ParseDown(s.format, data, d); err != nil {
		if err.Code == wire.CodeUnknown {
			return Event{} // of a later version: to be ignored
		}
		return s.drop(c, now, fmt.Errorf("client: message of the node: %w", err))
	}
	if (d.Op == wire.OpWelcome) != (c == s.next) {
		if c == s.next && d.Op == wire.OpAway && classOf(uint16(d.Close)) == classBackoff {
			s.dialAt = now + ms(uint32(min(d.In, mostWait)))
			s.flags |= putOff
			return Event{Kind: Away}
		}
		return s.drop(c, now, ErrWelcome)
	}
	switch d.Op {
	case wire.OpWelcome:
		return s.welcome(now, &d.Welcome)
	case wire.OpMessage:
		return s.message(now, &d.Message)
	case wire.OpSkip:
		return s.skip(now, d.To)
	case wire.OpHeartbeat:
		s.spread, s.wide = uint32(d.Spread), min(uint32(d.Wide), mostWide)
		if s.is(asked) {
			s.flags |= answered
			s.settle(now)
		}
		return Event{Kind: Beat}
	case wire.OpResult:
		return Event{Kind: Result}
	case wire.OpError:
		return Event{Kind: Refused}
	}
	s.away(now, d)
	return Event{Kind: Away}
}

// Bounds of what a welcome may ask for, in ms: a node with a broken
// configuration must not make a fleet spin, or sleep for ever.
const (
	leastBeat = 1_000
	mostBeat  = 3_600_000
	leastBase = 10
	leastMost = 10_000
	mostWait  = 3_600_000
	mostWide  = 300_000
)

// welcome makes the dialed connection the current one (rule 1).
func (s *Session) welcome(now time.Duration, w *wire.Welcome) Event {
	sid, ok := parseSID(w.SID)
	if !ok || !validEpoch(w.Epoch) || w.Acked > w.Seq || w.Seq > wire.MaxSeq {
		return s.drop(s.next, now, ErrWelcome)
	}
	gone := w.From
	if w.Epoch == string(s.epoch[:s.epochLen]) {
		if gone <= s.done+1 {
			gone = 0 // handled on the old connection, whose acknowledgement has overtaken our request
		}
		s.done = max(s.done, w.Acked)
	} else {
		s.epochLen = uint8(copy(s.epoch[:], w.Epoch))
		s.done = w.Acked
	}
	s.sid, s.seq, s.acked, s.ackAt = sid, w.Acked, w.Acked, never
	s.beat = bound(w.Heartbeat, firstBeat, leastBeat, mostBeat)
	s.spread = min(uint32(w.Spread), mostWait)
	s.wide = min(uint32(w.Wide), mostWide)
	s.base = bound(w.Back.Base, firstBase, leastBase, mostWait)
	s.most = bound(w.Back.Max, firstMost, max(s.base, leastMost), mostWait)
	s.window = uint32(w.Win)

	s.settle(now) // of the one that is replaced: that is an end too
	old := s.current
	if old != 0 {
		s.ended(1)
	}
	s.current, s.next = s.next, 0
	s.flags = s.flags&^(waiting|asked|answered) | hasSID
	s.others = nil
	s.opened, s.heard = now, now
	// The first after a random part, or all that connected together would beat
	// together for ever.
	s.beatAt = now + time.Duration(s.rand()%uint64(ms(s.beat)))
	return Event{Kind: Welcome, Old: old, Gone: gone}
}

// bound is v within limits; unset stands for 0.
func bound(v int, unset, least, most uint32) uint32 {
	if v == 0 {
		v = int(unset)
	}
	return min(max(uint32(v), least), most)
}

// message takes a live or kept message (rules 2 and 3).
func (s *Session) message(now time.Duration, m *wire.Message) Event {
	switch {
	case m.Seq == 0:
		s.flags |= handling
		return Event{Kind: Deliver}
	case m.Seq > wire.MaxSeq:
		return s.drop(s.current, now, ErrNumber)
	case m.Seq <= s.seq:
		s.acknowledge(now)
		return Event{}
	case m.Seq != s.seq+1:
		return s.drop(s.current, now, ErrHole)
	}
	// A repeat is known by its number in the same epoch, where the node had not
	// got our acknowledgement yet, and by its id in a new one.
	if m.Seq <= s.done || s.knows(m.ID) {
		s.count(now)
		return Event{}
	}
	s.flags |= handling | counting
	return Event{Kind: Deliver}
}

// knows reports whether a kept message with this id has come before, and
// remembers it.
func (s *Session) knows(id []byte) bool {
	if len(id) == 0 {
		return false
	}
	if s.ids == nil {
		s.ids = new(memory)
	}
	return s.ids.seen(id)
}

// skip is done with all numbers up to to.
func (s *Session) skip(now time.Duration, to uint64) Event {
	if to > wire.MaxSeq {
		return s.drop(s.current, now, ErrNumber)
	}
	e := Event{}
	if to > s.done {
		e = Event{Kind: Skipped, From: s.done + 1}
	}
	s.seq = max(s.seq, to)
	s.done = max(s.done, to)
	s.acknowledge(now)
	return e
}

// away takes note of this device's slot: the last one counts. While the
// successor is being dialed already, it decides.
func (s *Session) away(now time.Duration, d *wire.Down) {
	if s.next != 0 {
		return
	}
	s.settle(now)
	s.flags |= waiting
	s.dialAt = now + max(ms(uint32(d.In)), s.extra())
	s.others = nil
	if len(d.URL) > 0 {
		s.others = &others{url: string(d.URL)}
	}
}

func ms(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
