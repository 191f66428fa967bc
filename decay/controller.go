package decay

import (
	"math"
	"time"
)

// Why says what the controller did with a node's weight at the last Update, and
// why not more.
type Why uint8

// What became of a weight.
const (
	NotDecided  Why = iota
	Joined          // published at once: the node is new
	Resized         // published at once: its capacity is another
	InBand          // held: it differs too little
	CoolingDown     // held: the last publication was a moment ago
	Published       // published as it is
	StepBounded     // published, Step of the way
	Stormed         // the capacity, because of a storm
)

func (w Why) String() string {
	return [...]string{"not decided", "joined", "resized", "held: within the band", "held: cooling down",
		"published", "published: one step of the way", "capacity: storm"}[min(w, Stormed)]
}

// NodeState is a controller's, of one node.
type NodeState uint8

// A node's state moves so. Samples of a node in Settings.Blackout do not count,
// so its target is the mean; what the controller does with it is the same.
//
//	              |weight/published - 1| > Band
//	Add ──> Held ──────────────────────────────> Following
//	             <──────────────────────────────
//	              <= Inner, or a storm
const (
	Held      NodeState = iota
	Following           // published at every update that may, until it is close
)

func (s NodeState) String() string { return [...]string{"held", "following"}[min(s, Following)] }

// Result is what an Update did.
type Result struct {
	Changed     int          // nodes whose Weight is another than before, new and removed ones included
	LiveChanged int          // the same for LiveWeight
	Moved       float64      // share of live connections that the change of LiveWeight moves, joins and leaves excluded
	State       ClusterState // now
}

// Controller decides which weights are published. It belongs to one goroutine,
// with its Pipeline, and makes the pipeline step. A ring that only places new
// connections takes Weight; a ring whose change moves connections that are open
// takes LiveWeight.
type Controller struct {
	// Static after NewController.
	p   *Pipeline
	set ControlSettings

	// Per slot of the pipeline.
	nodes []control

	started   bool
	now       time.Duration
	placed    time.Duration // of the last decision about placement
	published time.Duration // of the last publication
	storm     storm
	state     ClusterState
	live      live
}

// control is what is known of one node.
type control struct {
	generation uint32 // 0 is none
	state      NodeState
	why        Why
	capacity   float64
	smooth     float64
	old        float64 // published before the last decision
	weight     float64 // published
	live       float64
}

// NewController returns a controller of p's nodes, or the error of
// ControlSettings.Validate. Only it may call p.Step from then on.
func NewController(p *Pipeline, set ControlSettings) (*Controller, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	set = set.WithDefaults()
	c := &Controller{p: p, set: set, storm: newStorm(set.Storm)}
	c.live.set = set.Live
	return c, nil
}

// Settings returns the settings in use, defaults filled in.
func (c *Controller) Settings() ControlSettings { return c.set }

// Update decides what is published at now. It may be called as often as is
// convenient, say each second: decisions are made when they are due, joins,
// leaves and storms are seen at once. placements is the number of connections
// that the whole cluster has taken on per second, over the last second or so;
// NaN if it is not known.
//
// now is on the clock of the pipeline. Should it go back, nothing is decided
// until the next time that is due; should it leap ahead, that counts as no more
// than three updates.
func (c *Controller) Update(now time.Duration, placements float64) (r Result) {
	c.clock(now)
	stormy := c.storm.update(now, placements)
	r.Changed = c.members()
	r.LiveChanged = r.Changed
	dt := now - c.placed
	switch {
	case stormy:
		c.p.Step(now)
		r.Changed += c.shelter(now)
	case dt >= c.set.Placement.Update:
		c.p.Step(now)
		r.Changed += c.place(now, dt)
	}
	if stormy || dt >= c.set.Placement.Update {
		c.placed = now
	}
	c.state = Normal
	if stormy {
		c.state = Storm
	}
	r.State = c.state
	changed, moved := c.live.update(c, now)
	r.LiveChanged += changed
	r.Moved = moved
	return r
}

// clock takes note of now, and begins anew where it has gone back.
func (c *Controller) clock(now time.Duration) {
	if !c.started {
		c.started = true
		c.placed = now - c.set.Placement.Update
		c.published = now - max(c.set.Placement.CoolDown, 0)
		c.live.at = now
	} else if now < c.now {
		c.placed, c.published, c.live.at = now, now, now
	}
	c.now = now
}

// members takes new nodes in and removed ones out, scales the weights of those
// whose capacity has changed, and returns the number of all these.
func (c *Controller) members() (changed int) {
	for len(c.nodes) < len(c.p.nodes) {
		c.nodes = append(c.nodes, control{})
	}
	for i := range c.nodes {
		n, generation, capacity := &c.nodes[i], uint32(0), c.p.capacity[i]
		if c.p.clocks[i].used {
			generation = c.p.nodes[i].generation
		}
		switch {
		case n.generation != generation:
			changed++
			*n = control{}
			if generation != 0 {
				w := c.p.share[i] * capacity
				*n = control{generation: generation, why: Joined, capacity: capacity, smooth: w, weight: w, live: capacity}
			}
		case generation != 0 && n.capacity != capacity:
			changed++
			by := capacity / n.capacity
			n.old, n.why = n.weight, Resized
			n.capacity, n.smooth, n.weight, n.live = capacity, n.smooth*by, n.weight*by, n.live*by
		}
	}
	return changed
}

// shelter publishes the capacities.
func (c *Controller) shelter(now time.Duration) (changed int) {
	for i := range c.nodes {
		n := &c.nodes[i]
		if n.generation == 0 {
			continue
		}
		n.old, n.smooth, n.state, n.why = n.weight, n.capacity, Held, Stormed
		if n.weight != n.smooth {
			n.weight = n.smooth
			changed++
		}
	}
	if changed > 0 {
		c.published = now
	}
	return changed
}

// place decides about new placements, dt after the last time.
func (c *Controller) place(now, dt time.Duration) (changed int) {
	set := &c.set.Placement
	updates := min(float64(dt)/float64(set.Update), 3)
	alpha := 1 - math.Pow(1-set.Alpha, updates)
	cool := now-c.published >= set.CoolDown
	for i := range c.nodes {
		n := &c.nodes[i]
		if n.generation == 0 {
			continue
		}
		n.smooth += alpha * (c.p.share[i]*n.capacity - n.smooth)
		n.old = n.weight
		n.decide(set, cool)
		// Rounding must not lead out of bounds.
		n.weight = min(max(n.weight, c.p.set.Min*n.capacity), c.p.set.Max*n.capacity)
		if n.weight != n.old {
			changed++
		}
	}
	if changed > 0 {
		c.published = now
	}
	return changed
}

// decide moves the published weight towards the smoothed one, if it may.
func (n *control) decide(set *PlacementSettings, cool bool) {
	d := n.smooth/n.weight - 1
	switch {
	case n.state == Held && math.Abs(d) > set.Band:
		n.state = Following
	case n.state == Following && math.Abs(d) <= set.Inner:
		n.state = Held
	}
	switch {
	case n.state == Held:
		n.why = InBand
	case !cool:
		n.why = CoolingDown
	case set.Step > 0 && math.Abs(d) > set.Step:
		n.why = StepBounded
		n.weight *= 1 + math.Copysign(set.Step, d)
	default:
		n.why = Published
		n.weight = n.smooth
	}
}

// find returns what is known of a node.
func (c *Controller) find(n Node) *control {
	slot, ok := c.p.find(n)
	if !ok || int(slot) >= len(c.nodes) || c.nodes[slot].generation != n.generation {
		return nil
	}
	return &c.nodes[slot]
}

// Weight is the node's published weight for new placements, within [Min, Max] x
// its capacity. 0 for no node, or one added since the last Update.
func (c *Controller) Weight(n Node) float64 {
	if k := c.find(n); k != nil {
		return k.weight
	}
	return 0
}

// LiveWeight is the node's published weight for a ring that moves connections
// that are open: within [Min, Max] x its capacity, or the capacity if
// LiveSettings.On is not set. 0 for no node, or one added since the last Update.
func (c *Controller) LiveWeight(n Node) float64 {
	if k := c.find(n); k != nil {
		return k.live
	}
	return 0
}

// NodeState is the node's state.
func (c *Controller) NodeState(n Node) NodeState {
	if k := c.find(n); k != nil {
		return k.state
	}
	return Held
}

// State is the cluster's at the last Update.
func (c *Controller) State() ClusterState { return c.state }

// Explain says how the node came to its published weight. It allocates nothing,
// and is false for no node.
func (c *Controller) Explain(n Node, e *Explanation) bool {
	if !c.p.Explain(n, e) {
		return false
	}
	if k := c.find(n); k != nil {
		e.Smooth, e.Old, e.New, e.Why, e.State = k.smooth, k.old, k.weight, k.why, c.state
	}
	return true
}
