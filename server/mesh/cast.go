package mesh

import (
	"context"
	"time"

	"roost/server/fanout"
)

// CastOptions say how a message to many is sent.
type CastOptions struct {
	// Latest has it replace the topic's value where that still waits.
	Latest bool
	// Pace is at most so many devices a second at each node; 0 is any number.
	Pace int
	// Wait is how long to wait for the nodes' counts; 0 is not at all.
	Wait time.Duration
}

// Cast sends a live message or a latest value to a topic's devices at the other nodes, or to all devices
// there for "". Without a wait it is one post, and Counts is zero: it does not wait for the bus either. With one,
// each member is asked and Counts has what they said, and in Silent how many did not. The error
// says that nobody has it: the bus's, as far as it is known at once, fanout.ErrTooLarge, or fanout.ErrRequests.
func (m *Mesh) Cast(ctx context.Context, topic string, msg *Message, o CastOptions) (Counts, error) {
	if o.Wait <= 0 {
		return Counts{}, m.castAway(topic, msg, o)
	}
	nodes := m.others(nil)
	if len(nodes) == 0 {
		return Counts{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	q, err := m.requests.Open(len(nodes))
	if err != nil {
		return Counts{Silent: len(nodes)}, err
	}
	until, _ := ctx.Deadline()
	failures := make([]error, len(nodes)) // each set before its part is answered here
	l := m.cast(topic, msg, o)
	l.e.ID, l.e.Deadline, l.e.Wait = q.ID(), deadline(until), waits(until)
	for i, node := range nodes {
		l.e.Part = uint32(i)
		m.post(fanout.ToNode(node), &l.e, func(n int, err error) {
			m.taken(n, err)
			if err != nil || n == 0 {
				failures[i] = err
				q.Answer(fanout.Result{Part: uint32(i), Status: uint8(StatusOffline)})
			}
		})
	}
	l.done()
	answers, _ := q.Await(ctx)
	return m.sum(answers, failures)
}

// sum adds up what nodes have said. That all have failed is an error.
func (m *Mesh) sum(answers []fanout.Result, failures []error) (Counts, error) {
	var all Counts
	refused := 0
	for i, a := range answers {
		switch {
		case a.Status == 0:
			all.Silent++
			m.n.silent.Add(1)
		case a.Status == uint8(StatusOffline): // answered here: nobody took it
			all.Silent++
			if failures[i] != nil {
				refused++
			}
		default:
			c := unpack(a.Seq)
			c.Nodes = 1
			all.Add(c)
		}
	}
	if refused == len(answers) {
		return all, failures[0]
	}
	return all, nil
}

// castAway posts once and waits for nothing. An error that comes later is counted, and logged by the bus.
func (m *Mesh) castAway(topic string, msg *Message, o CastOptions) error {
	outcome := make(chan error, 1)
	l := m.cast(topic, msg, o)
	l.e.ID = m.requests.ID() // against copies; nobody answers
	m.post(channel(topic), &l.e, func(n int, err error) {
		m.taken(n, err)
		outcome <- err
	})
	l.done()
	select {
	case err := <-outcome:
		return err
	default:
		return nil
	}
}

// cast writes the envelope of a message to many.
func (m *Mesh) cast(topic string, msg *Message, o CastOptions) *letter {
	kind := fanout.KindLive
	if o.Latest {
		kind = fanout.KindLatest
	}
	l := write(kind)
	l.about(topic)
	l.carry(msg)
	l.e.Channel = l.topic
	l.e.Tag = uint32(max(o.Pace, 0))
	return l
}

// A result has counts in its Seq: 21 bits each, two million devices a node.
const (
	countBits = 21
	countMost = 1<<countBits - 1
)

func pack(c Counts) uint64 {
	n := func(v int) uint64 { return uint64(min(max(v, 0), countMost)) }
	return n(c.Written) | n(c.Queued)<<countBits | n(c.Dropped)<<(2*countBits)
}

func unpack(seq uint64) Counts {
	n := func(shift int) int { return int(seq >> shift & countMost) }
	c := Counts{Written: n(0), Queued: n(countBits), Dropped: n(2 * countBits)}
	c.Receivers = c.Written + c.Queued + c.Dropped
	return c
}

// Spread tells the other nodes that a kept message to a topic, or to all for "", is
// stored. What the bus does not take is a debt.
func (m *Mesh) Spread(topic string) {
	l := write(fanout.KindTopic)
	l.about(topic)
	m.post(channel(topic), &l.e, func(n int, err error) {
		if m.taken(n, err); err != nil {
			m.debts.owe("")
		}
	})
	l.done()
}
