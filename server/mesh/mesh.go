package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"roost/server/cluster"
	"roost/server/fanout"
)

// Mesh is this node among the others. Its methods may be called from any goroutine, Close not from
// those of a Local or from answers.
type Mesh struct {
	// Static after New.
	o        Options
	bus      fanout.Bus
	made     chan struct{} // closed when bus is there: handlers may be called before
	requests *fanout.Requests
	seen     *fanout.Dedupe
	replies  replies
	debts    debts
	seekers  seekers
	ctx      context.Context // until Close
	cancel   context.CancelFunc

	n      counters
	trial  atomic.Pointer[trial]
	topics topics
	closed atomic.Bool
}

const (
	// seenFor is how long ids are remembered: what a bus may send twice comes within its
	// timeout, and a live envelope is dropped after its deadline anyway.
	seenFor = 30 * time.Second
	// seenMost bounds them, at about 64 bytes each: 2,000 a second for that long.
	seenMost = 1 << 17
)

// New makes the mesh and its bus. Errors are ErrOptions and those of Options.Bus.
func New(o Options) (*Mesh, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m := &Mesh{o: o, made: make(chan struct{}), requests: fanout.NewRequests(), seen: fanout.NewDedupe(seenFor, seenMost)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.replies.init(m)
	m.debts.init(m)
	m.topics.joined = map[string]int{}
	m.bus, err = o.Bus(fanout.Options{Node: o.Self, Handlers: m.handlers(), Hooks: m.hooks()})
	close(m.made)
	if err != nil {
		m.cancel()
		return nil, fmt.Errorf("mesh: the bus: %w", err)
	}
	return m, nil
}

// Close closes the bus. Publishers who wait get what is known; answers that are still to come are not sent.
func (m *Mesh) Close() {
	if m.closed.Swap(true) {
		return
	}
	m.cancel()
	m.debts.close()
	m.bus.Close()
	m.requests.End()
	m.seekers.close()
}

// State says how the bus is.
func (m *Mesh) State() fanout.State { return m.bus.State() }

// hooks look for what the bus may have lost.
func (m *Mesh) hooks() fanout.Hooks {
	return fanout.Hooks{
		Up: func(s fanout.Scope, _ uint64) {
			<-m.made
			// Also the first time: devices may have been here before the bus was.
			m.sweep(s.All || s.Topics)
		},
		Down: func(s fanout.Scope, err error) {
			m.o.Log.Warn("the bus is down: nothing comes from other nodes", "inbox", s.Inbox, "all", s.All, "topics", s.Topics, "err", err)
		},
		Dropped: func(q fanout.Queue, n int) {
			m.o.Log.Warn("messages of other nodes came faster than they were taken", "queue", q.String(), "dropped", n)
			switch q {
			case fanout.QueueInbox:
				m.sweep(false)
			case fanout.QueueAll, fanout.QueueTopics:
				m.sweep(true)
			}
		},
		Twin: func(instance uint64) {
			m.n.twins.Add(1)
			m.o.Log.Error("another process listens as this node: stop one of them, or give it another id",
				"node", m.o.Self, "instance", slog.Uint64Value(instance))
		},
	}
}

// sweep has the node look at what is stored.
func (m *Mesh) sweep(topics bool) {
	m.n.sweeps.Add(1)
	m.o.Local.Sweep(topics)
}

// post sends and counts.
func (m *Mesh) post(to fanout.Channel, e *fanout.Envelope, done func(receivers int, err error)) {
	m.n.sent[e.Kind&kindMask].Add(1)
	m.bus.Post(to, e, done)
}

// taken counts what became of a post.
func (m *Mesh) taken(receivers int, err error) {
	switch {
	case err != nil:
		m.n.failed.Add(1)
	case receivers == 0:
		m.n.nobody.Add(1)
	}
}

// member reports whether a node counts as there; also if nothing is known of any.
func (m *Mesh) member(id string) bool {
	v := m.o.Members.View()
	_, ok := v.Members[id]
	return ok || v.Revision == 0
}

// others appends the ids of all other nodes: the members, or where none are known those of
// the rings.
func (m *Mesh) others(dst []string) []string {
	v := m.o.Members.View()
	if v.Revision == 0 {
		return ringNodes(dst, m.o.Rings.Load(), m.o.Self)
	}
	for id := range v.Members {
		if id != m.o.Self {
			dst = append(dst, id)
		}
	}
	return dst
}

func ringNodes(dst []string, a *cluster.Active, but string) []string {
	for _, n := range a.Routes.Stable().Nodes() {
		if n.ID != but {
			dst = append(dst, n.ID)
		}
	}
	if canary, _ := a.Routes.Canary(); canary != nil {
		for _, n := range canary.Nodes() {
			if n.ID != but && a.Routes.Stable().Find(n.ID) == noIndex {
				dst = append(dst, n.ID)
			}
		}
	}
	return dst
}
