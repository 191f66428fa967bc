package plant

import (
	"math"
	"math/rand/v2"
	"time"

	"roost/decay"
)

// sim is a run under way.
type sim struct {
	set     Settings
	policy  Policy
	rand    *rand.Rand
	pipe    *decay.Pipeline
	control *decay.Controller
	nodes   []*node
	weights []float64 // of the ring
	sum     float64
	away    float64 // connections that a drop has ended and that are not back
	total   float64 // capacity
	placed  float64 // placements in the last second
	m       meter
}

// Run simulates policy on a cluster. The error is that of Settings.Validate, here
// or in decay.
func Run(set Settings, policy Policy) (Result, error) {
	s, err := newSim(set, policy)
	if err != nil {
		return Result{}, err
	}
	for now := time.Duration(0); now < s.set.Run; now += time.Second {
		if err := s.second(now); err != nil {
			return Result{}, err
		}
	}
	return s.m.result(s), nil
}

// newSim is a cluster at its start: all connections are there, spread by weight.
func newSim(set Settings, policy Policy) (*sim, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	s := &sim{set: set.withDefaults(), policy: policy}
	s.rand = rand.New(rand.NewPCG(s.set.Seed, 0x9e3779b97f4a7c15))
	var err error
	if s.pipe, err = decay.NewPipeline(policy.Pipeline); err != nil {
		return nil, err
	}
	if s.control, err = decay.NewController(s.pipe, policy.Control); err != nil {
		return nil, err
	}
	for i := range s.set.Nodes {
		// Long since there: no blackout, no cap.
		if err := s.add(-24*time.Hour, s.set.Capacities[i%len(s.set.Capacities)]); err != nil {
			return nil, err
		}
	}
	s.placed = math.NaN() // not known yet
	s.publish(0)
	for i, n := range s.nodes {
		n.active = s.set.Connections * s.share(i)
	}
	s.m.begin(s)
	return s, nil
}

// add puts an empty node in.
func (s *sim) add(now time.Duration, capacity float64) error {
	n := &node{capacity: capacity, told: capacity, skew: 1 + s.set.RingSkew*s.rand.NormFloat64()}
	n.skew = max(n.skew, 0.1)
	if s.set.Unknown {
		n.told = 1
	}
	n.seen = make([]decay.Sample, int(s.set.Stale/time.Second)+1)
	var err error
	n.handle, err = s.pipe.Add(now, "node", n.told)
	s.nodes = append(s.nodes, n)
	s.weights = append(s.weights, 0)
	s.total += capacity
	return err
}

// share is the share of new connections that node i gets.
func (s *sim) share(i int) float64 { return s.weights[i] * s.nodes[i].skew / s.sum }

// publish lets the controller decide, and takes its weights into the ring.
func (s *sim) publish(now time.Duration) decay.Result {
	r := s.control.Update(now, s.placed)
	s.sum = 0
	for i, n := range s.nodes {
		switch s.policy.Weights {
		case Placed:
			s.weights[i] = s.control.Weight(n.handle)
		case Lived:
			s.weights[i] = s.control.LiveWeight(n.handle)
		default:
			s.weights[i] = n.told
		}
		s.sum += s.weights[i] * n.skew
	}
	return r
}

// second is one second of the cluster's life.
func (s *sim) second(now time.Duration) error {
	if s.set.Join.At > 0 && now == s.set.Join.At.Truncate(time.Second) {
		if err := s.add(now, s.set.Join.Capacity); err != nil {
			return err
		}
		s.m.joined(now)
	}
	if s.set.Drop.Share > 0 && now == s.set.Drop.At.Truncate(time.Second) {
		for _, n := range s.nodes[:int(s.set.Drop.Share*float64(len(s.nodes)))] {
			s.away += n.active
			n.active = 0
		}
	}
	old := append([]float64(nil), s.weights...)
	oldSum := s.sum
	r := s.publish(now)
	moved := 0.0
	if s.set.Moves {
		moved = s.move(old, oldSum)
	}
	s.live()
	if now%s.set.Sample == 0 {
		for _, n := range s.nodes {
			s.measure(now, n)
		}
	}
	s.m.second(s, now, r, old, moved)
	return nil
}

// move lets connections follow the weights: a node that lost a share of its
// shares loses that share of its connections to those that gain. It returns the
// number of them.
func (s *sim) move(old []float64, oldSum float64) (moved float64) {
	gains := 0.0
	for i, n := range s.nodes {
		before := old[i] * n.skew / oldSum
		if d := s.share(i) - before; d < 0 {
			lost := n.active * -d / before
			n.active -= lost
			moved += lost
		} else {
			gains += d
		}
	}
	for i, n := range s.nodes {
		if d := s.share(i) - old[i]*n.skew/oldSum; d > 0 {
			n.active += moved * d / gains
		}
	}
	return moved
}

// live ends connections and places as many, and some of those that are away.
func (s *sim) live() {
	ended := 0.0
	for _, n := range s.nodes {
		d := min(s.poisson(n.active/s.set.Life.Seconds()), n.active)
		n.active -= d
		ended += d
	}
	back := s.away * (1 - math.Exp(-1/s.set.Drop.Back.Seconds()))
	s.away -= back
	s.placed = 0
	for i, n := range s.nodes {
		n.arrived = s.poisson((ended + back) * s.share(i))
		s.placed += n.arrived
	}
	// Exactly as many begin as end.
	for _, n := range s.nodes {
		if s.placed > 0 {
			n.arrived *= (ended + back) / s.placed
			n.active += n.arrived
		}
	}
	s.placed = ended + back
}

// poisson draws from a normal distribution of the same mean and variance.
func (s *sim) poisson(mean float64) float64 {
	return max(mean+math.Sqrt(mean)*s.rand.NormFloat64(), 0)
}

// measure takes a sample of a node, and hands over the one that is now known.
func (s *sim) measure(now time.Duration, n *node) {
	u := n.utilisation(&s.set, s.set.Connections/s.total)
	noisy := func(v float64) float64 { return v * max(1+s.set.Noise*s.rand.NormFloat64(), 0) }
	wait := 1 / (1 - min(u, 0.98))
	k := int(now/s.set.Sample) % len(n.seen)
	n.seen[k] = decay.Sample{At: now, CPU: min(noisy(100*u), 100), Latency: noisy(2 * wait), Connections: n.active,
		Backlog: noisy(20e3 * u * wait), LoopLag: noisy(0.2 * wait)}
	delay := int(s.set.Stale / s.set.Sample)
	known := n.seen[(k+len(n.seen)-delay)%len(n.seen)]
	if known.CPU > 0 || known.Latency > 0 {
		s.pipe.Put(n.handle, known)
	}
}
