package mesh

import (
	"errors"
	"sync"

	"roost/server/fanout"
)

// topics are those that this node listens to, with a count of who wants it.
type topics struct {
	mu     sync.Mutex     // covers the following
	joined map[string]int // bounded by what the bus takes
}

// Join has the node hear what is sent to a topic, for its first subscriber; joins are counted. It does not
// wait: joined, which may be nil, is called once, from any goroutine, when messages of the topic arrive, or when it is
// known that they cannot yet, or ever. What was stored for the topic before the node listened is looked
// for by Local.Spread then.
func (m *Mesh) Join(topic string, joined func()) {
	m.topics.mu.Lock()
	m.topics.joined[topic]++
	first := m.topics.joined[topic] == 1
	m.topics.mu.Unlock()
	m.bus.Join(topic, func(err error) {
		switch {
		case err == nil && first:
			m.o.Local.Spread(topic)
		case errors.Is(err, fanout.ErrTopics):
			m.n.deaf.Add(1)
			m.forget(topic)
			m.o.Log.Error("this node cannot listen to a further topic: its subscribers here miss what other nodes send", "topic", topic, "err", err)
		} // else it is listened to later, which sweeps, or it is over
		if joined != nil {
			joined()
		}
	})
}

// Leave takes back one Join.
func (m *Mesh) Leave(topic string) {
	m.forget(topic)
	m.bus.Leave(topic)
}

// forget counts one less.
func (m *Mesh) forget(topic string) {
	m.topics.mu.Lock()
	defer m.topics.mu.Unlock()
	if n := m.topics.joined[topic]; n > 1 {
		m.topics.joined[topic] = n - 1
	} else {
		delete(m.topics.joined, topic)
	}
}

// channel is where what is for a topic, or for all, is sent.
func channel(topic string) fanout.Channel {
	if topic == "" {
		return fanout.ToAll()
	}
	return fanout.ToTopic(topic)
}
