package member

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"roost/decay"
	"roost/decay/dawn"
	"roost/server/cluster"
)

// Times unless set.
const (
	// DialWithin is how long Dial waits for etcd to say whose the prefix is.
	DialWithin = 3 * time.Second
	// JoinWithin is how long Join waits for the registration.
	JoinWithin = 3 * time.Second
	// LeaveWithin is how long Leave waits for a ring without this node: the planner
	// takes some 300 ms, half a lease more if it has just died.
	LeaveWithin = 3 * time.Second
	// weighEvery is how often a weight is made: a lease of cluster.WeightTTL outlives
	// four that fail.
	weighEvery = time.Second
)

// Options say which cluster is meant. The zero value of a field means its default,
// unless it says otherwise.
type Options struct {
	// Where etcd is and which cluster is meant, as in cluster.Options. Endpoints and
	// Cluster are required.
	Endpoints          []string
	Prefix             string
	Cluster            cluster.Identity
	Username, Password string
	TLS                *tls.Config
	// Timeout is the deadline of each request; default cluster.DefaultTimeout.
	Timeout time.Duration

	// ID of this node: 1 to 255 bytes of UTF-8 without control characters. Required.
	ID string
	// DataDir, if set, holds what makes a restarted node get its id back at once: a
	// token under a lock. It is made if it is missing. Without it a node that was killed
	// waits for its former life's lease.
	DataDir string
	// RingFile holds the last rings; empty: none.
	RingFile string
	// Watch, and TTL of the registration, for tests.
	Watch cluster.WatchOptions
	TTL   time.Duration
	// Stages is told how long changes of the ring take. It must not block.
	Stages cluster.StageFunc

	// Log gets what happens. Default: slog.Default().
	Log *slog.Logger
}

func (o *Options) withDefaults() error {
	if o.ID == "" {
		return fmt.Errorf("%w: a member needs the id of its node", cluster.ErrOptions)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return nil
}

// Load is what a node measures of itself.
type Load struct {
	Devices  int           // connected now
	Accepted uint64        // upgrades of devices since the start
	CPU      time.Duration // of the process since the start, user and system
	Latency  float64       // P95 of delivery, ms; negative: not measured
	Backlog  float64       // bytes queued and not yet written; negative: not measured
	LoopLag  float64       // how late event loops turn, ms; negative: not measured
}

// Hooks are what the server does for its member. Load is required. None may block for
// long: they are called from the member's goroutines.
type Hooks struct {
	Load func() Load
	// Evacuate moves all devices elsewhere within over. It is called again if an operator
	// changes over.
	Evacuate func(over time.Duration)
	// Stay ends that: devices are taken again.
	Stay func()
	// Trial is what was seen of the canary; nil is nothing.
	Trial func() *cluster.Counts
	// Redis is whether Redis is reached now; nil is that it is not said.
	Redis func() bool
}

// Join says as what a node joins.
type Join struct {
	// Member: ID is Options.ID. Capacity in devices; 0 counts as Plan.Unit.
	Member cluster.Member
	Hooks  Hooks

	// Within is how long to wait for the registration; default JoinWithin.
	Within time.Duration
	// Weights, Control make the weight; zero: DefaultWeights.
	Weights decay.Settings
	Control decay.ControlSettings
	// Plan and Trial are the planner's.
	Plan  cluster.PlanSettings
	Trial cluster.TrialSettings
	// Rules are the times of maintenance nights; zero: dawn.DefaultRules.
	Rules dawn.Rules
	// Cores that CPU counts against; default: those that the process may use.
	Cores int
	// MostConnects bounds how many connects a second the node says that it can take; 0: what it
	// has measured.
	MostConnects float64
}

func (j *Join) withDefaults(id string) error {
	if j.Member.ID == "" {
		j.Member.ID = id
	}
	switch {
	case j.Member.ID != id:
		return fmt.Errorf("%w: node %q joins as %q", cluster.ErrOptions, id, j.Member.ID)
	case j.Hooks.Load == nil:
		return fmt.Errorf("%w: Hooks.Load is missing", cluster.ErrOptions)
	}
	if j.Hooks.Stay == nil {
		j.Hooks.Stay = func() {}
	}
	if j.Hooks.Evacuate == nil {
		j.Hooks.Evacuate = func(time.Duration) {}
	}
	if j.Hooks.Trial == nil {
		j.Hooks.Trial = func() *cluster.Counts { return nil }
	}
	if j.Within == 0 {
		j.Within = JoinWithin
	}
	if j.Cores == 0 {
		j.Cores = runtime.NumCPU()
	}
	if j.Rules == (dawn.Rules{}) {
		j.Rules = dawn.DefaultRules
	}
	if j.Control == (decay.ControlSettings{}) {
		j.Control = DefaultControl()
	}
	j.Plan = j.Plan.WithDefaults()
	if err := j.Rules.Validate(); err != nil {
		return fmt.Errorf("%w: rules of nights: %w", cluster.ErrOptions, err)
	}
	return nil
}

// DefaultControl returns the controller's settings for a ring that moves open
// connections, at the pace at which versions come into force (package documentation).
// A step moves 5 % of all connections at most.
func DefaultControl() decay.ControlSettings {
	return decay.ControlSettings{Live: decay.LiveSettings{On: true, Update: 10 * time.Minute, Budget: 0.005, Burst: 0.05}}
}
