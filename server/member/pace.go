package member

import (
	"fmt"
	"time"

	"roost/server/cluster"
)

// MostPace is the fastest that Hurry takes: steps of a weight are 60 s apart then, twice the
// time over which decay smooths loads. Faster ones would follow what the last has not
// shown yet.
const MostPace = 10

// Hurry makes all that a cluster does to its ring by itself so many times faster, 1 to
// MostPace: for rehearsals, where nobody waits 5 minutes for a trial. Shares, bounds and
// samples stay. The elected planner goes by its own pace, so all nodes are given one. It is
// called before Node.Join. Errors are cluster.ErrOptions.
func (j *Join) Hurry(pace float64) error {
	if !(pace >= 1 && pace <= MostPace) {
		return fmt.Errorf("%w: a pace of %v: 1, as it is meant, to %d times as fast", cluster.ErrOptions, pace, MostPace)
	}
	if j.Control.Live.Update == 0 {
		j.Control = DefaultControl()
	}
	live := &j.Control.Live
	live.Update, live.Budget = time.Duration(float64(live.Update)/pace), min(live.Budget*pace, live.Burst)
	j.Plan, j.Trial = j.Plan.Faster(pace), j.Trial.Faster(pace)
	return nil
}
