package decay

import (
	"math"
	"strconv"
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
// of it, and what the controller did with it. It holds no pointers into the
// pipeline.
type Explanation struct {
	Name     string
	Form     Form
	At       time.Duration // of the Step
	Age      time.Duration // of the sample then
	Status   Status
	Capacity float64
	Signals  [NumSignals]SignalStep
	Z        float64 // blended; 0 for forms other than ZScore
	Relative float64 // score over that of a node at the mean, before its bounds
	Share    float64 // after them, or what Settings.Unknown says
	Bound    Bound
	Target   float64 // Share x Capacity

	// Of the controller; Why is NotDecided without one.
	Smooth   float64 // the target, smoothed by Alpha
	Old, New float64 // published before and after the last Update
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
	c, m := p.clocks[slot], &p.nodes[slot]
	p.keep(slot)
	e.Form = p.set.Form
	e.Name, e.At, e.Capacity, e.Status = m.name, p.now, p.capacity[slot], p.status[slot]
	e.Age = p.now - m.was.At
	e.Share = p.share[slot]
	e.Target = e.Share * e.Capacity
	total := 0.0
	values := m.was.values()
	for s := range NumSignals {
		e.Signals[s] = p.explain(s, slot, values[s], c.sampled)
		if e.Signals[s].Used {
			total += p.blend[s]
		}
	}
	for s := range e.Signals {
		if e.Signals[s].Used {
			e.Signals[s].Weight = p.blend[s] / total
		}
	}
	if e.Status != Measured {
		return true
	}
	e.Relative = p.score[slot]
	if p.set.Form == ZScore {
		e.Z = p.score[slot]
		e.Relative = exp(-p.set.Beta * e.Z)
	}
	switch {
	case e.Relative > p.joinCap && p.joining(p.now-c.joined) && p.joinCap < p.set.Max:
		e.Bound = AtJoinCap
	case e.Relative >= p.set.Max:
		e.Bound = AtMax
	case e.Relative <= p.set.Min:
		e.Bound = AtMin
	}
	return true
}

// explain is one signal of Explain.
func (p *Pipeline) explain(s int, slot uint32, input float64, sampled bool) SignalStep {
	level, st := p.nodes[slot].level[s], &p.stats[s]
	unit := 1 / p.inverse[s] // what a level of 1 is for this node
	if signals[s].perNode {
		unit *= p.capacity[slot]
	}
	e := SignalStep{Input: input, Smoothed: level * unit, Mean: st.mean * unit, Sigma: st.sigma * unit}
	if !sampled || !(input >= 0 && input <= math.MaxFloat64) {
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
		e.Score = p.formOf(s, int(slot), own)
	}
	return e
}

// String is AppendText's text.
func (e *Explanation) String() string {
	b, _ := e.AppendText(nil)
	return string(b)
}

// AppendText writes the explanation for a human, in one line:
//
//	node-7 at 0.62: cpu 71.0 % z +1.4, p95 4 ms z +0.2 | z +0.90 relative 0.407 | target 0.407 smoothed 0.61 | 0.62 held: within the band
func (e *Explanation) AppendText(b []byte) ([]byte, error) {
	now := e.New
	if e.Why == NotDecided {
		now = e.Target
	}
	b = append(b, e.Name...)
	b = append(b, " at "...)
	b = appendNumber(b, now)
	b = append(b, ": "...)
	if e.Status != Measured {
		b = append(b, e.Status.String()...)
		if e.Status == Expired {
			b = append(b, ", sample of "...)
			b = strconv.AppendInt(b, int64(e.Age/time.Second), 10)
			b = append(b, " s ago"...)
		}
		b = append(b, " | relative "...)
		b = appendNumber(b, e.Share)
	} else {
		b = e.appendSignals(b)
		b = append(b, " | "...)
		if e.Form == ZScore {
			b = append(b, "z "...)
			b = appendSigned(b, e.Z, 2)
			b = append(b, ' ')
		}
		b = append(b, "relative "...)
		b = appendNumber(b, e.Relative)
		if e.Bound != Free {
			b = append(b, " bounded by "...)
			b = append(b, e.Bound.String()...)
			b = append(b, " to "...)
			b = appendNumber(b, e.Share)
		}
	}
	b = append(b, " | target "...)
	b = appendNumber(b, e.Target)
	if e.Why == NotDecided {
		return b, nil
	}
	b = append(b, " smoothed "...)
	b = appendNumber(b, e.Smooth)
	b = append(b, " | "...)
	b = appendNumber(b, e.Old)
	if e.New != e.Old {
		b = append(b, " -> "...)
		b = appendNumber(b, e.New)
	}
	b = append(b, ' ')
	return append(b, e.Why.String()...), nil
}

func (e *Explanation) appendSignals(b []byte) []byte {
	first := true
	for s := range e.Signals {
		sig := &e.Signals[s]
		if !sig.Used {
			continue
		}
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(b, Signal(s).String()...)
		b = append(b, ' ')
		b = appendNumber(b, sig.Smoothed)
		if u := Signal(s).Unit(); u != "" {
			b = append(b, ' ')
			b = append(b, u...)
		}
		if sig.Score != 0 {
			b = append(b, " score "...)
			b = appendNumber(b, sig.Score)
			continue
		}
		b = append(b, " z "...)
		b = appendSigned(b, sig.Z, 1)
	}
	return b
}

// appendNumber writes v with three digits.
func appendNumber(b []byte, v float64) []byte {
	switch a := math.Abs(v); {
	case a >= 100 && a < 1e15:
		return strconv.AppendFloat(b, v, 'f', 0, 64)
	case a >= 10 && a < 100:
		return strconv.AppendFloat(b, v, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, v, 'g', 3, 64)
}

// appendSigned writes v with its sign; what rounds to 0 is +0.
func appendSigned(b []byte, v float64, digits int) []byte {
	if math.Abs(v) < 0.5*math.Pow10(-digits) {
		v = 0
	}
	if v >= 0 {
		b = append(b, '+')
	}
	return strconv.AppendFloat(b, v, 'f', digits, 64)
}
