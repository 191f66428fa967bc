package coord

import (
	"context"
	"errors"

	"roost/loadgen/result"
)

// Exit is how a process ends that has run a scenario.
type Exit int

// Exit codes.
const (
	ExitOK          Exit = 0   // valid, and all thresholds hold
	ExitError       Exit = 1   // something went wrong: there is no result
	ExitUsage       Exit = 2   // a mistake in the command line or the scenario
	ExitInvalid     Exit = 3   // the run is INVALID: its numbers are no result
	ExitBreached    Exit = 4   // valid, and a threshold does not hold, messages were lost, or a phase timed out
	ExitShort       Exit = 5   // this machine is not enough for the plan
	ExitInterrupted Exit = 130 // somebody ended it
)

// ExitOf returns the code of a run that ended with res and err, as Run returns
// them.
func ExitOf(res *result.Result, err error) Exit {
	var short *ShortError
	switch {
	case errors.As(err, &short):
		return ExitShort
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case err != nil || res == nil:
		return ExitError
	}
	switch res.Verdict {
	case result.Valid:
		return ExitOK
	case result.Invalid:
		return ExitInvalid
	case result.Breached:
		return ExitBreached
	case result.Interrupted:
		return ExitInterrupted
	}
	return ExitError
}
