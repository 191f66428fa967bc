package couplings

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"roost/decay"
	"roost/ring"
	"roost/server/publisher"
)

// policy is how a node is chosen.
type policy struct {
	Name string `json:"name"`
	Note string `json:"note"`
	// First and Next are what the first choice is by, and those after a failure.
	First, Next by
	Curve       decay.Exponential `json:"curve"`
}

// by is what a choice is made by.
type by uint8

const (
	byChance   by = iota // alike
	byRing               // the owner, then the ring's next ones
	bySnapshot           // weights and round-trip times as last known
	byLook               // weights and round-trip times asked for now, at the cost of the time that takes
)

// halves10 halves a weight in each 10 ms of round-trip time.
var halves10 = decay.Exponential{W0: 100, Lambda: decay.LambdaOf(10 * time.Millisecond)}

// policies are those that are compared; the first is the baseline.
var policies = []policy{
	{"random", "any node, and after a failure any other", byChance, byChance, decay.Exponential{}},
	{"ring", "the owner by the ring, after a failure the next one", byRing, byRing, decay.Exponential{}},
	{"before push, given", "drawn by weight x 100 e^(-0.02 rtt/s), as known up to 1 s ago", bySnapshot, bySnapshot, decay.GivenRTT()},
	{"before push, 100 ms", "the same, halved in each 100 ms of round trip", bySnapshot, bySnapshot, decay.RTT()},
	{"before push, 10 ms", "the same, halved in each 10 ms", bySnapshot, bySnapshot, halves10},
	{"after failure", "any node; after a failed connect all others are asked, and one is drawn by weight and round trip (halved in 10 ms)", byChance, byLook, halves10},
	{"ring, then after failure", "the owner by the ring, then as the last", byRing, byLook, halves10},
	{"both", "before push (10 ms) first, then after failure", bySnapshot, byLook, halves10},
}

// chooser is a policy in a world.
type chooser struct {
	p     *policy
	w     *world
	r     *rand.Rand
	ring  *ring.Ring
	known []view // by zone
	curve decay.Exponential
	room  []float64
}

// view is what a zone knows of the nodes.
type view []publisher.Candidate

// newChooser begins with snapshots in which all are well.
func newChooser(p *policy, w *world, r *rand.Rand) (*chooser, error) {
	var nodes []ring.Node
	for i, n := range w.Nodes {
		nodes = append(nodes, ring.Node{ID: nodeID(i), Weight: n.Weight})
	}
	of, err := ring.Build(1, nodes, ring.Options{})
	c := &chooser{p: p, w: w, r: r, ring: of, curve: p.Curve}
	if c.curve == (decay.Exponential{}) {
		c.curve.W0 = 1 // no decay
	}
	for zone := range w.RTT {
		c.known = append(c.known, c.look(zone, 0))
	}
	return c, err
}

// look asks all nodes how they are at a time: a node that is not well is out.
func (c *chooser) look(zone int, at time.Duration) view {
	s := make(view, len(c.w.Nodes))
	for i, n := range c.w.Nodes {
		f, _ := c.w.faultAt(i, at)
		s[i] = publisher.Candidate{Weight: n.Weight, RTT: c.rtt(zone, i, at), Out: f == refuse || f == hang}
	}
	return s
}

// rtt draws a round-trip time.
func (c *chooser) rtt(zone, node int, at time.Duration) time.Duration {
	_, longer := c.w.faultAt(node, at)
	base := c.w.RTT[zone][c.w.Nodes[node].Zone]
	return time.Duration(float64(base)*math.Exp(c.w.Jitter*c.r.NormFloat64())) + longer
}

// choose returns the node for a push, and what choosing cost; -1 if nobody is left.
func (c *chooser) choose(p *push, at time.Duration) (node int, cost time.Duration) {
	how := c.p.First
	if len(p.failed) > 0 {
		how = c.p.Next
	}
	switch how {
	case byRing:
		for _, i := range c.ring.OwnersN(nil, p.key, len(c.w.Nodes)) {
			if n := number(c.ring.Node(i).ID); !slices.Contains(p.failed, n) {
				return n, 0
			}
		}
		return -1, 0
	case bySnapshot:
		return c.draw(c.known[p.zone], p.failed), 0
	case byLook:
		s := c.look(p.zone, at)
		return c.draw(s, p.failed), s.enough(p.failed)
	}
	alike := make(view, len(c.w.Nodes))
	for i := range alike {
		alike[i].Weight = 1
	}
	return c.draw(alike, p.failed), 0
}

// enough is how long a look takes: twice the round trip of the nearest that answers, as
// server/publisher does it. Nodes that are farther are not in it.
func (s view) enough(failed []int) time.Duration {
	nearest := time.Duration(math.MaxInt64 / 4)
	for i, n := range s {
		if !n.Out && !slices.Contains(failed, i) {
			nearest = min(nearest, n.RTT)
		}
	}
	if nearest > time.Hour {
		return timeout // nobody answers
	}
	most := 2*nearest + time.Millisecond
	last := nearest
	for i := range s {
		if s[i].RTT > most {
			s[i].Out = true
		}
		if !s[i].Out && !slices.Contains(failed, i) {
			last = max(last, s[i].RTT)
		}
	}
	return last
}

// draw draws a node that has not failed; where none is known to be well, any that has
// not failed.
func (c *chooser) draw(s view, failed []int) int {
	mine := slices.Clone(s)
	for _, i := range failed {
		mine[i].Out = true
	}
	c.room = publisher.Weigh(c.room[:0], mine, c.curve)
	if i := publisher.Draw(c.room, c.r.Float64()); i >= 0 {
		return i
	}
	var left []int
	for i := range s {
		if !slices.Contains(failed, i) {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return -1
	}
	return left[c.r.IntN(len(left))]
}
