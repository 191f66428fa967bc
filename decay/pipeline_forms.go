package decay

import "math"

// scoreGiven is the original report's score of one signal, in (0, 1], of a value
// in the signal's unit. What it does at real values:
//
//	cpu 0 % 0.50, 50 % 0.35, 100 % 0.22: an idle node is worth 2.2 full ones
//	p95 1 ms 0.59, 10 ms 0.29, 100 ms 0.18, 1 s 0.13: most of it below 10 ms
//	conn 200 0.37, 1,000 0.0067, 10,000 2e-22: at real counts 0 for every node
//
// It is 0 for backlog and lag, which it does not know.
func scoreGiven(s Signal, v float64) float64 {
	switch s {
	case CPU:
		return 1 - 1/(1+math.Exp(-v/80))
	case Latency:
		return 1 / (1 + math.Log(v+1))
	case Connections:
		return math.Exp(-v / 200)
	}
	return 0
}

// scoreScaled is the same forms on a level: a share of a full node. For CPU the
// given form already is one.
func scoreScaled(s Signal, level float64) float64 {
	switch s {
	case CPU:
		return scoreGiven(CPU, 100*level)
	case Latency:
		return 1 / (1 + math.Log1p(level))
	}
	return math.Exp(-level)
}

// formOf is the score of one signal of a node of a capacity at a level.
func (p *Pipeline) formOf(s int, capacity, level float64) float64 {
	if p.set.Form == Scaled {
		return scoreScaled(Signal(s), level)
	}
	v := level / p.inverse[s]
	if signals[s].perNode {
		v *= capacity
	}
	return scoreGiven(Signal(s), v)
}

// scoreByForm sets score to the blended score of each node over that of a node
// of its capacity at the mean levels.
func (p *Pipeline) scoreByForm() {
	var atMean [NumSignals]float64 // for all nodes, where it does not depend on the capacity
	perNode := func(s int) bool { return p.set.Form == Given && signals[s].perNode }
	for s := range p.stats {
		if !perNode(s) {
			atMean[s] = p.formOf(s, 1, p.stats[s].mean)
		}
	}
	for i := range p.score {
		if p.status[i] != Measured {
			continue
		}
		own, mean := 0.0, 0.0
		for s := range p.stats {
			level, st := p.level[s][i], &p.stats[s]
			if st.n == 0 || level != level {
				continue
			}
			if p.set.CutOwn {
				level = min(max(level, st.lo), st.hi)
			}
			own += p.blend[s] * p.formOf(s, p.capacity[i], level)
			if perNode(s) {
				mean += p.blend[s] * p.formOf(s, p.capacity[i], st.mean)
			} else {
				mean += p.blend[s] * atMean[s]
			}
		}
		p.score[i] = 1 // both may be too small for a float: then they say nothing
		if own > 0 || mean > 0 {
			p.score[i] = min(own/mean, math.MaxFloat64)
		}
	}
}
