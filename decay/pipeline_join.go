package decay

import (
	"math"
	"time"
)

// joining reports whether JoinCap holds for a node of this age. A negative age
// is that of a clock that was set back: such a node is no joiner.
func (p *Pipeline) joining(age time.Duration) bool {
	return age >= 0 && age < p.set.JoinTime && p.set.JoinCap > 0
}

// isJoiner reports it of a slot at the last Step.
func (p *Pipeline) isJoiner(i int) bool { return p.joining(since(p.clocks[i].joined, p.now)) }

// meanShare is the share of Measured nodes at the last Step, averaged by
// capacity; 1 if there are none. Few need it, so it is made when it is asked for,
// or about to change.
func (p *Pipeline) meanShare() float64 {
	if p.meanOf == p.steps {
		return p.mean
	}
	weight, capacity := 0.0, 0.0
	for i, st := range p.status {
		if st == Measured {
			weight += p.share[i] * p.capacity[i]
			capacity += p.capacity[i]
		}
	}
	p.mean, p.meanOf = 1, p.steps
	if capacity > 0 {
		// Rounding must not lead out of bounds.
		p.mean = min(max(weight/capacity, p.set.Min), p.set.Max)
	}
	return p.mean
}

// settle bounds joiners by JoinCap, and gives nodes of unknown load what
// Settings.Unknown says.
func (p *Pipeline) settle() {
	p.joinCap = math.Inf(1)
	if p.joiners > 0 {
		p.joinCap = p.capOfJoiners()
		for i, st := range p.status {
			if st == Measured && p.share[i] > p.joinCap && p.isJoiner(i) {
				p.share[i] = p.joinCap
			}
		}
	}
	if p.counted == len(p.share) {
		return
	}
	mean := p.meanShare()
	for i, st := range p.status {
		if st == Measured || st == Absent {
			continue
		}
		if p.set.Unknown == MeanScore {
			p.share[i] = mean
		}
		if p.share[i] > p.joinCap && p.isJoiner(i) {
			p.share[i] = p.joinCap
		}
	}
}

// capOfJoiners is the largest bound B of joiners' r with which none of them is
// due more than JoinCap times its fair share:
//
//	B <= JoinCap x sum of w / sum of c, where the w of joiners are c min(r, B)
//
// The right side is concave in B, so Newton's method from above comes down to it
// without passing it, and is there when no further joiner is bounded. Among
// joiners only there is nobody to be fair to. Nodes of unknown load have the
// mean, which changes no mean, unless a JoinCap below 1 bounds them too.
func (p *Pipeline) capOfJoiners() float64 {
	bound := math.Inf(1)
	for bounded := 0; ; {
		n, others := 0, false
		weight, capacity, under := 0.0, 0.0, 0.0 // under: capacity of those that the bound bounds
		for i, st := range p.status {
			if st == Absent {
				continue
			}
			share, joiner := p.share[i], p.isJoiner(i)
			if st != Measured {
				if !joiner || p.set.JoinCap >= 1 {
					continue
				}
				share = math.Inf(1)
			}
			capacity += p.capacity[i]
			if joiner && share >= bound {
				n++
				under += p.capacity[i]
				continue
			}
			others = others || !joiner
			if !math.IsInf(share, 1) {
				weight += share * p.capacity[i]
			}
		}
		if !others {
			return math.Inf(1)
		}
		if n > 0 && n == bounded {
			return max(bound, p.set.Min)
		}
		bounded = n
		left := capacity - p.set.JoinCap*under
		if left <= 0 {
			return max(bound, p.set.Min)
		}
		next := p.set.JoinCap * weight / left
		if next >= bound {
			return max(bound, p.set.Min)
		}
		bound = next
	}
}
