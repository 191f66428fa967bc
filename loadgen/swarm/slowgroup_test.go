package swarm

import (
	"testing"

	"roost/loadgen/scenario"
)

// TestSlowOfOneGroup: the others read on, and have every message at once.
func TestSlowOfOneGroup(t *testing.T) {
	for name, do := range map[string]func(p *scenario.Phase){
		"slow": func(p *scenario.Phase) {
			p.Slow = &scenario.Slow{Group: "laggards", Share: 1, Read: scenario.Read{Mode: scenario.ReadNever}}
		},
		"half open": func(p *scenario.Phase) { p.HalfOpen = &scenario.HalfOpen{Group: "laggards", Share: 1} },
	} {
		f := newFake(t, &fake{})
		s := f.plain(40, ramp(40), upheaval(do))
		drain := scenario.Read{Mode: scenario.ReadDrain}
		s.Groups = []scenario.Group{{Name: "healthy", Share: .75, Read: drain, AnswerPing: true}, {Name: "laggards", Share: .25, Read: drain, AnswerPing: true}}
		r := newRig(t, s, 2)
		r.run(0)
		r.run(1)
		g := r.sum.Groups
		if c := g[0].Counts; c.Expected != 30*upheavalMessages || c.Delivered != c.Expected {
			t.Errorf("%s: healthy: %+v", name, c)
		}
		if c := g[1].Counts; c.Delivered != 0 || c.Missing != 0 {
			t.Errorf("%s: laggards: %+v", name, c)
		}
	}
}
