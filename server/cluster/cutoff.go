package cluster

import "roost/ring"

// takesIn returns those nodes that may come into a ring: all but those that say that they do not reach
// Redis, where a node of the ring says that it does. Such a one refuses devices and sends those
// that it has away, so a trial of it could only fail, and would keep others from coming until then.
func takesIn(v *View, r *ring.Ring, joins []ring.Node) (may []ring.Node, cut []string) {
	for _, n := range joins {
		if reached, said := v.ReachesRedis(n.ID); said && !reached {
			cut = append(cut, n.ID)
			continue
		}
		may = append(may, n)
	}
	if len(cut) == 0 {
		return joins, nil
	}
	for _, n := range r.Nodes() {
		if reached, _ := v.ReachesRedis(n.ID); reached && n.Weight > 0 {
			return may, cut
		}
	}
	return joins, nil
}

// ReachesRedis is what a node says of whether it reaches Redis; said is false where it says nothing of
// that, or nothing that can be read. A frozen view has what it said last.
func (v *View) ReachesRedis(id string) (reached, said bool) {
	w, ok := v.Weights[id]
	if !ok {
		return false, false
	}
	in, err := w.Said()
	if err != nil || in.Redis == nil {
		return false, false
	}
	return *in.Redis, true
}
