package fanout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Bounds of one pipeline.
const (
	maxCommands      = 512
	maxCommandsBytes = 1 << 20
	// maxWaitingMessages bounds what waits by number.
	maxWaitingMessages = 262_144
	// keepLanes is how many lanes without work stay for the next message.
	keepLanes = 256
)

// sender takes messages for all lanes and sends each lane's in order.
type sender struct {
	// Static after newSender.
	r *Redis

	sent    atomic.Uint64
	failed  atomic.Uint64
	running sync.WaitGroup // lanes at work

	mu      sync.Mutex       // covers the following
	lanes   map[string]*lane // by group
	waiting int              // bytes of all lanes, until their replies are there
	count   int              // messages, likewise
	closed  bool
}

// lane is what goes to one server, in order.
type lane struct {
	// Guarded by sender.mu.
	waiting load
	running bool

	// Owned by the goroutine that runs, and by nobody while none does.
	sending  load
	commands []rueidis.Completed
}

// load is encoded messages one behind the other.
type load struct {
	bytes []byte
	items []item
}

// item is one message of a load.
type item struct {
	channel string
	end     int // of its bytes
	posted  time.Time
	done    func(int, error)
}

func newSender(r *Redis) *sender { return &sender{r: r, lanes: map[string]*lane{}} }

// refuse answers a message that is not sent.
func (s *sender) refuse(done func(int, error), err error) {
	s.failed.Add(1)
	if done != nil {
		done(0, err)
	}
}

// post queues a message for its lane.
func (s *sender) post(group, channel string, e *Envelope, done func(int, error)) {
	c := *e
	c.Origin = s.r.in.origin
	s.mu.Lock()
	err := s.add(group, channel, &c, done)
	s.mu.Unlock()
	if err != nil {
		s.refuse(done, err)
	}
}

// add puts a message behind what waits. s.mu must be held.
func (s *sender) add(group, channel string, e *Envelope, done func(int, error)) (err error) {
	switch {
	case s.closed:
		return ErrClosed
	case s.waiting >= s.r.o.MaxWaiting || s.count >= maxWaitingMessages:
		return fmt.Errorf("%w: %d bytes in %d messages", ErrBusy, s.waiting, s.count)
	}
	l := s.lanes[group]
	if l == nil {
		l = &lane{}
		s.lanes[group] = l
	}
	w, before := &l.waiting, len(l.waiting.bytes)
	if w.bytes, err = e.Append(w.bytes); err != nil {
		return err
	}
	w.items = append(w.items, item{channel, len(w.bytes), time.Now(), done})
	s.waiting += len(w.bytes) - before
	s.count++
	if !l.running {
		l.running = true
		s.running.Add(1)
		go s.run(group, l)
	}
	return nil
}

// run sends what waits in a lane until nothing does.
func (s *sender) run(group string, l *lane) {
	defer s.running.Done()
	for {
		s.mu.Lock()
		if len(l.waiting.items) == 0 {
			l.running = false
			if len(s.lanes) > keepLanes {
				delete(s.lanes, group)
			}
			s.mu.Unlock()
			return
		}
		l.sending, l.waiting = l.waiting, l.sending
		s.mu.Unlock()
		reusable := s.send(l)
		n := len(l.sending.bytes)
		s.mu.Lock()
		s.waiting -= n
		s.count -= len(l.sending.items)
		s.mu.Unlock()
		clear(l.sending.items)
		l.sending.items, l.sending.bytes = l.sending.items[:0], l.sending.bytes[:0]
		if !reusable || cap(l.sending.bytes) > maxCommandsBytes {
			l.sending.bytes = nil
		}
		if cap(l.sending.items) > 8*maxCommands {
			l.sending.items = nil
		}
	}
}

// send sends a lane's load in pipelines, and answers every message. It returns whether the bytes may be
// used again: after a failure the library may still hold a pipeline that refers to
// them.
func (s *sender) send(l *lane) (reusable bool) {
	reusable = true
	items, begin := l.sending.items, 0
	for len(items) > 0 {
		n, size := 0, 0
		for n < len(items) && n < maxCommands && (n == 0 || size < maxCommandsBytes) {
			size = items[n].end - begin
			n++
		}
		if !s.pipeline(l, items[:n], begin) {
			reusable = false
		}
		begin, items = items[n-1].end, items[n:]
	}
	return reusable
}

// pipeline sends some messages, whose bytes begin at begin, and waits for the replies.
func (s *sender) pipeline(l *lane, items []item, begin int) (reusable bool) {
	k := s.r.link.Load()
	l.commands = l.commands[:0]
	deadline := items[0].posted.Add(s.r.o.Timeout)
	if left := time.Until(deadline); left <= 0 || s.r.ctx.Err() != nil {
		err := error(ErrTimeout)
		if s.r.ctx.Err() != nil {
			err = ErrClosed
		}
		for _, it := range items {
			s.refuse(it.done, err)
		}
		return true
	}
	for _, it := range items {
		m := rueidis.BinaryString(l.sending.bytes[begin:it.end])
		begin = it.end
		if k.cluster {
			l.commands = append(l.commands, k.client.B().Spublish().Channel(it.channel).Message(m).Build())
		} else {
			l.commands = append(l.commands, k.client.B().Publish().Channel(it.channel).Message(m).Build())
		}
	}
	ctx, cancel := context.WithDeadline(s.r.ctx, deadline)
	defer cancel()
	results := k.client.DoMulti(ctx, l.commands...)
	reusable = true
	for i, res := range results {
		n, err := res.AsInt64()
		if err == nil {
			s.sent.Add(1)
			if items[i].done != nil {
				items[i].done(int(n), nil)
			}
			continue
		}
		if res.NonRedisError() != nil {
			reusable = false
		}
		s.refuse(items[i].done, s.reason(err))
	}
	if !reusable {
		l.commands = nil
	}
	return reusable
}

// reason words an error of the library.
func (s *sender) reason(err error) error {
	var dial *net.OpError
	redis, isRedis := rueidis.IsRedisErr(err)
	switch {
	case s.r.ctx.Err() != nil:
		return ErrClosed
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.As(err, &dial) && dial.Op == "dial", isRedis && (redis.IsClusterDown() || redis.IsLoading()):
		return fmt.Errorf("%w: %v", ErrDown, err)
	}
	return fmt.Errorf("%w: %v", ErrFailed, err)
}

// state fills in what the sender counts.
func (s *sender) state(st *State) {
	st.Sent, st.Failed = s.sent.Load(), s.failed.Load()
	s.mu.Lock()
	st.Waiting = s.waiting
	s.mu.Unlock()
}

// close refuses everything from now on, and waits for what is under way; the bus's context
// is done by then.
func (s *sender) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
}
