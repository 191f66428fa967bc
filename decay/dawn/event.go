package dawn

import "time"

// Event is what happens to a Machine: Fired, Tick, RecordRead, LockResult,
// Assessed, CommitResult, Released, Failed, LeaseLost, Reloaded or Abort. Each carries Now, the
// clock of the node; it may jump. Answers carry the Seq of their action; an
// answer to any other is stale, or a duplicate, and is ignored.
type Event interface{ event() }

// Fired says that the cron of the node has fired for the night, or that the node
// has started and Calendar.Due has the night. More of them say only what has
// become of the clock: a node that was refused for it may take part after all.
type Fired struct {
	Now   time.Time
	Skew  time.Duration // clock of the node less that of the cluster (median), 0 if not known
	Known bool          // Skew was measured. Else the node records no opening as too late: its clock may be ahead
}

// Tick says that time has passed. It is due when a Wait is, and does no harm
// before.
type Tick struct{ Now time.Time }

// RecordRead answers Read.
type RecordRead struct {
	Now    time.Time
	Seq    uint64
	Rev    int64 // of the key, 0 if there is none
	Record Record
	Err    error // of DecodeRecord
}

// LockResult answers Lock.
type LockResult struct {
	Now   time.Time
	Seq   uint64
	Taken bool
	Fence int64         // revision at which the lock was put: ours if Taken, else the holder's, 0 if nobody has it
	Value string        // of the holder
	Age   time.Duration // of the holder's lease: granted less left; without a lease LockTTL
}

// Assessed answers Assess with the load of every node of the cluster.
type Assessed struct {
	Now   time.Time
	Seq   uint64
	Loads []Load
}

// Refusal says which comparison of a Commit did not hold.
type Refusal uint8

// The refusals.
const (
	Accepted         Refusal = iota
	RecordMoved              // the record is not at IfRevision
	LockMoved                // the lock is not at IfFence
	WrongEnvironment         // the cluster is not IfEnvironment
)

// CommitResult answers Commit.
type CommitResult struct {
	Now     time.Time
	Seq     uint64
	Refusal Refusal
	Rev     int64 // of the record, if it was Accepted
}

// Released answers Release.
type Released struct {
	Now time.Time
	Seq uint64
}

// Failed answers any request that got no answer by its deadline (5 s). Whether it
// took effect, or still will, is not known.
type Failed struct {
	Now time.Time
	Seq uint64
	Err error
}

// LeaseLost says that the lease of the lock is gone.
type LeaseLost struct{ Now time.Time }

// Reloaded says that the calendar has changed, and what the night is in it now;
// it may have no opening left. A machine that had finished goes on if there is
// something to do.
type Reloaded struct {
	Now   time.Time
	Night Night // of the same date and environment, else nothing happens
}

// Abort says that an operator ends the night, or one window of it, for the whole
// cluster. It is a step: when the machine has committed it no opening that the
// record or the node's calendar has for the date falls any more, and weights come
// back on their curves from now on. An opening that is added afterwards is carried
// out. A node that dies before the commit forgets it; one that is idle keeps it
// until it has Fired, one that is refused ignores it.
type Abort struct {
	Now    time.Time
	Window string // its id; empty is all
	Reason string // who, and why; ends up in Entry.Reason
}

func (Fired) event()        {}
func (Tick) event()         {}
func (RecordRead) event()   {}
func (LockResult) event()   {}
func (Assessed) event()     {}
func (CommitResult) event() {}
func (Released) event()     {}
func (Failed) event()       {}
func (LeaseLost) event()    {}
func (Reloaded) event()     {}
func (Abort) event()        {}

// Action is what the caller does next: None, Wait, Read, Lock, Assess, Commit,
// Release or Stop. Those with a Seq are requests, one at a time, and want an
// answer.
type Action interface{ action() }

// None is nothing to do.
type None struct{}

// Wait asks for a Tick at a time of the node's clock, and one in a minute if that
// is sooner, for the clock may be set.
type Wait struct{ Until time.Time }

// Read asks for the record at DoneKey, by a linearizable read.
type Read struct {
	Seq uint64
	Key string
}

// Lock asks to put Value at LockKey on a new lease of TTL, in a transaction that
// compares the key: it must not exist (Replace is 0), or have been put last at
// revision Replace. The revision of the put is the fence.
type Lock struct {
	Seq     uint64
	Key     string
	Value   string
	TTL     time.Duration
	Replace int64
}

// Assess asks for the load of the cluster, before the fall of an opening.
type Assess struct {
	Seq     uint64
	Opening Opening
}

// Commit asks to put the record at Key, without a lease, in one transaction that
// compares all of:
//
//	Key         has revision IfRevision (0: does not exist)
//	LockKey     was put last at revision IfFence
//	the cluster's environment key holds IfEnvironment
//
// What a step does in the store goes into the same transaction and so happens
// exactly once. What it does outside (a report, a message) happens at least
// once, and is known by date and Record.Step.
type Commit struct {
	Seq           uint64
	Key           string
	Record        Record
	IfRevision    int64
	IfFence       int64
	IfEnvironment string
}

// Release asks to delete LockKey if it was put last at revision Fence.
type Release struct {
	Seq   uint64
	Key   string
	Fence int64
}

// Stop says that the machine has nothing more to do.
type Stop struct {
	Refused bool   // it did not take part
	Reason  string // in words
}

func (None) action()    {}
func (Wait) action()    {}
func (Read) action()    {}
func (Lock) action()    {}
func (Assess) action()  {}
func (Commit) action()  {}
func (Release) action() {}
func (Stop) action()    {}
