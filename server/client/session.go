package client

import (
	"math"
	"time"

	"roost/server/wire"
)

// Session is what one device knows over all its connections. It is small, so
// that a process can hold tens of thousands, and not safe for concurrent use.
//
// Times are since whatever instant the caller counts from, the same in all
// calls, and must not go back.
//
//	waiting --OnTime says Reconnect--> Begin: dialing --welcome--> current
//	   ^                                  | failed                    |
//	   +----------------------------------+-------- lost, closed -----+--42xx, 43xx--> stopped
//
// A connection that was sent away stays current while its successor is dialed;
// the successor's welcome makes it the current one, and what the old one still
// says counts for nothing.
type Session struct {
	device string
	others *others // nodes that it was sent to; nil: none since the last welcome
	ids    *memory // ids of kept messages; nil until one had an id

	sid    uint64
	seq    uint64 // cursor: the last kept message that is done with on the current connection
	done   uint64 // highest number done with in this epoch; above seq while messages are repeated
	acked  uint64 // the last seq that was said to the node
	random uint64 // state of the generator

	dialAt time.Duration // of the next dial, if waiting or putOff
	opened time.Duration // when the current connection had its welcome
	heard  time.Duration // when the node was last heard
	beatAt time.Duration // of the next heartbeat
	ackAt  time.Duration // of the next ack; never: nothing to acknowledge

	beat   uint32 // ms between heartbeats
	spread uint32 // ms over which all come back after a cut
	wide   uint32 // ms over which all dial again where nobody takes a dial; 0: see backoff
	base   uint32 // ms, see backoff
	most   uint32 // ms, see backoff
	window uint32 // kept messages under way unacknowledged

	epoch    [maxEpoch]byte
	epochLen uint8
	failures uint8 // dials that failed and 41xx since the last good connection
	ends     uint8 // connections that ended since the last good one
	format   wire.Format
	current  Conn // had its welcome
	next     Conn // is being dialed, or waits for its welcome
	last     Conn // the last number given
	flags    flags
}

type flags uint8

const (
	hasSID   flags = 1 << iota
	waiting        // dialAt counts; never while next is being dialed
	stopped        // the node does not want this device
	asked          // a heartbeat was sent on the current connection
	answered       // and one came back
	handling       // a message is with the application
	counting       // and it is a kept one
	putOff         // the node that is being dialed refuses us until dialAt
)

// Conn numbers a session's connections. Events of one that the session has
// left behind are nothing to it. 0 is none.
type Conn uint8

const (
	maxEpoch = 32
	never    = time.Duration(math.MaxInt64)
)

// Before the first welcome (rule 6), and for what a welcome leaves out.
const (
	firstBase = 1_000
	firstMost = 120_000
	firstBeat = 55_000
)

// Saved is what a device should keep over restarts. The zero value is a device
// that was never connected.
type Saved struct {
	SID   string // 16 lower-case hex digits
	Epoch string // of the stream
	Seq   uint64 // the last kept message handled
}

// Init makes s the session of a device whose connections speak format. seed is
// where its randomness comes from, different for each device. The first dial
// is due at once. What is not valid in saved is left out.
func (s *Session) Init(device string, format wire.Format, saved Saved, seed uint64) {
	*s = Session{device: device, format: format, random: seed,
		base: firstBase, most: firstMost, beat: firstBeat, window: 1,
		ackAt: never, flags: waiting}
	if sid, ok := parseSID(saved.SID); ok {
		s.sid = sid
		s.flags |= hasSID
	}
	if validEpoch(saved.Epoch) && saved.Seq <= wire.MaxSeq {
		s.epochLen = uint8(copy(s.epoch[:], saved.Epoch))
		s.seq, s.done = saved.Seq, saved.Seq
	}
}

// Saved returns what to keep over restarts, now.
func (s *Session) Saved() Saved {
	v := Saved{Epoch: string(s.epoch[:s.epochLen]), Seq: s.done}
	if s.is(hasSID) {
		v.SID = string(appendSID(nil, s.sid))
	}
	return v
}

// Device returns the device's id.
func (s *Session) Device() string { return s.device }

// Format returns the form of the messages.
func (s *Session) Format() wire.Format { return s.format }

// Current returns the connection that had its welcome and is not over, or 0.
func (s *Session) Current() Conn { return s.current }

// Stopped reports that the device must not connect again by itself.
func (s *Session) Stopped() bool { return s.is(stopped) }

// Begin takes note that a connection is being dialed now, and returns its
// number. An earlier one without a welcome is left behind. The dial, the
// handshake and the welcome should be given some 10 s before OnDialFailed.
func (s *Session) Begin() Conn {
	s.last++
	if s.last == 0 {
		s.last++
	}
	s.next = s.last
	s.flags &^= waiting | putOff
	if s.others != nil {
		s.others.dialed, s.others.url = s.others.url, ""
	}
	return s.next
}

// Heard takes note of any sign of life on connection c, such as a pong or a
// part of a message. OnMessage does so itself.
func (s *Session) Heard(c Conn, now time.Duration) {
	if c == s.current {
		s.heard = now
	}
}

// Handled takes note that the application has handled the message that was
// delivered: from now on it is acknowledged, whatever became of its connection.
// The node may have spoken meanwhile, unread.
func (s *Session) Handled(now time.Duration) {
	if s.is(counting) {
		s.count(now)
	}
	s.flags &^= handling | counting
	s.heard = now
}

// count is done with the next kept message.
func (s *Session) count(now time.Duration) {
	s.seq++
	s.done = max(s.done, s.seq)
	s.acknowledge(now)
}

// ackDelay is how long an acknowledgement may wait for others (rule 4).
const ackDelay = 200 * time.Millisecond

// acknowledge makes an acknowledgement due: after ackDelay, or at once when
// half of the window waits for it.
func (s *Session) acknowledge(now time.Duration) {
	if s.seq-s.acked >= uint64(max(s.window/2, 1)) {
		s.ackAt = min(s.ackAt, now)
		return
	}
	s.ackAt = min(s.ackAt, now+ackDelay)
}

func (s *Session) is(f flags) bool { return s.flags&f != 0 }

// rand returns the next random number (SplitMix64: 8 bytes of state).
func (s *Session) rand() uint64 {
	s.random += 0x9e3779b97f4a7c15
	z := s.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
