package loadgen

import "sync/atomic"

// What is known about each kept message of a run, by its number.
const (
	stateAccepted = 1 << iota // the node said so
	stateArrived              // at its device, or at one of all
	stateRefused              // the node said so
	stateUnknown              // the node did not answer, however often it was asked
)

// entry is one kept message, or one kept broadcast.
type entry struct {
	due   atomic.Int64
	state atomic.Uint32
}

const (
	ledgerChunk  = 4096
	ledgerChunks = 4096
	// maxNumbers is how many messages a run can have.
	maxNumbers = ledgerChunk * ledgerChunks
)

// ledger holds entries for publishers, which write when a message was due and
// what became of it, and for loops, which write that it has come.
type ledger struct {
	chunks [ledgerChunks]atomic.Pointer[[ledgerChunk]entry]
}

// at returns an entry, nil if its message was never published.
func (l *ledger) at(n uint32) *entry {
	if n >= maxNumbers {
		return nil
	}
	c := l.chunks[n/ledgerChunk].Load()
	if c == nil {
		return nil
	}
	return &c[n%ledgerChunk]
}

// open returns an entry for a message about to be published, below maxNumbers.
func (l *ledger) open(n uint32) *entry {
	p := &l.chunks[n/ledgerChunk]
	if p.Load() == nil {
		p.CompareAndSwap(nil, new([ledgerChunk]entry)) // or somebody else has
	}
	return l.at(n)
}

// each calls f for all that were published, in order of their numbers.
func (l *ledger) each(f func(n uint32, e *entry)) {
	for i := range l.chunks {
		c := l.chunks[i].Load()
		if c == nil {
			continue
		}
		for k := range c {
			if c[k].due.Load() != 0 {
				f(uint32(i*ledgerChunk+k), &c[k])
			}
		}
	}
}
