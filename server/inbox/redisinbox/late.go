package redisinbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"roost/server/inbox"
)

// What Redis has not answered within the deadline has failed for whoever asked, but its bytes may be read much later: by a
// Redis that stood still, out of a network that held them. A message that is stored late is one that is there nevertheless; an
// open, a removal, a subscription and a latest value would undo what was done since. Their scripts (script.bounded) are told
// until when somebody waits, by Redis' own clock, and do nothing afterwards (lua/late.lua).
//
//	until    what Redis' clock shows at least (redisClock) + what is left of the deadline
//	"late"   and the time: nothing was done. Where somebody still waits the clocks differ: once more, by that time
//
// So Redis' clock is known too low, never too high, and nothing is done late; but where that clock is set back, or a failover
// brings one that is behind, by so much and until it is asked again: within 10 s, within one where a question failed.

var errLate = errors.New("it came to Redis when nobody waited for it any more, and was not carried out")

// redisClock is what the clock of Redis shows.
type redisClock struct {
	read    atomic.Pointer[reading]
	doubted atomic.Bool // a question failed: it may be another server's now
}

// reading is one answer: at some time before at the clock showed ms.
type reading struct {
	at time.Time
	ms int64
}

// least returns what Redis' clock shows at least, in ms since 1970; ours, where it was never asked.
func (c *redisClock) least() int64 {
	r := c.read.Load()
	if r == nil {
		return time.Now().UnixMilli()
	}
	return r.ms + time.Since(r.at).Milliseconds()
}

// note takes what Redis said of its time, just now.
func (c *redisClock) note(t time.Time) { c.read.Store(&reading{time.Now(), t.UnixMilli()}) }

// ask asks for the time; where that fails, ours counts until it does not.
func (c *redisClock) ask(ctx context.Context, r rueidis.Client) {
	v, err := r.Do(ctx, r.B().Time().Build()).ToAny()
	if t, ok := parseTime(v); err == nil && ok {
		c.note(t)
	}
}

// parseTime reads what TIME answers.
func parseTime(v any) (t time.Time, ok bool) {
	list, _ := v.([]any)
	parts := texts(list)
	if len(parts) != 2 {
		return t, false
	}
	sec, err1 := strconv.ParseInt(parts[0], 10, 64)
	us, err2 := strconv.ParseInt(parts[1], 10, 64)
	return time.Unix(sec, us*1000), err1 == nil && err2 == nil
}

// lateReply reports whether a reply is that of a script that came too late, and what time it was.
func lateReply(v any) (t time.Time, ok bool) {
	list, _ := v.([]any)
	if len(list) != 3 || list[0] != "late" {
		return t, false
	}
	return parseTime(list[1:])
}

// punctual asks those calls again whose script came too late by the clock of its server, while somebody waits: that
// clock is not the one that was known. What is too late again has failed.
func (l *link) punctual(ctx context.Context, c rueidis.Client, calls []call, replies []reply, wait bool) {
	var again []call
	var which []int
	for i := range replies {
		if calls[i].script == nil || !calls[i].script.bounded || replies[i].err != nil {
			continue
		}
		t, late := lateReply(replies[i].v)
		if !late {
			continue
		}
		l.clock.doubted.Store(true)
		replies[i] = reply{err: fmt.Errorf("%w: %w", inbox.ErrFailed, errLate)}
		if end, _ := ctx.Deadline(); time.Until(end) > 0 {
			k := calls[i]
			k.until = t.UnixMilli() + time.Until(end).Milliseconds()
			again, which = append(again, k), append(which, i)
		}
	}
	if len(again) == 0 {
		return
	}
	for k, r := range l.once(ctx, c, again, wait) {
		if _, late := lateReply(r.v); !late {
			replies[which[k]] = r
		}
	}
}
