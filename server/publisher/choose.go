package publisher

import (
	"math"
	"slices"
	"time"

	"roost/decay"
)

// Choose is how the node for a message is chosen.
type Choose uint8

const (
	// ByRing: the owner of the target, then the ring's next ones. A topic's
	// messages all go to one node, those to all to another.
	ByRing Choose = iota
	// Any: a node at random, the baseline.
	Any
	// BeforePush: a node at random, by weights from what is known a second ago:
	// its own weight times the decay of its round-trip time. Costs no time, and is as
	// old as Freshness.
	BeforePush
	// AfterFailure: the owner, as ByRing; when it fails, all others are asked for a
	// sign of life at once, and one is drawn by their weights and these round-trip
	// times. Costs a round trip in the rare case, nothing otherwise.
	AfterFailure
)

// String returns the choice's name.
func (c Choose) String() string {
	return [...]string{"ring", "any", "before-push", "after-failure"}[min(c, AfterFailure)]
}

// Candidate is a node between which Weigh and Draw choose.
type Candidate struct {
	// Weight is what the node can take, relative to the others; 0 is not known, and
	// counts as the mean of those that are.
	Weight float64
	// RTT is its round-trip time; 0 is not known, and counts as their mean.
	RTT time.Duration
	// Out: it does not answer, or is left out. Its weight is 0.
	Out bool
}

// Weigh appends the weight of each candidate to dst: Weight x x.At(RTT), not
// normalised. It allocates nothing if dst has room.
func Weigh(dst []float64, cs []Candidate, x decay.Exponential) []float64 {
	var weight, rtt mean
	for _, c := range cs {
		if c.Out {
			continue
		}
		weight.add(c.Weight)
		rtt.add(float64(c.RTT))
	}
	for _, c := range cs {
		w := 0.0
		if !c.Out {
			d := time.Duration(rtt.or(float64(c.RTT)))
			w = weight.or(c.Weight) * x.At(d)
		}
		dst = append(dst, w)
	}
	return dst
}

// mean is that of the positive, finite values added.
type mean struct {
	sum float64
	n   int
}

func known(v float64) bool { return v > 0 && !math.IsInf(v, 1) }

func (m *mean) add(v float64) {
	if known(v) {
		m.sum += v
		m.n++
	}
}

// or returns v, or the mean if v is not known, or 1 if nothing is.
func (m *mean) or(v float64) float64 {
	switch {
	case known(v):
		return v
	case m.n == 0:
		return 1
	}
	return m.sum / float64(m.n)
}

// Draw returns the index of a weight, each with the probability of its share; u is
// random in [0, 1). It is -1 if no weight is above 0.
func Draw(weights []float64, u float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	last := -1
	at := u * sum
	for i, w := range weights {
		if w <= 0 {
			continue
		}
		if last = i; at < w {
			return i
		}
		at -= w
	}
	return last // rounding, or none
}

// chooser chooses nodes for messages. Its methods are for any goroutine.
type chooser struct {
	how    Choose
	decay  decay.Exponential
	health *health
	random func() float64
}

// first returns the node that gets a message first; nil if none is known.
func (c *chooser) first(t *table, hash uint64, now time.Time) *Node {
	switch c.how {
	case Any:
		return c.draw(t.nodes, nil, nil, now, false)
	case BeforePush:
		return c.draw(t.nodes, nil, nil, now, true)
	}
	return c.next(t, hash, nil, nil, now)
}

// next returns the node that gets a message after those in failed; nil if none is
// left. Where it is drawn by weights, those in seen come before all others, if there
// are any.
func (c *chooser) next(t *table, hash uint64, failed []string, seen map[string]bool, now time.Time) *Node {
	switch {
	case c.how == Any:
		return c.draw(t.nodes, failed, nil, now, false)
	case c.how == BeforePush, c.how == AfterFailure && len(failed) > 0:
		if n := c.draw(t.nodes, failed, seen, now, true); n != nil || len(seen) == 0 {
			return n
		}
		return c.draw(t.nodes, failed, nil, now, true)
	}
	var room [maxCandidates]*Node
	owners := t.owners(room[:0], hash, maxCandidates)
	for _, n := range owners {
		if !n.Draining && !slices.Contains(failed, n.ID) && c.health.well(n.ID, now) {
			return n
		}
	}
	// None of the ring's: it may be older than the members, or there may be none yet.
	return c.draw(t.nodes, failed, nil, now, false)
}

// draw returns a random one of nodes that are well and not failed, by weights or
// all alike; if there is none, of those that are not failed and have not asked to be
// left alone. Where seen has any, of those alone.
func (c *chooser) draw(nodes []Node, failed []string, seen map[string]bool, now time.Time, weighed bool) *Node {
	cs := make([]Candidate, len(nodes))
	for _, desperate := range []bool{false, true} {
		for i := range nodes {
			n := &nodes[i]
			cs[i] = Candidate{Weight: n.Weight, RTT: c.health.rtt(n.ID, now)}
			cs[i].Out = slices.Contains(failed, n.ID) || !desperate && (n.Draining || !c.health.well(n.ID, now)) || c.health.asked(n.ID, now)
			if len(seen) > 0 && !seen[n.ID] {
				cs[i].Out = true
			}
			if !weighed {
				cs[i].Weight, cs[i].RTT = 1, 0
			}
		}
		if i := Draw(Weigh(make([]float64, 0, len(cs)), cs, c.decay), c.random()); i >= 0 {
			return &nodes[i]
		}
	}
	return nil
}
