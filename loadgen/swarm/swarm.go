package swarm

import (
	"context"

	"roost/loadgen/clock"
	"roost/loadgen/scenario"
	"roost/loadgen/tally"
)

// Config is what a worker is to do.
type Config struct {
	Scenario *scenario.Scenario
	Worker   int // which one, from 0
	Workers  int // of how many
	Clock    *clock.Clock
	Run      uint32 // random, the same for all workers: in every stamp
	// Here is how many of the workers are on this machine, where they divide the
	// source ports among them, and Index which of those this one is, from 0. Here
	// 0: all are, and it is Worker.
	Here, Index int
	// InARow is how many dials of a ramp, one after the other, are one worker's; the
	// same for all workers. Below 2: dials go round all of them.
	InARow int
}

// Progress is where a phase is, read at any time by any goroutine. Levels, not
// sums.
type Progress struct {
	Phase     int  `json:"phase"`   // -1 before the first
	Clients   int  `json:"clients"` // of this worker
	Connected int  `json:"connected"`
	Dialing   int  `json:"dialing"`
	Goal      int  `json:"goal"`   // of the ramp or drain: Connected when it is reached
	Dialed    int  `json:"dialed"` // of the ramp: dials that are through, well or badly
	Cut       int  `json:"cut"`    // of the storm
	Restored  int  `json:"restored"`
	Away      int  `json:"away"`      // without a connection and meaning to come back
	Pending   int  `json:"pending"`   // requests to the API under way
	Idle      bool `json:"idle"`      // nothing of the phase is left to do or to wait for
	PlanDone  bool `json:"plan_done"` // everything planned was sent
}

// Refusal names a message that was planned and that nobody has to expect: the
// server has said no to it, or it was never sent. One that was sent and not
// answered is none: the server owes it.
type Refusal struct {
	Publish uint16 `json:"p"`
	Number  uint32 `json:"n"`
}

// Swarm is one worker.
//
//	New -> Begin(0) -> Finish -> Settle -> Begin(1) -> ... -> Close
//
// Tick and Progress may be called at any time in between.
type Swarm interface {
	// Begin starts phase i at the instant at of the clock (ns), and returns at
	// once.
	Begin(i int, at int64) error
	// Progress reports where the phase is.
	Progress() Progress
	// Tick returns what was counted since the last Tick.
	Tick() *tally.Tally
	// Finish ends the phase's plan at the instant at: what is due before is
	// still sent, what is due later is not planned. It waits for answers of the
	// API, at most as long as ctx, and returns what was refused.
	Finish(ctx context.Context, at int64) ([]Refusal, error)
	// Settle closes the accounts of the phase, given what any worker's
	// publishes were refused, after what was to be waited for was waited for.
	// What it counts is in the next Tick.
	Settle(refused []Refusal)
	// Close ends all connections, at once and without TIME_WAIT.
	Close()
}
