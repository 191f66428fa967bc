package member

import "roost/server/cluster"

// awaited reports whether the ring has yet to follow a node's weight: another ring is on
// trial, the weight differs by so much that a version will be made of it, or an operator has pinned
// another. Steps of the weight wait for that, as they go by a load that it will change: a
// trial that lasts half an hour, for want of deliveries, would see three steps, and the version after it would
// take from the node far more than it has too much.
func awaited(v *cluster.View, a *cluster.Active, id string, plan cluster.PlanSettings) bool {
	stable := a.Routes.Stable()
	if v.Pointer.Canary != 0 || stable == nil {
		return true
	}
	held := stable.Node(stable.Find(id))
	if held == nil || held.Weight == 0 {
		return true
	}
	pins, _ := cluster.PinsOf(v)
	if _, pinned := pins[id]; pinned {
		return true
	}
	wanted, there := cluster.Wanted(v, stable, id, plan)
	return !there || plan.WithDefaults().Follows(wanted.Weight, held.Weight)
}
