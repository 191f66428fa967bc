package coord

import (
	"math"

	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
)

// refused returns what no worker has to expect: what was refused, and what a
// worker that is lost was to send, of which nobody knows whether it did.
func (r *run) refused(p *phase) (all []swarm.Refusal) {
	whole := true
	for _, m := range r.members {
		room := maxRefusals - len(all)
		whole = whole && len(m.refused) <= room
		all = append(all, m.refused[:min(len(m.refused), room)]...)
		if !m.alive() && !m.settled {
			var fit bool
			all, fit = r.lostMessages(all, p, m)
			whole = whole && fit
		}
	}
	if !whole {
		r.note("phase %s: more than %d messages were refused: the rest counts as missing", p.spec.Name, maxRefusals)
	}
	return all
}

// lostMessages appends those of the phase that a lost worker was to send, and
// reports whether there was room for all.
func (r *run) lostMessages(all []swarm.Refusal, p *phase, m *member) ([]swarm.Refusal, bool) {
	for i := range p.spec.Publish {
		pub := &p.spec.Publish[i]
		if pub.To == scenario.ToSelf {
			continue // nobody else expects them
		}
		// A mean may be short by some standard deviations.
		mean := pub.Arrival.Planned(r.planned(p), p.spec.For)
		most := min(uint64(mean+10*math.Sqrt(mean)+10), math.MaxUint32)
		for n := uint64(m.Index); n < most; n += uint64(len(r.members)) {
			if len(all) == maxRefusals {
				return all, false
			}
			all = append(all, swarm.Refusal{Publish: uint16(i), Number: uint32(n)})
		}
	}
	return all, true
}
