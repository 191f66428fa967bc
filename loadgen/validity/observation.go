package validity

import (
	"time"

	"roost/loadgen/tally"
)

// Observation is what was seen of the generator over the phases that count:
// all but warm-ups. What could not be read says so: durations, shares and
// counts of it are Unread, histograms nil.
type Observation struct {
	Length time.Duration // of the phases together

	// The plan, over all workers.
	Planned, Sent, Unsent uint64 // messages
	PlannedDials, Dials   uint64 // dials that were due, and that were begun, or held back by the server
	PeakDeliveries        float64
	PeakSends             float64 // a second, in the plan, those that share a request as one; 0: none
	PeakDials             float64

	// Deliveries, over all workers.
	Delivery    *tally.Hist // from due
	ClockErrors uint64      // arrived before they were sent
	Waits       []Wait      // of all APIs

	// Local are the errors that were made here, whatever the phase: also a
	// warm-up's leave connections or messages out of what comes after.
	Local Local

	Workers  []Worker
	Machines []Machine // that workers are on

	// Shared says that the server runs on the processors of a worker. Then
	// neither has them for itself, and waiting for one is expected.
	Shared bool
	// AllowLoss says that the run was told to go on without lost workers.
	AllowLoss bool
	// ClockBound is the largest difference that two processes' clocks may have:
	// 0 on one machine.
	ClockBound time.Duration
	Ceiling    *Ceiling // nil: never measured on this machine
}

// Unread is the value of what could not be read.
const Unread = -1

// Worker is one process of the generator.
type Worker struct {
	Index int
	Host  string
	Lost  string // why it was lost; nothing else of it is judged then

	CPU       time.Duration // that it used
	RunDelay  time.Duration // that its threads waited for a processor though they could run
	GCPause   time.Duration // p99 over the whole length, not the worst of the p99s of its seconds
	Sched     time.Duration // p99, as above: goroutines that could run and did not
	Throttled int64         // periods in which its cgroup had no time left
	RecvQ     int64         // bytes left in its sockets when a phase had been settled

	// Each worker's own: in the sum over all of them, one of 54 that stalls
	// would be below the percentile.
	SendLag, DialLag, Hiccup, RxLag *tally.Hist
}

// Machine is one that workers are on.
type Machine struct {
	Host  string
	PSI   float64 // the largest "cpu some avg10", in %
	Steal float64 // share of all processors' time that the hypervisor gave to others
	// Net holds what the counters of /proc/net/netstat and snmp rose by. nil:
	// not read.
	Net map[string]int64
}

// Local is how often a worker or its machine was out of something: descriptors,
// source ports, memory.
type Local struct {
	Errors uint64
	Class  string // the most frequent
	Advice string // about it
}

// Wait is what found as many requests to an API under way as a worker may have.
type Wait struct {
	API      string // its URL
	Messages uint64 // that had to wait, of all workers
	Requests uint32 // that a worker may have
}

// Ceiling is what the same workers reached against a server that does nothing
// but answer, a second. 0: not measured.
type Ceiling struct {
	Deliveries, Sends, Dials float64
}
