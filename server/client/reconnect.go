package client

import (
	"strings"
	"time"
)

// OnClosed takes the node's close frame on connection c, with its code (1005
// if there was none) and reason. An answer to our own close is none of it.
func (s *Session) OnClosed(c Conn, now time.Duration, code uint16, reason string) Next {
	if !s.over(c) {
		return Next{}
	}
	class := classOf(code)
	if class == classStop {
		s.current, s.next, s.flags = 0, 0, s.flags&^waiting|stopped
		return Next{Do: Stop, Err: &StopError{Code: code, Reason: reason}}
	}
	dialed := s.leave(c, now)
	switch {
	case class == classBack && s.next != 0:
		s.ended(1) // its successor is at the node already, which is why it was closed
		return Next{}
	case class == classBack:
		return s.plan(now, s.guard(), false)
	case class == classLost && !dialed:
		return s.plan(now, s.slot()+s.guard(), false)
	case dialed:
		return s.failed(now)
	}
	return s.plan(now, s.backoff(), true)
}

// OnLost takes the end of connection c without a close frame.
func (s *Session) OnLost(c Conn, now time.Duration) Next {
	if !s.over(c) {
		return Next{}
	}
	if s.leave(c, now) {
		return s.failed(now)
	}
	return s.plan(now, s.slot()+s.guard(), false)
}

// OnDialFailed takes that connection c came to nothing: nobody answered, or there was no
// welcome in time, or it was refused and Retry-After said how long (0: it did not).
func (s *Session) OnDialFailed(c Conn, now, retryAfter time.Duration) Next {
	if c == 0 || c != s.next || s.is(stopped) {
		return Next{}
	}
	s.leave(c, now)
	if retryAfter <= 0 {
		return s.plan(now, s.backoff(), true)
	}
	return s.planAfter(now, retryAfter)
}

// failed sets the time of the next dial after one that had no welcome.
func (s *Session) failed(now time.Duration) Next {
	if s.is(putOff) && s.dialAt > now {
		return s.planAfter(now, s.dialAt-now)
	}
	return s.plan(now, s.backoff(), true)
}

// planAfter sets the time of the next dial after a refusal that has said how long.
func (s *Session) planAfter(now, retryAfter time.Duration) Next {
	// A random part on top, as all that were refused together may have the same time, but no longer than that
	// or the first backoff: it may be a slot of our own, which nobody has who comes much later.
	retryAfter = min(retryAfter, ms(mostWait))
	return s.plan(now, retryAfter+s.backoffWithin(0, max(retryAfter, ms(s.base))), true)
}

// OnDialRefused takes that connection c was refused, by a machine where nobody listens or by whoever
// stands before the nodes (502, 503, 504), and nobody said how long: not our own network is down but
// those whom it leads to. Then everybody comes at once when they are back, and not the devices of
// one node alone (rule 6). A node that it was sent to and that is not there says nothing of the others,
// and one refusal says little: whoever stands before the nodes may have found busy ones slow for a moment
// (bench/results/chaos-2026-11-28: a tenth of the devices of one dead node came back over wide). Two thirds of it are
// what TestPureStorms bears both ways: all devices at once, and few that are to be back within 10 s.
func (s *Session) OnDialRefused(c Conn, now time.Duration) Next {
	if c == 0 || c != s.next || s.is(stopped) {
		return Next{}
	}
	all := s.wide != 0 && s.current == 0 && (s.others == nil || s.others.dialed == "")
	s.leave(c, now)
	switch {
	case !all:
		return s.plan(now, s.backoff(), true)
	case s.failures == 0: // it may be that they are only not seen
		return s.plan(now, s.backoffWithin(ms(s.wide)*2/3, never), true)
	}
	wait := s.jitter(s.failures-1, ms(s.wide), never) // the refusal that came first only told it
	s.countFailure()
	return s.plan(now, wait, true)
}

// over reports whether the end of c means anything: not of a connection that
// was replaced or given up.
func (s *Session) over(c Conn) bool {
	return c != 0 && (c == s.current || c == s.next) && !s.is(stopped)
}

// leave forgets connection c; dialed says that it never had a welcome.
func (s *Session) leave(c Conn, now time.Duration) (dialed bool) {
	if c == s.next {
		s.next = 0
		s.others.gaveUp()
		return true
	}
	s.settle(now)
	s.current, s.ackAt = 0, never
	return false
}

// drop gives a connection up because of what the node said.
func (s *Session) drop(c Conn, now time.Duration, why error) Event {
	s.leave(c, now)
	next := s.plan(now, s.backoff(), true)
	next.Drop, next.Err = c, why
	return Event{Kind: Dropped, Next: next}
}

// plan sets the time of the next dial, wait from now. A dial that is under way
// decides by itself. One that is planned already, such as the slot of an away,
// keeps its time, but a failure can put it off.
func (s *Session) plan(now, wait time.Duration, failure bool) Next {
	if s.next != 0 {
		return Next{}
	}
	at := now + wait
	if s.is(waiting) && (!failure || s.dialAt > at) {
		at = max(s.dialAt, now)
	}
	s.flags |= waiting
	s.dialAt = at
	return Next{Do: Reconnect, After: at - now, URL: s.target()}
}

func (s *Session) target() string {
	if s.others == nil {
		return ""
	}
	return s.others.url
}

// others is what a session knows of nodes that it was sent to.
type others struct {
	url    string // where the next dial goes; empty: where it would go anyway
	dialed string // where the one under way goes; empty likewise
	failed string // host:port of the last one that could not be reached
}

// gaveUp takes note that the dial under way has failed.
func (o *others) gaveUp() {
	if o == nil || o.dialed == "" {
		return
	}
	_, rest, _ := strings.Cut(o.dialed, "://")
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	o.failed, o.dialed = rest, ""
}

// provenAfter is how old a connection must be for failures to be forgotten.
const provenAfter = 10 * time.Second

// settle forgets the failures if the current connection is a good one (rule 7).
func (s *Session) settle(now time.Duration) {
	if s.current != 0 && s.is(answered) && now-s.opened >= provenAfter {
		s.failures, s.ends = 0, 0
	}
}

// backoff returns a random wait and counts a failure (rule 6).
func (s *Session) backoff() time.Duration { return s.backoffWithin(0, never) }

// backoffWithin is backoff over least to most.
func (s *Session) backoffWithin(least, most time.Duration) time.Duration {
	d := s.jitter(s.failures, least, most)
	s.countFailure()
	return d
}

func (s *Session) countFailure() {
	if s.failures < 255 {
		s.failures++
	}
}

const (
	// freeEnds is how many connections in a row may end before they are good ones
	// without a wait on top of what the rules say.
	freeEnds = 2
	// oneEnd is how much an end counts. One that was replaced as a node said counts 1: at each connect, and each time that
	// Redis has lost the device's stream, it may be sent on once or twice, and the third time within some seconds must
	// not cost it a backoff (8.8 s: bench/results/chaos-2026-11-28, redis-flush).
	oneEnd = 3
)

// guard is extra for a connection that has just ended.
func (s *Session) guard() time.Duration {
	d := s.extra()
	s.ended(oneEnd)
	return d
}

func (s *Session) ended(by uint8) { s.ends += min(by, 255-s.ends) }

// extra returns what to wait beside the rule's time: nothing, unless connection
// after connection ends before it is a good one. A node that welcomes and hangs
// up would be hammered otherwise.
func (s *Session) extra() time.Duration {
	if s.ends < freeEnds*oneEnd {
		return 0
	}
	return s.jitter(s.ends/oneEnd-freeEnds, 0, never)
}

// jitter returns a random time from 0 to what rule 6 says after n failures, but to least at least and to
// most at most.
func (s *Session) jitter(n uint8, least, most time.Duration) time.Duration {
	limit := uint64(s.most)
	if n < 32 {
		limit = min(limit, uint64(s.base)<<n)
	}
	limit = min(max(limit, uint64(least/time.Millisecond)), uint64(most/time.Millisecond))
	return time.Duration(s.rand() % (uint64(ms(uint32(limit))) + 1))
}

// slot returns when this device comes back after a cut that many share
// (rule 5): its own place within spread.
func (s *Session) slot() time.Duration {
	if s.spread == 0 {
		return 0
	}
	return ms(hash(s.device) % s.spread)
}

// hash is FNV-1a with 32 bits.
func hash(id string) uint32 {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return h
}

// class is what a close code wants of a client.
type class uint8

const (
	classBackoff class = iota
	classBack          // come back at once
	classLost          // nobody meant anything: like a cut
	classStop          // do not come back
)

// classOf reads the hundreds of a code. Codes of RFC 6455 that say that we broke
// a rule back off: a mended client is not known by its silence. The node never
// sends the others, so a proxy has cut the connection.
func classOf(code uint16) class {
	switch {
	case 4000 <= code && code < 4100:
		return classBack
	case 4200 <= code && code < 4400:
		return classStop
	}
	switch code {
	case 1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014:
		return classLost
	}
	return classBackoff
}
