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
	Changed     int          // nodes whose Weight is another than before, new and removed ones included; Controller.Changed says which
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
	placed    time.Duration // of the last decision about placement, or the last update of a storm
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
	was        weights // before the last Update; 0 of a node that was not there
}

// weights are those of both kinds of rings.
type weights struct{ placement, live float64 }

// NewController returns a controller of p's nodes, or the error of
// ControlSettings.Validate, or ErrTaken if p has one already. Only it may call
// p.Step from then on.
func NewController(p *Pipeline, set ControlSettings) (*Controller, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	if p.taken {
		return nil, ErrTaken
	}
	p.taken = true
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
	removed := c.members()
	stormy := c.storm.update(now, placements)
	dt := since(c.placed, now)
	due := dt >= c.set.Placement.Update
	if stormy || due || c.live.due(now) {
		c.p.Step(now)
	}
	c.state = Normal
	switch {
	case stormy:
		c.state = Storm
		c.shelter(now)
		c.placed = now
	case due:
		c.place(now, dt)
		c.placed = now
	}
	r.State = c.state
	r.Moved = c.live.update(c, now)
	r.Changed, r.LiveChanged = c.count(removed)
	return r
}

// clock takes note of now, and begins anew where it has gone back.
func (c *Controller) clock(now time.Duration) {
	if !c.started {
		c.started = true
		c.placed = since(c.set.Placement.Update, now)
		c.published = since(max(c.set.Placement.CoolDown, 0), now)
		c.live.at = now
	} else if now < c.now {
		c.placed, c.published, c.live.at = now, now, now
	}
	c.now = now
}

// members takes new nodes in and removed ones out, and scales the weights of
// those whose capacity has changed. It returns the number of those removed.
func (c *Controller) members() (removed int) {
	for len(c.nodes) < len(c.p.nodes) {
		c.nodes = append(c.nodes, control{})
	}
	for i := range c.nodes {
		n, generation, capacity := &c.nodes[i], uint32(0), c.p.capacity[i]
		if c.p.clocks[i].used {
			generation = c.p.nodes[i].generation
		}
		n.was = weights{n.weight, n.live}
		switch {
		case n.generation != generation:
			if n.generation != 0 {
				removed++
			}
			*n = control{}
			if generation != 0 {
				w := c.p.share[i] * capacity
				*n = control{generation: generation, why: Joined, capacity: capacity, smooth: w, weight: w, live: capacity}
			}
		case generation != 0 && n.capacity != capacity:
			by := capacity / n.capacity
			n.old, n.why = n.weight, Resized
			n.capacity, n.smooth = capacity, n.smooth*by
			n.weight, n.live = c.bounded(n.weight*by, capacity), c.bounded(n.live*by, capacity)
		}
	}
	return removed
}

// bounded is w within [Min, Max] x capacity, which rounding may have led out of.
func (c *Controller) bounded(w, capacity float64) float64 {
	return min(max(w, c.p.set.Min*capacity), c.p.set.Max*capacity)
}

// count returns how many nodes have another weight than before the Update.
func (c *Controller) count(removed int) (placement, live int) {
	placement, live = removed, removed
	for i := range c.nodes {
		n := &c.nodes[i]
		if n.weight != n.was.placement {
			placement++
		}
		if n.live != n.was.live {
			live++
		}
	}
	return placement, live
}

// shelter publishes the capacities.
func (c *Controller) shelter(now time.Duration) {
	for i := range c.nodes {
		n := &c.nodes[i]
		if n.generation == 0 {
			continue
		}
		n.old, n.smooth, n.state, n.why = n.weight, n.capacity, Held, Stormed
		if n.weight != n.capacity {
			n.weight = n.capacity
			c.published = now
		}
	}
}

// place decides about new placements, dt after the last time.
func (c *Controller) place(now, dt time.Duration) {
	set := &c.set.Placement
	updates := min(float64(dt)/float64(set.Update), 3)
	alpha := 1 - math.Pow(1-set.Alpha, updates)
	cool := since(c.published, now) >= set.CoolDown
	for i := range c.nodes {
		n := &c.nodes[i]
		if n.generation == 0 {
			continue
		}
		n.smooth += alpha * (c.p.share[i]*n.capacity - n.smooth)
		n.old = n.weight
		n.decide(set, cool)
		if n.weight != n.old {
			n.weight = c.bounded(n.weight, n.capacity)
			c.published = now
		}
	}
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

// SetLive has the node's LiveWeight go on from w, kept within [Min, Max] x its capacity: from what was learned of it before
// this controller began. It reports false for no node, one added since the last Update, or without LiveSettings.On.
func (c *Controller) SetLive(n Node, w float64) bool {
	k := c.find(n)
	if k == nil || !c.live.set.On || !(w > 0) {
		return false
	}
	k.live = c.bounded(w, k.capacity)
	return true
}

// Changed reports whether the last Update changed the node's weight for new
// placements or its LiveWeight, from none if the node is new. It is false for no
// node: that one was removed is its caller's to know.
func (c *Controller) Changed(n Node) (placement, live bool) {
	k := c.find(n)
	if k == nil {
		return false, false
	}
	return k.weight != k.was.placement, k.live != k.was.live
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
