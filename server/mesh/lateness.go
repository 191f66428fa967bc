package mesh

import (
	"math"
	"time"

	"roost/server/fanout"
)

// lateness says which envelopes come too late, though the clocks of their senders may be others than ours. An
// envelope says until when its sender waits, and for how long that was when it was sent; so it says when
// that was, by the sender's clock. The smallest difference to our clock that a sender's envelopes have had of late is taken for the
// difference of the clocks: a bus takes a millisecond, most of the time.
//
// Of a sender that was never heard before the clocks are taken for equal: if they are not, its first
// message may be dropped, no more. After a clock has jumped forward, what comes within clockTurn to twice
// that is dropped.
type lateness struct {
	by map[string]*senderClock
}

// senderClock is what is known of one sender's clock: differences in ms, the smallest ones of this
// turn and the one before.
type senderClock struct {
	young, old int64
	began      time.Time
}

const (
	clockTurn = 5 * time.Second
	unknown   = math.MaxInt64
	// maxSenders bounds who is remembered.
	maxSenders = 1024
)

// budget is how long the sender waited when it sent, in ms; 0 is not said.
func budget(e *fanout.Envelope) int64 {
	if e.Kind == fanout.KindNotice || e.Kind == fanout.KindForward {
		return int64(e.Wait) + answerSlack.Milliseconds()
	}
	return int64(e.Wait)
}

// late reports an envelope whose sender waits no more.
func (l *lateness) late(e *fanout.Envelope, now time.Time) bool {
	if e.Deadline == 0 {
		return false
	}
	if e.Wait == 0 {
		return now.UnixMilli() > e.Deadline
	}
	c := l.by[string(e.Origin)]
	if c == nil {
		if l.by == nil || len(l.by) >= maxSenders {
			l.by = map[string]*senderClock{}
		}
		c = &senderClock{unknown, unknown, now}
		l.by[string(e.Origin)] = c
	}
	most := budget(e)
	return c.age(now.UnixMilli()-(e.Deadline-most), now) > most
}

// age is how old an envelope is that seems to be, by our clock.
func (c *senderClock) age(seems int64, now time.Time) int64 {
	if now.Sub(c.began) >= clockTurn && c.young != unknown {
		c.old, c.young, c.began = c.young, unknown, now
	}
	between := min(c.young, c.old)
	c.young = min(c.young, seems)
	if between == unknown {
		return seems
	}
	return seems - min(between, seems)
}
