package mesh

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"roost/server/cluster"
	"roost/server/fanout"
	"roost/server/inbox"
	"roost/server/presence"
)

// Rings says which rings are in force: *cluster.Router.
type Rings interface {
	// Load returns them; never nil.
	Load() *cluster.Active
}

// Members says who is there: *cluster.Watcher.
type Members interface {
	// View returns what is known; never nil.
	View() *cluster.View
}

// Where says where devices are: *presence.Keeper.
type Where interface {
	// Get answers in the order asked, for at most presence.MaxBatch devices. It may
	// wait for a server, until ctx is done.
	Get(ctx context.Context, devices ...string) ([]presence.Where, error)
}

// Status is what became of a message at a node. Its numbers travel between nodes: one
// is never used for something else.
type Status uint8

// The statuses.
const (
	StatusNone         Status = iota // no answer yet
	StatusWritten                    // the kernel took the whole frame
	StatusQueued                     // it waits for the device's window or socket; of a kept one: it will be sent
	StatusOffline                    // the device is not there; what is kept waits
	StatusAcknowledged               // the device has acknowledged it
	StatusRefused                    // larger than what may wait for the device
	StatusUnknown                    // no such device
	statuses
)

// String returns the status in the words of the API.
func (s Status) String() string {
	names := [...]string{"none", "written", "queued", "offline", "acknowledged", "refused", "unknown"}
	if s >= statuses {
		return "newer"
	}
	return names[s]
}

// Counts are what became of a message to many, at one node or added up.
type Counts struct {
	Nodes                    int // that have it: that answered, or without a wait that listened
	Silent                   int // that did not take it, or not answer in time
	Receivers                int // Written + Queued + Dropped
	Written, Queued, Dropped int
}

// Add adds up.
func (c *Counts) Add(o Counts) {
	c.Nodes += o.Nodes
	c.Silent += o.Silent
	c.Receivers += o.Receivers
	c.Written += o.Written
	c.Queued += o.Queued
	c.Dropped += o.Dropped
}

// Message is a live message or a latest value. What a Local is given is valid during the
// call; what it keeps it copies.
type Message struct {
	Class uint8 // in the server's words
	Raw   bool  // Payload is bytes, not JSON
	TTL   uint32
	// ID is the idempotency key that the device sees, Topic empty for a message that
	// has none. Each up to fanout.MaxName bytes; Payload up to fanout.MaxPayload.
	ID, Topic, Payload []byte
	// Trace is a W3C traceparent of 55 bytes; of any other length it is left out.
	Trace []byte
}

// Local is what a node does for others: the server. It is called from the bus's goroutines
// and must not block: what takes long it starts. Answers are called once, from any goroutine, at
// once or later; a nil one is not wanted.
type Local interface {
	// Live sends a message to a device that is connected here: StatusWritten,
	// StatusQueued, StatusRefused, or StatusOffline if it is not.
	Live(device []byte, m *Message, answer func(Status))
	// Cast sends a message to the devices that are connected here and subscribed to a
	// topic, or to all for "". latest has it replace the topic's value that waits. pace
	// is at most so many devices a second, 0 any number. done is told at the end; it may be nil.
	Cast(topic string, m *Message, latest bool, pace int, done func(Counts))
	// Noticed takes what another node has stored for a device. answer is called when the
	// device has acknowledged, or wait is over: with what is known by then. It is nil where nobody waits.
	Noticed(n *inbox.Notice, wait time.Duration, answer func(Status))
	// Spread says that a kept message to a topic, or to all for "", has been stored by
	// another node, or may have been.
	Spread(topic string)
	// Subscribed says that another node's API has put a device into a topic, or taken
	// it out.
	Subscribed(device []byte, topic string, on bool)
	// Control closes the device's connection with a code, if its session has that fence;
	// 0 means whichever.
	Control(device []byte, fence uint64, code uint16, reason string)
	// Sweep says that notices may have been lost: look at what is stored for every device that is
	// here, at a pace that the store can take: messages, subscriptions, whether it is elsewhere by now. topics says
	// that spreads may have been lost, too. Calls that come while one is under way are one more. It may be called before
	// New has returned.
	Sweep(topics bool)
}

// Options say who this node is, and with whom it speaks.
type Options struct {
	Self    string  // id of this node, as in the ring; required
	Rings   Rings   // required
	Members Members // required
	Where   Where   // required
	Local   Local   // required
	// Bus makes the bus; required. The options it is given have Node, Handlers and Hooks.
	Bus func(fanout.Options) (fanout.Bus, error)

	// Deadline is how long an answer to a live message is waited for, both hops together,
	// and presence, where the caller's context has no earlier one; default 2 s.
	Deadline time.Duration
	// Settle is how long after a change of rings it is not yet counted whether devices are where the
	// rings say; default 1 min: a fifth of cluster.TrialSettings.Hold, and 100 times
	// what 5 % of 100,000 devices take at 10,000 a second.
	Settle time.Duration
	Log    *slog.Logger // default slog.Default()
}

// Errors, grouped by when they occur. Those of the bus and of presence are theirs.
var (
	// ErrOptions: settings that cannot be.
	ErrOptions = errors.New("mesh: options refused")

	// ErrSilent: a node took the message and did not answer in time.
	ErrSilent = errors.New("mesh: a node did not answer")
)

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Self == "" || len(o.Self) > fanout.MaxName:
		return o, fmt.Errorf("%w: Self is the id of this node, 1 to %d bytes, and has %d", ErrOptions, fanout.MaxName, len(o.Self))
	case o.Rings == nil || o.Members == nil || o.Where == nil || o.Local == nil || o.Bus == nil:
		return o, fmt.Errorf("%w: Rings, Members, Where, Local and Bus are all required", ErrOptions)
	case o.Deadline < 0 || o.Settle < 0:
		return o, fmt.Errorf("%w: Deadline %v and Settle %v must not be negative", ErrOptions, o.Deadline, o.Settle)
	}
	if o.Deadline == 0 {
		o.Deadline = 2 * time.Second
	}
	if o.Settle == 0 {
		o.Settle = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, nil
}
