package coord

import (
	"math"
	"slices"

	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
)

// refused returns what no worker has to expect: what was refused, and what a
// worker that is lost was to send, of which nobody knows whether it did.
func (r *run) refused(p *phase) (all []swarm.Refusal) {
	for _, m := range r.members {
		all = append(all, m.refused...)
		if !m.alive() && !m.settled {
			all = append(all, r.lostMessages(p, m)...)
		}
	}
	all = slices.Clip(all)
	if len(all) > maxRefusals {
		r.note("phase %s: more than %d messages were refused: the rest counts as missing", p.spec.Name, maxRefusals)
		all = all[:maxRefusals]
	}
	return all
}

// lostMessages are those of the phase that a lost worker was to send.
func (r *run) lostMessages(p *phase, m *member) (lost []swarm.Refusal) {
	for i := range p.spec.Publish {
		pub := &p.spec.Publish[i]
		if pub.To == scenario.ToSelf {
			continue // nobody else expects them
		}
		// A mean may be short by some standard deviations.
		mean := pub.Arrival.Planned(r.planned(p), p.spec.For)
		most := min(uint64(mean+10*math.Sqrt(mean)+10), maxRefusals)
		for n := uint64(m.Index); n < most; n += uint64(len(r.members)) {
			lost = append(lost, swarm.Refusal{Publish: uint16(i), Number: uint32(n), Unknown: true})
		}
	}
	return lost
}
