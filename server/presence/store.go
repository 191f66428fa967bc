package presence

import (
	"context"
	"time"
)

// Store keeps records of presence for all nodes. Memory and Redis pass the same
// contract test (contract_test.go).
//
// Every call may take a round trip or more and ends with ctx, or with a deadline
// of the store's own if that is earlier. An error is ErrDown, wrapped; what was
// asked may have been done then, and may be asked again: the rules on records
// (rules.go) make the repetition harmless. Results of a batch are in its order;
// the ones without an answer are Failed, and the error says why the first of them
// is. Batches hold at most MaxBatch devices.
type Store interface {
	// Prepare puts a device into the index of o, where Claim does not do it: before
	// a device is claimed it is in the index of its node, so that there is no
	// moment at which it is in none.
	Prepare(ctx context.Context, o Owner, device string) error
	// Claim makes o the owner of a device. floor is the highest fence that the
	// caller knows of it.
	Claim(ctx context.Context, o Owner, device string, sid uint64, now int64, floor uint32) (Claim, error)
	// Release ends sessions of o.
	Release(ctx context.Context, o Owner, batch []Release) ([]Released, error)
	// Refresh notes that sessions of o go on.
	Refresh(ctx context.Context, o Owner, batch []Refresh) ([]Refreshed, error)
	// Assert says that o has devices; they are in its index before.
	Assert(ctx context.Context, o Owner, batch []Assertion) ([]Asserted, error)
	// Get returns what is stored about devices; the zero Record for who was never
	// seen. Failed ones have Answer.OK false.
	Get(ctx context.Context, devices []string) ([]Answer, error)

	// Index puts devices into the index of o.
	Index(ctx context.Context, o Owner, devices []string) error
	// Unindex takes devices out of the index of o.
	Unindex(ctx context.Context, o Owner, devices []string) error
	// Page returns some devices of the index of o, also of one that is dead, and
	// the cursor for the next page: 0 at the beginning and after the end. A
	// device that is there all the while is in one of the pages, perhaps in two.
	Page(ctx context.Context, o Owner, cursor uint64, limit int) ([]string, uint64, error)
	// Size returns how many devices are in the index of o.
	Size(ctx context.Context, o Owner) (int, error)

	// Beat says that o lives, for ttl. With revive it is no longer marked as dead;
	// it reports whether it was.
	Beat(ctx context.Context, o Owner, ttl time.Duration, revive bool) (bool, error)
	// Nodes returns what is known of the nodes' lives.
	Nodes(ctx context.Context) (Nodes, error)
	// Dead marks a node as dead since at, for all to see: one write, whatever it
	// holds. It reports whether the mark is new.
	Dead(ctx context.Context, o Owner, at int64) (bool, error)
	// Revive removes the mark and what a sweep has counted. It reports whether there
	// was one.
	Revive(ctx context.Context, o Owner) (bool, error)

	// SweepTake makes by the only one who sweeps the node that is dead, until ttl
	// after the store's now. It reports false if somebody else is, or if the node's
	// last beat still counts: a node stores nothing for itself unless it does, so a
	// sweep and the node never work on the index at the same time.
	SweepTake(ctx context.Context, dead Owner, by string, ttl time.Duration) (bool, error)
	// Sweep marks those of the devices Lost that the dead node still has, takes
	// all that it has dealt with out of the index, and counts them. limit bounds the
	// devices, which the store picks from the index; none are left if there are none
	// in the answer.
	Sweep(ctx context.Context, dead Owner, now int64, limit int) ([]SweptDevice, error)
	// SweepEnd forgets a dead node whose index is empty. It returns the tally and
	// true once, whoever asks how often.
	SweepEnd(ctx context.Context, dead Owner) (Tally, bool, error)

	// Close ends the store.
	Close() error
}

// MaxBatch is how many devices may be in one call.
const MaxBatch = 1024

// Answer is what is stored about one device.
type Answer struct {
	Record Record
	OK     bool // false: no answer for this one
}

// SweptDevice is a device that a sweep dealt with.
type SweptDevice struct {
	Device string
	Found  Swept
	Fence  uint32 // SweepLost: of its session
}

// Nodes is what a store knows of nodes. Times are Unix milliseconds of the
// store's clock but for Deaths, which are those of whoever marked them.
type Nodes struct {
	Now    int64
	Beats  map[Owner]int64 // last beat of every node whose index is there
	Deaths map[Owner]int64
}
