package coord

import (
	"fmt"
	"math"

	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
)

// levels are the sums of the workers' progress.
type levels struct {
	swarm.Progress
	idle    bool // all of them are
	current bool // all of them are in the phase under way
}

// sum adds up the progress of those in phase.
func sum(phase int, ps []swarm.Progress) levels {
	l := levels{idle: true, current: len(ps) > 0}
	for i := range ps {
		p := &ps[i]
		l.Clients += p.Clients
		l.Connected += p.Connected
		l.Dialing += p.Dialing
		l.Away += p.Away
		l.Pending += p.Pending
		if p.Phase != phase {
			l.idle, l.current = false, false
			continue
		}
		l.Goal += p.Goal
		l.Dialed += p.Dialed
		l.Cut += p.Cut
		l.Restored += p.Restored
		l.idle = l.idle && p.Idle
	}
	return l
}

// expectation is what a condition is measured against.
type expectation struct {
	until scenario.Until
	// before is how many were connected at the phase's begin.
	before int
	// storm is that of the phase, and over says that its time, or its hook, is.
	storm *scenario.Storm
	over  bool
}

// holds reports whether the condition of a phase is true. What the workers say
// is of this phase alone if l.current.
func (e expectation) holds(l levels) bool {
	if !l.current {
		return false
	}
	switch e.until.Kind {
	case scenario.UntilConnected:
		return l.Connected >= part(e.until.Share, l.Goal)
	case scenario.UntilRestored:
		return e.over && l.Cut >= e.minCut(l) && l.Restored >= part(e.until.Share, l.Cut)
	case scenario.UntilDrained:
		gone := part(e.until.Share, e.before-l.Goal)
		return e.before-l.Connected >= gone
	}
	return false
}

// minCut is how many the storm cuts at least: before, it has not really begun. Of
// those that it has chosen, some may have been without a connection.
func (e expectation) minCut(l levels) int {
	if e.storm == nil || e.storm.How == scenario.CloseServer {
		return min(e.before, 1)
	}
	return max(int(e.storm.Share*float64(l.Goal)+.5)-max(l.Goal-e.before, 0), min(e.before, 1))
}

// part is a share of n, rounded up.
func part(share float64, n int) int { return int(math.Ceil(share*float64(n) - 1e-9)) }

// String says the condition, empty if it is a time.
func (e expectation) String() string {
	switch e.until.Kind {
	case scenario.UntilTime:
		return ""
	default:
		return fmt.Sprintf("%g %% %s", 100*e.until.Share, e.until.Kind)
	}
}

// remaining says how far a condition is from true.
func (e expectation) remaining(l levels) string {
	switch e.until.Kind {
	case scenario.UntilConnected:
		return fmt.Sprintf("%d of %d are connected", l.Connected, l.Goal)
	case scenario.UntilRestored:
		if l.Cut < e.minCut(l) {
			return fmt.Sprintf("%d connections were ended, and at least %d should have been", l.Cut, e.minCut(l))
		}
		return fmt.Sprintf("%d of %d are restored", l.Restored, l.Cut)
	case scenario.UntilDrained:
		return fmt.Sprintf("%d are connected, and only %d should be", l.Connected, l.Goal)
	}
	return ""
}
