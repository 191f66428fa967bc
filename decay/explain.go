package decay

import (
	"math"
	"time"
)

// SignalStep is what became of one signal of one node at one Step. Values are in
// the signal's unit, for this node: mean and deviation of connections and
// backlog are those of a node of its capacity.
type SignalStep struct {
	Used     bool    // the signal has a weight, and the node has a value
	Input    float64 // as it came in the last sample; NaN if it was not measured
	Smoothed float64 // by Settings.Tau
	Cut      float64 // as it counted for mean and deviation
	Mean     float64 // of all nodes
	Sigma    float64 // of all nodes, after the floors
	Z        float64 // of ZScore, after ZClip
	Score    float64 // of the other forms
	AtMean   float64 // of the other forms: the score of a node of this capacity at Mean
	Weight   float64 // in the blend; those of all signals sum to 1
}

// Bound says what bounded a node's relative score.
type Bound uint8

// What bounded a score.
const (
	Free      Bound = iota
	AtMin           // Settings.Min
	AtMax           // Settings.Max
	AtJoinCap       // Settings.JoinCap
)

func (b Bound) String() string {
	return [...]string{"", "min", "max", "join cap"}[min(b, AtJoinCap)]
}

// Explanation is how a node came to its weight: what went in, what each step made
// of it, and what the controller did with it. All but the controller's is of the
// last Step, whatever came since. It holds no pointers into the pipeline.
//
//	Z        = sum of Weight x Z of the signals
//	Relative = e^(-Beta Z), or (sum of Weight x Score)/(sum of Weight x AtMean) of the other forms
//	Share    = Relative within [Min, Max], and for joiners no more than JoinCap
//	Target   = Share x Capacity
type Explanation struct {
	Name     string
	Form     Form
	At       time.Duration // of the Step
	Age      time.Duration // of the sample then; negative if it is from the future
	Status   Status
	Capacity float64
	Signals  [NumSignals]SignalStep
	Z        float64 // blended; 0 for forms other than ZScore
	Relative float64 // score over that of a node at the mean, before its bounds; 0 if the load is not known
	JoinCap  float64 // bound of Share by Settings.JoinCap; infinite if none
	Share    float64 // after them, or what Settings.Unknown says
	Unknown  Unknown // the setting
	Bound    Bound
	Target   float64 // Share x Capacity

	// Of the controller; Why is NotDecided without one.
	Smooth   float64 // the target, smoothed by Alpha
	Old, New float64 // published before and after the last decision about the node
	Why      Why
	State    ClusterState
}

// Explain says how the node came to its weight at the last Step. It reads what
// Step has left, allocates nothing, and is false for no node.
func (p *Pipeline) Explain(n Node, e *Explanation) bool {
	slot, ok := p.find(n)
	*e = Explanation{}
	if !ok {
		return false
	}
	p.keep(slot)
	was := &p.nodes[slot].was
	e.Name, e.Form, e.Unknown = p.nodes[slot].name, p.set.Form, p.set.Unknown
	e.At, e.Age = p.now, since(was.sample.At, p.now)
	e.Status, e.Capacity, e.Share = was.status, was.capacity, was.share
	e.Target = e.Share * e.Capacity
	e.JoinCap = math.Inf(1)
	if was.joiner {
		e.JoinCap = p.joinCap
	}
	total := 0.0
	values := was.sample.values()
	for s := range NumSignals {
		e.Signals[s] = p.explain(s, was, values[s])
		if e.Signals[s].Used {
			total += p.blend[s]
		}
	}
	for s := range e.Signals {
		if sig := &e.Signals[s]; sig.Used {
			sig.Weight = p.blend[s] / total
		}
	}
	if e.Status == Measured {
		e.Relative = was.score
		if p.set.Form == ZScore {
			e.Z = was.score
			e.Relative = exp(-p.set.Beta * e.Z)
		}
	}
	e.Bound = p.boundOf(e)
	return true
}

// boundOf says what bounded the share.
func (p *Pipeline) boundOf(e *Explanation) Bound {
	switch {
	case e.Status != Measured && e.Share < e.JoinCap:
		return Free
	case e.Status != Measured || e.Relative > e.JoinCap && e.JoinCap < p.set.Max:
		return AtJoinCap
	case e.Relative >= p.set.Max:
		return AtMax
	case e.Relative <= p.set.Min:
		return AtMin
	}
	return Free
}

// explain is one signal of Explain.
func (p *Pipeline) explain(s int, was *seen, input float64) SignalStep {
	level, st := was.level[s], &p.stats[s]
	unit := 1 / p.inverse[s] // what a level of 1 is for this node
	if signals[s].perNode {
		unit *= was.capacity
	}
	e := SignalStep{Input: input, Smoothed: level * unit, Mean: st.mean * unit, Sigma: st.sigma * unit}
	if !was.sampled || !(input >= 0 && input <= math.MaxFloat64) {
		e.Input = math.NaN()
	}
	if p.blend[s] == 0 || st.n == 0 || math.IsNaN(level) {
		return e
	}
	e.Used = true
	e.Cut = min(max(level, st.lo), st.hi) * unit
	own := level
	if p.set.CutOwn {
		own = min(max(level, st.lo), st.hi)
	}
	if p.set.Form == ZScore {
		t := p.term(s)
		e.Z = t.of(level) / p.blend[s]
	} else {
		e.Score, e.AtMean = p.formOf(s, was.capacity, own), p.formOf(s, was.capacity, st.mean)
	}
	return e
}
