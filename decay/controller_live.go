package decay

import (
	"math"
	"time"
)

// leastMean is the mean level, as a share of a full node, below which
// deviations are taken relative to it and not to the mean: a cluster at 1 % of
// its load is not moved about because one node is at 2 %.
const leastMean = 0.05

// live makes the weights whose change moves connections.
type live struct {
	set    LiveSettings
	at     time.Duration // of the last step
	budget float64       // share of all connections that may be moved now
	want   []float64     // scratch: factor of each node's weight
	held   bool          // nothing is moved
}

// HoldLive has LiveWeight stay as it is, or not any more: for as long as a ring has yet to
// follow it. Without that it would go on integrating a load that its last steps have had no chance
// to change, and the ring would be sent past where it should be. The first step afterwards is a whole
// Update later, so that the load that it goes by is of what is there now.
func (c *Controller) HoldLive(held bool) { c.live.held = held }

// deviation is how far node i's load lies above the mean of all, as a share of
// it: the mean of its signals' deviations by weight. ok is false if its load is
// not known.
func (p *Pipeline) deviation(i int) (d float64, ok bool) {
	if p.status[i] != Measured {
		return 0, false
	}
	total := 0.0
	for s := range p.stats {
		level, st := p.level[s][i], &p.stats[s]
		if st.n == 0 || level != level {
			continue
		}
		d += p.blend[s] * (level - st.mean) / max(st.mean, leastMean)
		total += p.blend[s]
	}
	if total == 0 {
		return 0, false
	}
	return d / total, true
}

// due reports whether a step is: it needs levels of now.
func (l *live) due(now time.Duration) bool {
	return l.set.On && !l.held && since(l.at, now) >= l.set.Update
}

// update makes a step if one is due. In a storm, and while it is held, nothing is moved.
func (l *live) update(c *Controller, now time.Duration) (moved float64) {
	if !l.held && !l.due(now) {
		return 0
	}
	l.budget = min(l.budget+l.set.Budget*elapsed(l.at, now)/60, l.set.Burst)
	l.at = now
	if l.held || c.state == Storm {
		return 0
	}
	l.aim(c)
	share, moved := l.afford(c)
	if moved == 0 {
		return 0
	}
	l.budget -= moved
	for i := range c.nodes {
		c.nodes[i].live = l.stepped(c, i, share)
	}
	return moved
}

// afford returns the share of the way that the budget allows, and what it moves.
// Moves do not grow in proportion to the share: where weights are at their bounds
// half of the way may move as much as all of it. So it is found by bisection.
func (l *live) afford(c *Controller) (share, moved float64) {
	if moved = l.moves(c, 1); moved <= l.budget {
		return 1, moved
	}
	lo, hi := 0.0, 1.0
	for range 24 {
		if mid := (lo + hi) / 2; l.moves(c, mid) <= l.budget {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo, l.moves(c, lo)
}

// aim sets the factor that each node's weight should be multiplied by.
func (l *live) aim(c *Controller) {
	for len(l.want) < len(c.nodes) {
		l.want = append(l.want, 0)
	}
	most := l.set.Step
	if most < 0 {
		most = 1
	}
	for i := range c.nodes {
		l.want[i] = 1
		if c.nodes[i].generation == 0 {
			continue
		}
		if d, ok := c.p.deviation(i); ok && math.Abs(d) > l.set.Band {
			l.want[i] = 1 - min(max(l.set.Gain*d, -most), most)
		}
	}
}

// stepped is the weight of node i, a share of the way to what it should be.
func (l *live) stepped(c *Controller, i int, share float64) float64 {
	w, capacity := c.nodes[i].live, c.nodes[i].capacity
	if l.want[i] == 1 || c.nodes[i].generation == 0 {
		return w
	}
	w *= 1 + share*(l.want[i]-1)
	return min(max(w, c.p.set.Min*capacity), c.p.set.Max*capacity)
}

// moves is the share of connections that change their node if the weights go a
// share of the way: what the nodes that grow gain.
func (l *live) moves(c *Controller, share float64) (moved float64) {
	before, after := 0.0, 0.0
	for i := range c.nodes {
		before += c.nodes[i].live
		after += l.stepped(c, i, share)
	}
	if before == 0 || after == 0 {
		return 0
	}
	for i := range c.nodes {
		if gain := l.stepped(c, i, share)/after - c.nodes[i].live/before; gain > 0 {
			moved += gain
		}
	}
	// Below this are rounding errors, not moves.
	if moved < 1e-12 {
		return 0
	}
	return moved
}
