package dawn

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"time"
	"unicode/utf8"
)

// State is where a Machine is. The way through a step, with the event on each
// arrow; any state falls back to Asleep when an answer fails to come.
//
//	Idle ──Fired──▶ Asleep ◀───────────────────────────────────────────────╮
//	                  │ Tick, due                                          │
//	                  ▼                                                    │
//	               Checking ──nothing due yet──▶ Asleep                    │
//	                  │ a step is due  ╰──night done──▶ Finished           │
//	                  ▼                                                    │
//	               Locking ──held, younger than Alive──▶ Asleep            │
//	                  │ taken  ╰──held, older, or by our former life:      │
//	                  │            Lock again, replacing it                │
//	                  ▼                                                    │
//	               Rechecking ──another one did it──────────────╮          │
//	                  │ still due                               │          │
//	                  ├──a fall──▶ Assessing ─╮                 ▼          │
//	                  ▼                       ▼              Releasing ────┤
//	               Committing ◀───────────────╯                 ▲          │
//	                  │ accepted ───nothing due now─────────────╯          │
//	                  │          ╰──more due: Assessing or Committing      │
//	                  ├ unknown, RecordMoved: Rechecking                   │
//	                  ╰ LockMoved, LeaseLost ──────────────────────────────╯
//
//	Finished  the record is done          Refused  this node may not take part
type State uint8

// The states.
const (
	Idle       State = iota
	Asleep           // waits for a time, holds nothing
	Checking         // reads the record, without the lock
	Locking          // asks for the lock
	Rechecking       // reads the record under the lock
	Assessing        // asks for the load of the cluster
	Committing       // has sent a record
	Releasing        // gives the lock back
	Finished
	Refused
)

var stateNames = [...]string{
	"idle", "asleep", "checking", "locking", "rechecking", "assessing", "committing", "releasing", "finished", "refused",
}

// String returns the name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Rules are the times of the double check. All are elapsed time on one node.
type Rules struct {
	Hold    time.Duration // longest a node acts under one lock; at least 30 s below Alive, so that it stops before others take it for dead
	Poll    time.Duration // how often a lock that another node holds is tried
	Backoff time.Duration // after an answer that failed to come
	Spread  time.Duration // nodes come to a step within this, the holder of the last one first; 0 is all at once
	MaxSkew time.Duration // a clock that is further off the cluster's is refused
}

// DefaultRules try a held lock every 15 s, and spread nodes over 10 s.
var DefaultRules = Rules{Hold: Alive - time.Minute, Poll: 15 * time.Second, Backoff: 5 * time.Second, Spread: 10 * time.Second, MaxSkew: 2 * time.Minute}

// Validate reports what is wrong with the rules.
func (r *Rules) Validate() error {
	switch {
	case r.Hold < 10*time.Second || r.Hold > Alive-30*time.Second:
		return fmt.Errorf("holding the lock for %v is not in 10s to %v", r.Hold, Alive-30*time.Second)
	case r.Poll < time.Second || r.Poll > Alive:
		return fmt.Errorf("polling every %v is not in 1s to %v", r.Poll, Alive)
	case r.Backoff < time.Second || r.Backoff > Alive:
		return fmt.Errorf("a backoff of %v is not in 1s to %v", r.Backoff, Alive)
	case r.Spread < 0 || r.Spread > Alive:
		return fmt.Errorf("a spread of %v is not in 0 to %v", r.Spread, Alive)
	case r.MaxSkew < time.Second:
		return fmt.Errorf("a skew of at most %v is not possible; write at least 1s", r.MaxSkew)
	}
	return nil
}

// Config is who a node is and how it decides.
type Config struct {
	Node        string // id, valid UTF-8, 1 to 64 bytes
	Life        uint64 // goes up with every start of the node: its incarnation, below 2^32
	Environment string // of the cluster that the node is in, read from the cluster
	Rules       Rules
	Limits      Limits
}

// Validate reports what is wrong with the configuration.
func (c *Config) Validate() error {
	if c.Node == "" || len(c.Node) > maxID || !utf8.ValidString(c.Node) {
		return fmt.Errorf("node id %.64q: 1 to %d bytes of UTF-8 are needed", c.Node, maxID)
	}
	if c.Life > math.MaxUint32 {
		return fmt.Errorf("life %d: a number below 2^32 is needed, it is the upper half of Seq", c.Life)
	}
	return errors.Join(c.Rules.Validate(), c.Limits.Validate())
}

// Machine is one node's part in one night: events in, one action out. It is not
// safe for concurrent use; a copy of it is a machine of its own.
type Machine struct {
	// Static after NewMachine.
	config  Config
	night   Night
	stagger time.Duration // of this node in this night, within Spread

	// Owned by Handle.
	state  State
	seq    uint64    // of the request under way, or of the last one
	record Record    // as it was read or committed last
	rev    int64     // of record; 0 if there is none
	next   Record    // in Committing: what was sent
	fence  int64     // of the lock that we hold, as far as we know; 0 if none
	held   time.Time // when it was asked for
	until  time.Time // Asleep, Releasing: when to go on
	stop   Stop      // Finished, Refused, or Releasing on the way there
	ending bool      // stop holds
}

// NewMachine returns the machine of a node for a night of Calendar.Night.
func NewMachine(c Config, n Night) (*Machine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if !n.Date.Valid() || len(n.Openings) == 0 || n.Environment == "" {
		return nil, fmt.Errorf("night %v of environment %q has %d openings", n.Date, n.Environment, len(n.Openings))
	}
	// Lives are told apart by the upper half, so that no answer to a former one
	// is taken for ours.
	m := &Machine{config: c, night: n, seq: c.Life << 32}
	if c.Rules.Spread > 0 {
		h := fnv.New64a()
		fmt.Fprintf(h, "%v %s", n.Date, c.Node)
		m.stagger = time.Duration(h.Sum64() % uint64(c.Rules.Spread))
	}
	return m, nil
}

// State returns where the machine is.
func (m *Machine) State() State { return m.state }

// Record returns the record as the machine knows it; ok is false if it knows
// none.
func (m *Machine) Record() (r Record, ok bool) { return m.record, m.rev != 0 }

// String returns the state for operators.
func (m *Machine) String() string {
	s := fmt.Sprintf("night %v: %v", m.night.Date, m.state)
	switch {
	case m.state == Finished || m.state == Refused:
		s += ": " + m.stop.Reason
	case m.state == Asleep:
		s += " until " + clock(m.until)
	}
	if m.rev != 0 {
		s += fmt.Sprintf(", step %d by %s", m.record.Step, m.record.Holder)
	}
	return s
}
