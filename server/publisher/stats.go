package publisher

import (
	"sync/atomic"
	"time"
)

// counters are what Stats reads.
type counters struct {
	messages, answered, failed atomic.Uint64
	requests, repeats          atomic.Uint64
	polls, pollErrors, swaps   atomic.Uint64
	older, disagree, damaged   atomic.Uint64
}

// Stats are counts since New. A message to many devices counts once for each node
// that owns some.
type Stats struct {
	Messages, Answered, Failed uint64 // taken; with a result; given up
	Waiting                    int    // neither yet
	Requests, Repeats          uint64 // posts; messages in them that had to go elsewhere, or again
	Polls, PollErrors, Swaps   uint64 // questions to the source; rings taken
	// Older are pointers refused because a newer one is held, Disagree answers of nodes
	// with another hash at the same activation, Damaged pointers and snapshots that are
	// not what they should be.
	Older, Disagree, Damaged uint64
}

// Stats returns the counts.
func (p *Publisher) Stats() Stats {
	s := &p.stats
	return Stats{
		Messages: s.messages.Load(), Answered: s.answered.Load(), Failed: s.failed.Load(), Waiting: p.room.waits(),
		Requests: s.requests.Load(), Repeats: s.repeats.Load(),
		Polls: s.polls.Load(), PollErrors: s.pollErrors.Load(), Swaps: s.swaps.Load(),
		Older: s.older.Load(), Disagree: s.disagree.Load(), Damaged: s.damaged.Load(),
	}
}

// State is how a publisher does.
type State struct {
	Pointer Pointer   // in force; zero is no ring: any node gets a message
	Nodes   []Node    // members, and only what was given in Options as long as none are known
	Heard   time.Time // when the source last answered; zero is not yet
	Err     error     // of the last question to the source; nil if it was answered
	FileErr error     // why the file was refused, or is not written
}

// State returns how the publisher does.
func (p *Publisher) State() State {
	s, t := *p.state.Load(), p.table.Load()
	s.Pointer, s.Nodes = t.pointer, append([]Node(nil), t.nodes...)
	return s
}

// Owner returns the id and API address of the node that the ring gives a device,
// and false if none is known.
func (p *Publisher) Owner(device string) (id, api string, ok bool) {
	t := p.table.Load()
	r, i := t.routes.Lookup(device)
	n := r.Node(i)
	if n == nil {
		return "", "", false
	}
	if m := t.find(n.ID); m != nil {
		return m.ID, m.API, true
	}
	return n.ID, "", true
}
