package workerpool

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
)

// queue is how many messages may wait for a member that does not listen. The
// largest burst is that of 4 million refusals, in 40 messages.
const queue = 64

// Member is one worker.
type Member struct {
	// Static after joining.
	Index  int // in Pool.Members; the worker's number
	Hello  *link.Hello
	Where  string // for people: process 1234, 10.0.0.7:41234
	Remote bool   // on another machine, or not known to be on this one
	// Offset is how its clock differed when it joined. Afterwards it belongs to
	// who takes the events.
	Offset link.Offset

	link   link.Link
	out    chan *link.Message
	silent chan struct{} // closed when it says no more
	// kill ends it at once; nil where closing the link does. gone is closed when
	// it has ended, and then exit says how; nil for remote workers.
	kill func()
	gone <-chan struct{}
	exit func() string
}

// Event is something that a member has said, or Err: it is gone. At is the
// coordinator's clock.
type Event struct {
	Member  *Member
	At      int64
	Message *link.Message
	Err     error
}

// errDeaf is of a member that does not take what it is told.
var errDeaf = errors.New("it does not listen: too much waits to be sent to it")

// Tell queues a message for the member; what it cannot take ends it.
func (m *Member) Tell(msg *link.Message) error {
	select {
	case m.out <- msg:
		return nil
	default:
		return errDeaf
	}
}

// Kill ends the member at once.
func (m *Member) Kill() {
	_ = m.link.Close() // whatever it says, it is closed
	if m.kill != nil {
		m.kill()
	}
}

// end returns how the member's process ended, or the error of its link where
// there is no process or it has not ended.
func (m *Member) end(err error) error {
	if m.gone == nil {
		return err
	}
	select {
	case <-m.gone:
		return fmt.Errorf("it ended: %s", m.exit())
	case <-time.After(time.Second):
		return err
	}
}

// Pool is the workers of a run.
type Pool struct {
	Members []*Member
	// Events are what they say, in order for each. Whoever has a pool must take
	// them until Close.
	Events chan Event

	clock  *clock.Clock
	closed chan struct{}
	once   sync.Once
	wait   sync.WaitGroup
}

// newPool returns a pool of members that have said hello, and begins to hear
// them.
func newPool(members []*Member, c *clock.Clock) *Pool {
	pool := &Pool{Members: members, Events: make(chan Event, 256), clock: c, closed: make(chan struct{})}
	for i, m := range members {
		m.Index, m.out, m.silent = i, make(chan *link.Message, queue), make(chan struct{})
		pool.wait.Go(func() { pool.hear(m) })
		pool.wait.Go(func() { pool.tell(m) })
	}
	return pool
}

func (c *Pool) hear(m *Member) {
	defer close(m.silent)
	for {
		msg, err := m.link.Receive()
		if err != nil {
			c.post(Event{Member: m, At: c.clock.Now(), Err: m.end(err)})
			return
		}
		if !c.post(Event{Member: m, At: c.clock.Now(), Message: msg}) {
			return
		}
	}
}

func (c *Pool) post(e Event) bool {
	select {
	case c.Events <- e:
		return true
	case <-c.closed:
		return false
	}
}

func (c *Pool) tell(m *Member) {
	for {
		select {
		case msg := <-m.out:
			if err := m.link.Send(msg); err != nil {
				_ = m.link.Close() // the reader says so
				return
			}
			if msg.Done != nil {
				return
			}
		case <-c.closed:
			return
		}
	}
}

// endTimeout is how long members have to end in order: closing 100,000
// connections takes less than a second.
const endTimeout = 5 * time.Second

// Close ends all members: in order, and those that do not after endTimeout at
// once. It returns when no process and no goroutine is left.
func (c *Pool) Close() {
	c.once.Do(func() {
		for _, m := range c.Members {
			if m.Tell(&link.Message{Done: &link.Done{}}) != nil {
				m.Kill()
			}
		}
		late := time.NewTimer(endTimeout)
		defer late.Stop()
		c.drain(late.C)
		close(c.closed)
		for _, m := range c.Members {
			m.Kill()
			if m.gone != nil {
				<-m.gone
			}
		}
		c.wait.Wait()
	})
}

// drain takes events until all members are silent and their processes have
// ended, or it is too late.
func (c *Pool) drain(late <-chan time.Time) {
	for _, m := range c.Members {
		for _, end := range []<-chan struct{}{m.silent, m.gone} {
			for ended := end == nil; !ended; {
				select {
				case <-c.Events:
				case <-end:
					ended = true
				case <-late:
					return
				}
			}
		}
	}
}
