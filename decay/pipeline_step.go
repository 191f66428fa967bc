package decay

import (
	"math"
	"time"
)

// Step makes the weights of all nodes anew, from what has been Put until now. It
// allocates nothing; doc.go says what it takes.
func (p *Pipeline) Step(now time.Duration) {
	p.now = now
	p.steps++
	known := p.take(now)
	for s := range NumSignals {
		p.stats[s] = p.population(s, known)
	}
	if p.set.Form == ZScore {
		p.scoreByZ(known)
	} else {
		p.scoreByForm()
	}
	p.rate()
	p.settle()
}

// take sets each node's status, and returns the signals that all Measured nodes
// have.
func (p *Pipeline) take(now time.Duration) (known uint8) {
	known, p.counted, p.joiners = 1<<NumSignals-1, 0, 0
	status, used, expire := p.status[:len(p.clocks)], p.used, p.set.Expire
	settled := max(p.set.Blackout, p.set.JoinTime, 0)
	counted := 0
	for i := range p.clocks {
		c := &p.clocks[i]
		if c.known&used == used && !expired(now, c.at, expire) && now-c.joined >= settled {
			status[i] = Measured // the usual case, without more questions
			counted++
			continue
		}
		st := p.statusOf(c, now)
		if st == Measured {
			counted++
			known &= c.known
		}
		if st != Absent && p.joining(since(c.joined, now)) {
			p.joiners++
		}
		status[i] = st
	}
	p.counted = counted
	return known
}

// statusOf is the status of a node at now.
func (p *Pipeline) statusOf(c *clocks, now time.Duration) Status {
	switch age := since(c.joined, now); {
	case !c.used:
		return Absent
	case !c.sampled || c.known&p.used == 0:
		return Unsampled
	case expired(now, c.at, p.set.Expire):
		return Expired
	case age >= 0 && age < p.set.Blackout:
		return Blackout
	}
	return Measured
}

// population returns mean and deviation of a signal over the Measured nodes.
func (p *Pipeline) population(s int, known uint8) (st stat) {
	if p.blend[s] == 0 {
		return st
	}
	v := p.level[s]
	if p.counted < len(v) || known&(1<<s) == 0 {
		v = p.gather(v)
	}
	st.moments = p.pools[s].add(p.quantiles[s].take(v, p.set.CutLow, p.set.CutHigh, p.set.CutOwn))
	if st.n == 0 {
		return st
	}
	sigma := math.Sqrt(st.m2 / float64(st.n))
	// The last two stand in for floors that are switched off: no division by 0.
	st.sigma = max(sigma, p.set.SigmaFloor*st.mean, p.set.ScaleFloor, 1e-9*st.mean, 1e-12)
	return st
}

// gather returns the known levels of Measured nodes.
func (p *Pipeline) gather(level []float64) []float64 {
	n := 0
	for i, v := range level {
		if p.status[i] == Measured && v == v {
			p.scratch[n] = v
			n++
		}
	}
	return p.scratch[:n]
}

// term is what one signal adds to a blended z: slope x (level - mean), the level
// bounded to where |z| is ZClip. The slope is the signal's weight over sigma.
type term struct{ lo, hi, mean, slope float64 }

func (p *Pipeline) term(s int) term {
	st := &p.stats[s]
	lo, hi := st.mean-p.set.ZClip*st.sigma, st.mean+p.set.ZClip*st.sigma
	if p.set.CutOwn {
		// First the cut, then the clip: with a pooled mean they may not meet.
		lo, hi = min(max(st.lo, lo), hi), min(max(st.hi, lo), hi)
	}
	return term{lo, hi, st.mean, p.blend[s] / st.sigma}
}

// of returns the signal's part of the blended z.
func (t *term) of(level float64) float64 {
	if level > t.hi {
		level = t.hi
	} else if level < t.lo {
		level = t.lo
	}
	return (level - t.mean) * t.slope
}

// add adds the signal's part to the score of each node.
func (t term) add(score, level []float64) {
	level = level[:len(score)]
	for i := range score {
		score[i] += t.of(level[i])
	}
}

// scoreByZ sets score to the blended z of each node: the mean of its signals' z
// by weight. A node that lacks a signal gets the mean of those that it has.
func (p *Pipeline) scoreByZ(known uint8) {
	total := 0.0
	for s := range p.stats {
		if p.stats[s].n > 0 {
			total += p.blend[s]
		}
	}
	clear(p.score)
	for s := range p.stats {
		if p.stats[s].n > 0 {
			t := p.term(s)
			t.slope /= total
			t.add(p.score, p.level[s])
		}
	}
	if known&p.used == p.used {
		return
	}
	for i, st := range p.status {
		if st == Measured && p.clocks[i].known&p.used != p.used {
			p.score[i] = p.partial(i)
		}
	}
}

// partial is the blended z of a node that lacks signals.
func (p *Pipeline) partial(i int) float64 {
	sum, total := 0.0, 0.0
	for s := range p.stats {
		if v := p.level[s][i]; p.stats[s].n > 0 && v == v {
			t := p.term(s)
			sum += t.of(v)
			total += p.blend[s]
		}
	}
	return sum / total
}

// rate sets the share of Measured nodes to their relative score within Min and
// Max.
//
// The relative score is that of a node over that of a node at the mean: with
// ZScore e^(-Beta z), the softmax of -Beta z divided by the softmax share of a
// node at the mean. So the sum over all nodes falls out, and with it the effect
// of one node's score on the others' weights.
func (p *Pipeline) rate() {
	lo, hi := bitsOf(p.set.Min), bitsOf(p.set.Max)
	share, status := p.share[:len(p.score)], p.status[:len(p.score)]
	if p.set.Form != ZScore {
		for i, w := range p.score {
			if status[i] == Measured {
				share[i] = bound(w, lo, hi)
			}
		}
		return
	}
	beta := -p.set.Beta
	for i, z := range p.score {
		if status[i] == Measured {
			share[i] = bound(exp(beta*z), lo, hi)
		}
	}
}
