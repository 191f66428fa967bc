package plan

import (
	"fmt"
	"time"
)

// Bounds past which a run says more about the generator than about the server.
const (
	MaxLoopCPU  = 0.9                   // cores per loop that may sleep
	MinRate     = 0.98                  // share of the planned rate
	MaxLateness = 10 * time.Millisecond // 99 % of sends must not be later
)

// Effort is how hard the generator had to work in the measured time.
type Effort struct {
	Loops   int
	Spin    bool    // loops never sleep: their CPU says nothing
	Cores   float64 // CPU time over time
	Planned int     // sends due; 0 in a closed loop
	Burst   int     // of them, how many share a due time
	Sent    int     // of them, sent in time to count
	TooLate int     // of them, sent later than MaxLateness
}

// ClientBound returns why the generator was the limit, nothing if it was not.
func (e Effort) ClientBound() (reasons []string) {
	if limit := MaxLoopCPU * float64(e.Loops); !e.Spin && e.Cores > limit {
		reasons = append(reasons, fmt.Sprintf("generator used %.2f cores with %d loops (limit %.2f)", e.Cores, e.Loops, limit))
	}
	if e.Planned > 0 && float64(e.Sent) < MinRate*float64(e.Planned) {
		reasons = append(reasons, fmt.Sprintf("only %d of %d planned sends were made in time (limit %.0f %%)", e.Sent, e.Planned, 100*MinRate))
	}
	if limit := max(e.Planned/100, e.Burst, 1); e.Planned > 0 && e.TooLate > limit { // 1 %, and of few sends one due time
		reasons = append(reasons, fmt.Sprintf("%d of %d sends were more than %v late (limit %d)", e.TooLate, e.Planned, MaxLateness, limit))
	}
	return reasons
}
