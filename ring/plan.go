package ring

// NodePlan is what a change does to a node. Devices are what its share of the
// table holds, not a count of who is connected.
type NodePlan struct {
	ID                        string
	WeightBefore, WeightAfter float64 // 0 where the node is not in the ring
	SlotsBefore, SlotsAfter   int
	Target                    float64 // slots that the weight asks for afterwards
	Gains, Loses              int     // slots
	DevicesAfter              float64
	Capacity                  float64 // devices; 0 is unknown
}

// Load returns which part of its capacity the node will hold, or 0 if the
// capacity is unknown.
func (n *NodePlan) Load() float64 {
	if n.Capacity == 0 {
		return 0
	}
	return n.DevicesAfter / n.Capacity
}

// Plan says what a change will do, before it is done.
type Plan struct {
	Diff
	// Ideal is how many slots must move for the shares that the weights ask for:
	// the sum of what nodes shall gain. Moved differs from it as far as points are
	// coarse: by about one point's share for each node that is changed.
	Ideal float64
	// Devices is how many move, of as many as Plan was told there are.
	Devices float64
	Nodes   []NodePlan // of both rings, by id
	// Over names the nodes that will hold more than their capacity.
	Over []string
}

// Plan returns what Apply(version, c) does to so many devices, and its ring.
// Errors are those of Apply.
func (r *Ring) Plan(version uint64, c Change, devices int) (*Plan, *Ring, error) {
	next, err := r.Apply(version, c)
	if err != nil {
		return nil, nil, err
	}
	p := &Plan{Diff: r.Compare(next)}
	per := float64(devices) / float64(p.Slots)
	p.Devices = float64(p.Moved) * per
	flow := map[string][2]int{}
	for _, m := range p.Moves {
		from, to := flow[m.From], flow[m.To]
		from[1] += m.Slots
		flow[m.From] = from
		to[0] += m.Slots
		flow[m.To] = to
	}
	for _, n := range r.nodePlans(next) {
		n.Gains, n.Loses = flow[n.ID][0], flow[n.ID][1]
		n.DevicesAfter = float64(n.SlotsAfter) * per
		if n.Load() > 1 {
			p.Over = append(p.Over, n.ID)
		}
		before := 0.0
		if v := r.Find(n.ID); v != None {
			before = r.Target(v)
		}
		p.Ideal += max(n.Target-before, 0)
		p.Nodes = append(p.Nodes, n)
	}
	if r.weights > 0 && next.weights == 0 {
		p.Ideal = float64(p.Slots) // nobody shall gain all
	}
	return p, next, nil
}

// nodePlans returns the nodes of both rings by id, with what each says of them.
func (r *Ring) nodePlans(next *Ring) (plans []NodePlan) {
	i, j := 0, 0
	for i < len(r.order) || j < len(next.order) {
		var n NodePlan
		old, now := None, None
		if i < len(r.order) {
			old = r.order[i]
		}
		if j < len(next.order) {
			now = next.order[j]
		}
		if old != None && (now == None || r.nodes[old].ID <= next.nodes[now].ID) {
			n.ID = r.nodes[old].ID
			n.WeightBefore, n.SlotsBefore = r.nodes[old].Weight, r.Slots(old)
			i++
		}
		if now != None && (n.ID == "" || n.ID == next.nodes[now].ID) {
			m := &next.nodes[now]
			n.ID, n.WeightAfter, n.Capacity = m.ID, m.Weight, m.Capacity
			n.SlotsAfter, n.Target = next.Slots(now), next.Target(now)
			j++
		}
		plans = append(plans, n)
	}
	return plans
}
