package fanout

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Memory is a Bus within one process, for tests and demonstrations.
type Memory struct {
	// Static after Bus.
	o       Options
	hub     *Hub
	in      *intake
	notices *notices

	sent   atomic.Uint64
	failed atomic.Uint64

	mu     sync.Mutex // taken with the hub's lock held
	topics topics
	known  bool // whether up has ever been told
	up     bool
	since  time.Time
	reason string
	again  uint64
	closed bool
}

var _ Bus = (*Memory)(nil)

// Bus attaches a node to the hub.
func (h *Hub) Bus(o Options) (*Memory, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Memory{o: o, hub: h, notices: newNotices(), topics: topics{max: o.MaxTopics, count: map[string]int{}}}
	m.in = newIntake(&m.o, rand.Uint64()|1, func(uint64) {}, m.tellTwin)
	h.attach(m)
	return m, nil
}

func (m *Memory) tellTwin(instance uint64) {
	if m.o.Hooks.Twin != nil {
		m.notices.try(func() { m.o.Hooks.Twin(instance) })
	}
}

// setUp notes whether the hub is there, and tells it.
func (m *Memory) setUp(up bool, reason string) {
	all := Scope{Inbox: true, All: true, Topics: true}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known && m.up == up || m.closed {
		return
	}
	if up && m.known {
		m.again++
	}
	was, again := m.known, m.again
	m.known, m.up, m.since, m.reason = true, up, time.Now(), ""
	switch {
	case up && m.o.Hooks.Up != nil:
		m.notices.try(func() { m.o.Hooks.Up(all, again) })
	case !up:
		m.reason = reason
		if was && m.o.Hooks.Down != nil {
			m.notices.try(func() { m.o.Hooks.Down(all, ErrDown) })
		}
	}
}

// listens reports whether a channel's messages are for this node.
func (m *Memory) listens(to Channel) bool {
	switch to.kind {
	case toNode:
		return to.name == m.o.Node
	case toTopic:
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.topics.count[to.name] > 0
	}
	return true
}

// Post implements Bus.
func (m *Memory) Post(to Channel, e *Envelope, done func(receivers int, err error)) {
	n, err := m.post(to, e)
	if err != nil {
		m.failed.Add(1)
	} else {
		m.sent.Add(1)
	}
	if done != nil {
		done(n, err)
	}
}

func (m *Memory) post(to Channel, e *Envelope) (int, error) {
	if err := to.check(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return 0, ErrClosed
	}
	c := *e
	c.Origin = m.in.origin
	b, err := c.Append(nil)
	if err != nil {
		return 0, err
	}
	return m.hub.send(m, to, e.Kind, string(b))
}

// Join implements Bus.
func (m *Memory) Join(topic string, joined func(error)) {
	m.mu.Lock()
	var err error
	switch {
	case m.closed:
		err = ErrClosed
	default:
		if _, err = m.topics.join(topic); err == nil && !m.up {
			err = ErrDown
		}
	}
	m.mu.Unlock()
	if joined != nil {
		joined(err)
	}
}

// Leave implements Bus.
func (m *Memory) Leave(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.topics.leave(topic)
}

// State implements Bus.
func (m *Memory) State() State {
	m.hub.mu.Lock()
	listeners := 0
	for _, other := range m.hub.buses {
		if other.o.Node == m.o.Node {
			listeners++
		}
	}
	m.hub.mu.Unlock()
	m.mu.Lock()
	s := State{Up: m.up, Since: m.since, Reason: m.reason, Resubscribed: m.again, Topics: len(m.topics.count), Listeners: listeners}
	m.mu.Unlock()
	s.Sent, s.Failed = m.sent.Load(), m.failed.Load()
	m.in.state(&s)
	return s
}

// Close implements Bus.
func (m *Memory) Close() {
	m.mu.Lock()
	was := m.closed
	m.closed, m.up, m.reason = true, false, "closed"
	m.mu.Unlock()
	if was {
		return
	}
	m.hub.detach(m)
	m.in.close()
	m.notices.close()
}
