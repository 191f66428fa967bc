package redisinbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"roost/server/inbox"
)

// Options say where Redis is and how the store works. A zero field means its default.
type Options struct {
	// Addrs are host:port of Redis, of some nodes of a Redis Cluster, or with Master
	// of Sentinels. Required.
	Addrs []string
	// Master is the name that Sentinels know the master by; empty: no Sentinels.
	Master             string
	Username, Password string
	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername, SentinelPassword string
	TLS                                *tls.Config // nil: plain TCP
	// Dial makes connections in place of the library, which gives it address, timeouts and
	// TLS; nil: the library does.
	Dial func(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error)
	// Prefix is put in front of every key: two clusters of roost on one Redis.
	Prefix string

	// Limits: Messages, Bytes, Devices, Topics and KeepUnknown count for the whole
	// cluster; Total and Keys are not used (set maxmemory, policy noeviction; a
	// device has 10,000 keys in ten minutes), Latest is of this node's cache.
	Limits inbox.Limits

	// Now is the clock, for tests. Default: that of Redis, which all nodes share, to
	// within a round trip.
	Now func() time.Time

	// Deadline bounds every question to Redis; default 2 s. What was not answered by
	// then has failed for whoever asked, whatever became of it.
	Deadline time.Duration
	// Replicas is how many replicas must have a commit before it is accepted (WAIT); default 0.
	// Those that have not said so within half of the Deadline have it fail: it may be stored nevertheless, and a
	// repetition with its id waits again. Not with Redis Cluster: min-replicas-to-write there bounds
	// what is lost, to what min-replicas-max-lag allows.
	Replicas int
	// FlushEvery and FlushAt are when acknowledgements are written: so long after the
	// first, or when so many devices have any. Defaults 50 ms, 256.
	FlushEvery time.Duration
	FlushAt    int
	// Sweep is how long it takes until every connected device has been looked at, so
	// that a notice that was lost does no harm for longer. Default 60 s.
	Sweep time.Duration

	// Presence, if set, has Open claim the device and Put say who has it, in the same
	// round trip.
	Presence *Presence

	// Notify, if set, has Put tell the node that has the device, in the script that stores it. It needs
	// Presence, and a bus on the same Redis; in a Redis Cluster, where channels lie in other slots, and with
	// Replicas, where a message counts only once those have it, it is not used.
	Notify *Notify

	// Moved is called when a connected device has more to get than its lane was told:
	// its lane has to Look. End is called when a session is over without its
	// connection knowing: why is ErrOvertaken or ErrHistory. Latest is called when the
	// latest value of a topic is another one than the node was told: what others sent was
	// lost, or has come in another order; devices here have to be sent it, again perhaps.
	// All come from goroutines of the store, must not wait, and may be nil.
	Moved  func(ref inbox.Ref, fence uint32)
	End    func(ref inbox.Ref, fence uint32, why error)
	Latest func(topic string, m *inbox.Message)
}

// Presence is what is needed of package presence, which does not know inboxes.
type Presence struct {
	// Lua has the function presence_claim(key, index, device, owner, sid, now, floor),
	// which returns the fence and the record before. A record is a hash: x is '1' while
	// owner o has the device.
	Lua string
	// Key returns the key of a device's record: in the slot of the device's name in
	// braces. Prefix is not put in front of it.
	Key func(device string) string
	// Owner is this node and start of it. Index is the key of the set of its devices;
	// empty when that is written before (in a Redis Cluster it lies elsewhere).
	Owner, Index string
	// Likely is what mostly becomes of messages.
	Likely Likely
}

// Notify is what is needed of package fanout, which does not know inboxes.
type Notify struct {
	// Lua has the function bus_stored(parts), which returns what is published for one node. parts are two strings of
	// each message: number(6) fence(4) before(4) size(1) stream, and what Append gave.
	Lua string
	// Channels is what the name of a node's channel begins with; the node's id follows.
	Channels string
	// Append appends the notice of a message for a device, without what the script knows.
	Append func(dst []byte, device string, m *inbox.Message, tag uint32) []byte
}

// Why sessions end: package inbox has the words, for those who do not know this one.
var (
	ErrOvertaken = inbox.ErrOvertaken
	ErrHistory   = inbox.ErrHistory
)

// withDefaults checks the options.
func (o Options) withDefaults() (Options, error) {
	if len(o.Addrs) == 0 {
		return o, errors.New("redisinbox: no address of Redis: give host:port")
	}
	if o.Replicas < 0 || o.Deadline < 0 || o.FlushEvery < 0 || o.FlushAt < 0 || o.Sweep < 0 {
		return o, fmt.Errorf("redisinbox: an option is negative: replicas %d, deadline %v, flush %v or %d, sweep %v",
			o.Replicas, o.Deadline, o.FlushEvery, o.FlushAt, o.Sweep)
	}
	if o.Notify != nil && o.Presence == nil {
		return o, errors.New("redisinbox: Notify is set without Presence, which says who is to be told")
	}
	if o.Replicas > 0 {
		o.Notify = nil
	}
	o.Limits = o.Limits.Defaults()
	setDefault(&o.Deadline, 2*time.Second)
	setDefault(&o.FlushEvery, 50*time.Millisecond)
	setDefault(&o.FlushAt, 256)
	setDefault(&o.Sweep, time.Minute)
	if o.Moved == nil {
		o.Moved = func(inbox.Ref, uint32) {}
	}
	if o.Latest == nil {
		o.Latest = func(string, *inbox.Message) {}
	}
	if o.End == nil {
		o.End = func(inbox.Ref, uint32, error) {}
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Likely are the outcomes (inbox.Put.Outcome) that messages mostly have, by where the
// device is when they are stored: connected to this node, to another, away. They are stored with
// the id of the message, and only others are noted afterwards, by a script of their own: without
// them every message with an id is two scripts. 0: not known before.
type Likely struct{ Here, Elsewhere, Away uint8 }

// likely returns the outcome that a message mostly has whose device owner has. The script
// put has the same rule.
func (p *Presence) likely(owner string) uint8 {
	switch {
	case p == nil:
		return 0
	case owner == "":
		return p.Likely.Away
	case owner == p.Owner:
		return p.Likely.Here
	}
	return p.Likely.Elsewhere
}
