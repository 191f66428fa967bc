package presence

import (
	"errors"
	"time"
)

// Options of a Keeper. A zero field means its default.
type Options struct {
	// Self is this start of this node. Required.
	Self Owner
	// Store is where presence is kept. Required; Close leaves it open.
	Store Store

	// BeatEvery is how often the node says that it lives, and looks who else does;
	// default 1 s. BeatTTL is how long a beat counts, default 5 s: four may be lost.
	BeatEvery, BeatTTL time.Duration
	// Grace is how long devices of a dead node are suspect before they are offline;
	// default 30 s: the slots of the reconnects of a node's devices, and a retry.
	Grace time.Duration
	// RefreshEvery is how often the session of every device is compared with the
	// store; default 2 min. 100,000 devices are 833 refreshes a second then.
	RefreshEvery time.Duration
	// FlushEvery is the time between batches; default 100 ms.
	FlushEvery time.Duration
	// Deadline of one call of the store; default 2 s. ClaimWithin is that of a claim,
	// after which it is answered provisionally; default 1 s.
	Deadline, ClaimWithin time.Duration
	// Pending bounds the releases that wait for the store; default 262,144. Above it
	// they are dropped and counted, and found by comparing the index with what is
	// connected once the store answers.
	Pending int
	// Batch is how many devices are in one call; default 512, at most MaxBatch.
	Batch int
	// SweepSingles is how many devices that a dead node has lost get an event of
	// their own; default 1,000. All are in the tally. Negative: none.
	SweepSingles int

	// Leases says what is known of a node's registration, and since when it is gone.
	// It must not block. nil: there are none, and heartbeats decide alone.
	Leases func(o Owner) (Lease, time.Time)
	// OnZombie is told of a session that somebody else has taken over: its
	// connection has to close. It must not block.
	OnZombie func(Zombie)
	// OnFence is told that the store has given a session another fence than its
	// connection was told, which goes on to use the old one here. It must not block.
	OnFence func(device string, given, fence uint32)
	// OnBack is told, once for many, that the store has sessions of this node again that it did not have for a
	// while: whoever asked meanwhile heard that they are offline. Provisional ones do not count. It must not block.
	OnBack func()
	// Clock is for tests; default time.Now.
	Clock func() time.Time
}

// Zombie is a connection of this node that is not its device's any more.
type Zombie struct {
	Device string
	Fence  uint32 // as the connection was told
	// SameSession says that the device itself has moved: close with 4002, otherwise
	// with 4303.
	SameSession bool
	Current     Record // who has the device
}

func (o Options) withDefaults() Options {
	set(&o.BeatEvery, time.Second)
	set(&o.BeatTTL, 5*time.Second)
	set(&o.Grace, 30*time.Second)
	set(&o.RefreshEvery, 2*time.Minute)
	set(&o.FlushEvery, 100*time.Millisecond)
	set(&o.Deadline, 2*time.Second)
	set(&o.ClaimWithin, time.Second)
	set(&o.Pending, 1<<18)
	set(&o.Batch, 512)
	set(&o.SweepSingles, 1000)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check says what is wrong with options whose defaults are set.
func (o Options) check() error {
	if err := o.Self.Check(); err != nil {
		return err
	}
	switch {
	case o.Store == nil:
		return errors.New("presence: Options.Store is missing")
	case o.BeatEvery < 0 || o.RefreshEvery < 0 || o.FlushEvery < 0 || o.Deadline < 0 || o.ClaimWithin < 0 || o.Grace < 0:
		return errors.New("presence: a time in Options is negative")
	case o.BeatTTL < 2*o.BeatEvery:
		return errors.New("presence: Options.BeatTTL is shorter than two times BeatEvery: one late beat would make a node look dead")
	case o.Batch < 1 || o.Batch > MaxBatch:
		return errors.New("presence: Options.Batch is not from 1 to 1024")
	case o.Pending < 1:
		return errors.New("presence: Options.Pending is not positive")
	}
	return nil
}
