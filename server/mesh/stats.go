package mesh

import (
	"sync/atomic"

	"roost/server/fanout"
)

// Kinds is how many kinds of envelopes are counted apart; fanout.Kind names them.
const (
	Kinds    = 16
	kindMask = Kinds - 1
)

// Stats are counts since New, and numbers as they are now.
type Stats struct {
	Sent, Received [Kinds]uint64 // envelopes, by fanout.Kind; an envelope of results has several
	// Hits and Misses say of devices that are at other nodes whether they were where the ring
	// says, by Side. Misses are no losses: presence finds those devices.
	Hits, Misses [sides]uint64
	Forwarded    uint64 // second hops
	Asked        uint64 // questions to presence
	Unknown      uint64 // of those: not answered
	Nobody       uint64 // posts that no node took
	Failed       uint64 // posts that the bus did not take, or cannot say
	Silent       uint64 // answers that did not come in time
	Late         uint64 // answers that came afterwards
	Expired      uint64 // envelopes that came after their deadline
	Repeated     uint64 // envelopes that came twice
	Ignored      uint64 // envelopes, or codes, that this version does not know
	Unanswered   uint64 // answers that could not be sent
	Sweeps       uint64 // times that the node had to look at everything
	Debts        int    // nodes that have to be told to, now
	Deaf         uint64 // topics that could not be listened to
	Twins        uint64 // times that another process was heard as this node
	Requests     fanout.RequestStats
}

// counters are what Stats copies.
type counters struct {
	sent, received                              [Kinds]atomic.Uint64
	hits, misses                                [sides]atomic.Uint64
	forwarded, asked, unknown, nobody, failed   atomic.Uint64
	silent, expired, repeated, ignored, unheard atomic.Uint64
	sweeps, deaf, twins                         atomic.Uint64
}

// Stats returns counts.
func (m *Mesh) Stats() Stats {
	n := &m.n
	s := Stats{
		Forwarded: n.forwarded.Load(), Asked: n.asked.Load(), Unknown: n.unknown.Load(),
		Nobody: n.nobody.Load(), Failed: n.failed.Load(), Silent: n.silent.Load(),
		Expired: n.expired.Load(), Repeated: n.repeated.Load(), Ignored: n.ignored.Load(), Unanswered: n.unheard.Load(),
		Sweeps: n.sweeps.Load(), Debts: m.debts.len(), Deaf: n.deaf.Load(), Twins: n.twins.Load(), Requests: m.requests.Stats(),
	}
	s.Late = s.Requests.Late
	for i := range s.Sent {
		s.Sent[i], s.Received[i] = n.sent[i].Load(), n.received[i].Load()
	}
	for i := range s.Hits {
		s.Hits[i], s.Misses[i] = n.hits[i].Load(), n.misses[i].Load()
	}
	return s
}
