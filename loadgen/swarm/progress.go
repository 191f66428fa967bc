package swarm

import "sync/atomic"

// gauges are levels that the loop writes and anyone reads.
type gauges struct {
	phase, connected, dialing, goal, dialed, cut, restored, away, pending atomic.Int32
	idle, planDone                                                        atomic.Bool
}

// Progress reports where the phase is.
func (w *Worker) Progress() Progress {
	g := &w.level
	return Progress{
		Phase: int(g.phase.Load()), Clients: int(w.count), Connected: int(g.connected.Load()),
		Dialing: int(g.dialing.Load()), Goal: int(g.goal.Load()), Dialed: int(g.dialed.Load()),
		Cut: int(g.cut.Load()), Restored: int(g.restored.Load()), Away: int(g.away.Load()),
		Pending: int(g.pending.Load()), Idle: g.idle.Load(), PlanDone: g.planDone.Load(),
	}
}
