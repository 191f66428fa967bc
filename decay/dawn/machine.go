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
//
// Reloaded and Abort take Asleep and Finished to Checking, and are kept in mind in
// any other state. Refused is left by Fired, if the clock was the reason.
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
	stagger time.Duration // of this node in this night, within Spread

	// Owned by Handle.
	night  Night  // as the calendar has it now
	known  bool   // how far the clock is off, and that it is not far
	skewed bool   // Refused: because of the clock
	abort  *Abort // asked for and not found to be done; it is not changed
	again  bool   // Releasing: then read the record again
	full   bool   // the record has no room for what it lacks
	entry  int    // Assessing: of the record
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

// NewMachine returns the machine of a node for a night of Calendar.Night. A night
// without openings only finishes what others have recorded.
func NewMachine(c Config, n Night) (*Machine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if !n.Date.Valid() || n.Environment == "" {
		return nil, fmt.Errorf("night %v of environment %q: date or name is not possible", n.Date, n.Environment)
	}
	for i := range n.Openings {
		if err := n.Openings[i].Validate(); err != nil {
			return nil, fmt.Errorf("window %q: %w", n.Openings[i].Window, err)
		}
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

// step is a kind of step of the plan.
type step uint8

const (
	noStep step = iota // the night is done
	aborts             // an operator has asked for it
	adds               // openings that the record lacks
	moves              // an entry
	others             // it is too late for something, and this node may be wrong about that
)

// due returns the step that is due first, and when; entry is of moves.
func (m *Machine) due(now time.Time) (s step, entry int, at time.Time) {
	if m.abort != nil {
		if _, changes := m.record.abort(&m.night, m.abort, now); changes {
			return aborts, 0, now
		}
		m.abort = nil
	}
	sure := now
	if m.known {
		sure = time.Time{} // nothing is too late to be recorded so
	}
	entry, at, ok := m.record.due(sure)
	if ok {
		s = moves
	}
	for i := range m.night.Openings {
		o := &m.night.Openings[i]
		if m.full || sure.After(o.Last()) || m.record.has(o) {
			continue
		}
		if t := o.Begin.Add(-Notice); s == noStep || !t.After(at) {
			s, at = adds, t
		}
	}
	if s == noStep && !m.known {
		if over := m.blocked(now); now.Before(over) {
			return others, 0, earlier(over, now.Add(m.config.Limits.Retry))
		}
	}
	return s, entry, at
}

// blocked returns until when to wait for a node that knows its clock, the zero
// time if there is no need.
func (m *Machine) blocked(now time.Time) (until time.Time) {
	add := func(o *Opening) {
		if t := o.Clear().Add(Grace); now.After(o.Last()) && t.After(until) {
			until = t
		}
	}
	for i := range m.record.Entries {
		if e := &m.record.Entries[i]; e.Stage == Planned {
			add(&e.Opening)
		}
	}
	for i := range m.night.Openings {
		if o := &m.night.Openings[i]; !m.full && !m.record.has(o) {
			add(o)
		}
	}
	return until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
