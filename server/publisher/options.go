package publisher

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"roost/decay"
)

// Options say where the cluster is and how messages get there. All but Nodes may be
// zero.
type Options struct {
	// Nodes are API addresses, "http://host:port", of some nodes: they are asked for
	// the ring and the other members, and take messages until those are known.
	Nodes []string
	// Source says which rings are in force; nil asks the nodes.
	Source Source
	// File keeps the last ring, so that a publisher can start while nobody answers
	// about rings; empty is none.
	File string

	Choose Choose
	// RTT is the curve by which round-trip times count for BeforePush and
	// AfterFailure; zero is decay.RTT(): halved each 100 ms. decay.GivenRTT() is the
	// original report's, which hardly tells 5 ms from 200.
	RTT decay.Exponential
	// Freshness is how old round-trip times and weights get with BeforePush; default 1 s.
	Freshness time.Duration
	// Poll is how often the source is asked, within 10 %; default 2 s, and Freshness
	// with BeforePush if that is less.
	Poll time.Duration

	// Timeout is how long a message may take, from Publish or Send to its result,
	// unless the context ends before; default 10 s.
	Timeout time.Duration
	// Attempt bounds one request, Connect its dial; default 5 s and 1 s.
	Attempt, Connect time.Duration

	// Batch is the most messages of a request; default 100, at most 1,000. Linger is
	// how long a request waits to be full; default 0: it goes as soon as the one before
	// is answered, with what has come meanwhile.
	Batch  int
	Linger time.Duration
	// Lanes is how many requests are under way to a node, without those that wait for
	// devices; default 2. Waiters is how many of those there are in all; default 64.
	Lanes, Waiters int
	// Queue bounds the messages that wait or are under way, in bytes of their JSON and
	// 512 each; default 64 MiB. Publish and Send wait for room.
	Queue int64

	// TLS is for nodes, or proxies before them, at https addresses: authorities, and the
	// certificate of the publisher. nil is the system's authorities and none.
	TLS *tls.Config

	// Log hears what goes wrong with rings and nodes; nil is nobody.
	Log *slog.Logger
}

// withDefaults returns o with zero fields replaced by their defaults.
func (o Options) withDefaults() Options {
	if o.RTT == (decay.Exponential{}) {
		o.RTT = decay.RTT()
	}
	o.Freshness = cmp.Or(o.Freshness, time.Second)
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
		if o.Choose == BeforePush {
			o.Poll = min(o.Poll, o.Freshness)
		}
	}
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.Attempt = cmp.Or(o.Attempt, 5*time.Second)
	o.Connect = cmp.Or(o.Connect, time.Second)
	o.Batch = cmp.Or(o.Batch, 100)
	o.Lanes = cmp.Or(o.Lanes, 2)
	o.Waiters = cmp.Or(o.Waiters, 64)
	o.Queue = cmp.Or(o.Queue, 64<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate says what cannot be, and cleans the addresses.
func (o *Options) validate() error {
	if len(o.Nodes) == 0 && o.Source == nil {
		return fmt.Errorf("%w: no nodes: set Nodes to the API address of one or more", ErrOptions)
	}
	if len(o.Nodes) > maxNodes {
		return fmt.Errorf("%w: %d nodes: at most %d", ErrOptions, len(o.Nodes), maxNodes)
	}
	clean := make([]string, len(o.Nodes))
	for i, api := range o.Nodes {
		var ok bool
		if clean[i], ok = cleanAPI(api); !ok {
			return fmt.Errorf("%w: node %q: want http://host:port", ErrOptions, api)
		}
	}
	o.Nodes = clean
	for _, d := range []struct {
		name string
		d    time.Duration
		most time.Duration
	}{
		{"Freshness", o.Freshness, time.Hour}, {"Poll", o.Poll, time.Hour}, {"Timeout", o.Timeout, time.Hour},
		{"Attempt", o.Attempt, time.Hour}, {"Connect", o.Connect, time.Hour},
	} {
		if d.d <= 0 || d.d > d.most {
			return fmt.Errorf("%w: %s is %v: above 0, at most %v", ErrOptions, d.name, d.d, d.most)
		}
	}
	switch {
	case o.Choose > AfterFailure:
		return fmt.Errorf("%w: Choose is %d", ErrOptions, o.Choose)
	case o.Batch < 1 || o.Batch > maxBatch:
		return fmt.Errorf("%w: Batch is %d: 1 to %d", ErrOptions, o.Batch, maxBatch)
	case o.Linger < 0 || o.Linger > time.Minute:
		return fmt.Errorf("%w: Linger is %v: 0 to a minute", ErrOptions, o.Linger)
	case o.Lanes < 1 || o.Lanes > 64 || o.Waiters < 1 || o.Waiters > 10_000:
		return fmt.Errorf("%w: %d lanes, %d waiters: 1 to 64, and 1 to 10,000", ErrOptions, o.Lanes, o.Waiters)
	case o.Queue < 1<<20:
		return fmt.Errorf("%w: Queue is %d bytes: 1 MiB and more", ErrOptions, o.Queue)
	}
	if err := o.RTT.Validate(); err != nil {
		return fmt.Errorf("%w: RTT: %w", ErrOptions, err)
	}
	return nil
}
