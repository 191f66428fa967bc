package fanout

import (
	"errors"
	"fmt"
	"time"
)

// Errors of buses, grouped by when they occur.
var (
	// ErrClosed: the bus was closed.
	ErrClosed = errors.New("fanout: the bus is closed")
	// ErrBusy: as much waits to be sent as may. Nothing was sent.
	ErrBusy = errors.New("fanout: too much waits to be sent")
	// ErrDown: there is no connection. Nothing was sent, or nobody has it.
	ErrDown = errors.New("fanout: the bus is down")
	// ErrTimeout: no answer within the deadline. Whether it was sent is not known.
	ErrTimeout = errors.New("fanout: the bus did not answer in time")
	// ErrFailed: the connection broke, or Redis refused. Whether it was sent is not
	// known after the former.
	ErrFailed = errors.New("fanout: sending failed")
	// ErrTopics: the node listens to as many topics as it may, or the name is empty or
	// longer than MaxName.
	ErrTopics = errors.New("fanout: too many topics, or not the name of one")
)

// Bus sends envelopes to other nodes and hands those for this node to its handlers. What it
// promises is in the documentation of the package. Every method may be called from any
// goroutine, but Close not from handlers, hooks and done functions.
type Bus interface {
	// Post sends an envelope. It is encoded before Post returns and not referred to
	// afterwards; Origin is filled in. done, which may be nil, is called once, from any
	// goroutine and perhaps before Post returns, with the number of nodes that took the
	// message, as far as the bus knows, or with an error. It must not block.
	//
	// What a node sends to a topic or to all does not come back to it.
	Post(to Channel, e *Envelope, done func(receivers int, err error))
	// Join listens to a topic, once more: topics are counted. joined, which may be
	// nil, is called once: with nil as soon as messages arrive, or with ErrDown when that
	// must wait for a connection (it will be listened to then), with ErrTopics
	// or ErrClosed when it will not be. It must not block.
	Join(topic string, joined func(error))
	// Leave takes back one Join. At the last one the node stops listening.
	Leave(topic string)
	// State says how the bus is.
	State() State
	// Close stops listening and sending. What waits to be sent fails with ErrClosed. It
	// returns when no handler, hook or done function runs any more, which takes
	// as long as they do.
	Close()
}

// Channel is where an envelope goes: a node, a topic or all nodes. The zero one is all.
type Channel struct {
	kind channelKind
	name string
}

type channelKind uint8

const (
	toAll channelKind = iota
	toNode
	toTopic
)

// ToNode is the channel of one node, by its id.
func ToNode(id string) Channel { return Channel{toNode, id} }

// ToTopic is the channel of those nodes that have joined a topic.
func ToTopic(name string) Channel { return Channel{toTopic, name} }

// ToAll is the channel of all nodes.
func ToAll() Channel { return Channel{} }

// String names the channel for logs: "node n1", "topic fw/eu", "all".
func (c Channel) String() string {
	return [...]string{"all", "node " + c.name, "topic " + c.name}[c.kind]
}

// check refuses names that are empty or too long.
func (c Channel) check() error {
	if c.kind != toAll && (c.name == "" || len(c.name) > MaxName) {
		return fmt.Errorf("%w: %s has a name of %d bytes, 1 to %d may be", ErrTooLarge, c, len(c.name), MaxName)
	}
	return nil
}

// Handlers take what arrives, each from a goroutine of its own: one that is slow holds up
// its own messages only. A batch is in order of arrival, has 1 to 128 envelopes, and is the bus's again when
// the handler returns: what is kept must be copied. nil drops the messages.
type Handlers struct {
	Inbox   func(batch []Envelope) // for this node
	Replies func(batch []Envelope) // KindResult for this node: not held up by Inbox
	All     func(batch []Envelope) // for all nodes
	Topics  func(batch []Envelope) // for topics that were joined: Envelope.Channel, if its sender set it
}

// Queue is what waits for one handler.
type Queue uint8

// Queues, in the order of Handlers.
const (
	QueueInbox Queue = iota
	QueueReplies
	QueueAll
	QueueTopics
	queues
)

// String names a queue for metrics.
func (q Queue) String() string { return [...]string{"inbox", "replies", "all", "topics"}[q] }

// Scope is which channels an event is about.
type Scope struct {
	Inbox  bool // the node's own
	All    bool
	Topics bool // some of them; in a Cluster a sixteenth
}

// Hooks are told what happens. Up, Down and Twin are called one after the other from a goroutine of the
// bus, Dropped from that of its queue; both wait for them, so they only start what takes
// long. nil ones are left out.
type Hooks struct {
	// Up: these channels are listened to, again if n > 0, which counts. What was
	// sent to them before may be lost: look at what is stored.
	Up func(s Scope, n uint64)
	// Down: these channels are not listened to any more, and why.
	Down func(s Scope, err error)
	// Dropped: so many messages were not queued, because their handler was too slow. It is
	// called once the handler is back, before it is given more.
	Dropped func(q Queue, n int)
	// Twin: another process listens as this node. Both are told, and again each
	// 10 s while it lasts. One of them has to go.
	Twin func(instance uint64)
}

// Options are what every bus needs. A zero field means its default.
type Options struct {
	Node     string // id of this node, 1 to MaxName bytes; required
	Handlers Handlers
	Hooks    Hooks

	// QueueLength and QueueBytes bound what waits for each handler; default 16,384
	// messages and 32 MiB.
	QueueLength int
	QueueBytes  int
	// MaxTopics is how many topics may be joined at once; default 100,000.
	MaxTopics int
}

func (o Options) withDefaults() (Options, error) {
	if o.Node == "" || len(o.Node) > MaxName {
		return o, fmt.Errorf("fanout: the id of the node has %d bytes, 1 to %d may be", len(o.Node), MaxName)
	}
	or := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	or(&o.QueueLength, 16_384)
	or(&o.QueueBytes, 32<<20)
	or(&o.MaxTopics, 100_000)
	return o, nil
}

// State is how a bus is, at one moment.
type State struct {
	Up           bool          // every channel that should be is listened to
	Since        time.Time     // of Up being what it is
	Reason       string        // why it is not up; empty if it is
	Resubscribed uint64        // times that channels were listened to again
	RoundTrip    time.Duration // of the last probe to the own channel; 0 before the first
	Listeners    int           // on the node's own channel, by the last probe; more than 1 is a twin, or a dead connection that Redis has not noticed
	Topics       int           // joined

	Sent     uint64         // messages that the bus took
	Failed   uint64         // messages that were answered with an error
	Received [queues]uint64 // queued, by queue
	Dropped  [queues]uint64 // not queued, by queue
	Invalid  uint64         // arrived and not an envelope that can be read
	Unknown  uint64         // arrived and of a kind that this version does not know
	Waiting  int            // bytes that wait to be sent
}
