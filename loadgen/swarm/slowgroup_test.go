package swarm

import (
	"testing"
	"time"

	"roost/loadgen/scenario"
)

// TestSlowOfOneGroup: the others read on, and have every message at once; of those that are slow nothing is
// expected, and what they get afterwards counts as nothing.
func TestSlowOfOneGroup(t *testing.T) {
	for name, do := range map[string]func(p *scenario.Phase){
		"slow": func(p *scenario.Phase) {
			p.Slow = &scenario.Slow{Group: "laggards", Share: 1, Read: scenario.Read{Mode: scenario.ReadNever}}
		},
		"half open": func(p *scenario.Phase) { p.HalfOpen = &scenario.HalfOpen{Group: "laggards", Share: 1} },
	} {
		f := newFake(t, &fake{})
		s := f.plain(40, ramp(40), upheaval(do), publish(scenario.ToAll, 300, 200*time.Millisecond))
		drain := scenario.Read{Mode: scenario.ReadDrain}
		s.Groups = []scenario.Group{{Name: "healthy", Share: .75, Read: drain, AnswerPing: true}, {Name: "laggards", Share: .25, Read: drain, AnswerPing: true}}
		r := newRig(t, s, 2)
		r.run(0)
		r.run(1)
		check := func(phases, late uint64) {
			t.Helper()
			g := r.sum.Groups
			if c := g[0].Counts; c.Expected != 30*phases*upheavalMessages || c.Delivered != c.Expected {
				t.Errorf("%s: healthy: %+v", name, c)
			}
			if c := g[1].Counts; c.Delivered != 10*late || c.Missing != 0 || c.Duplicate != 0 || c.Late != 0 {
				t.Errorf("%s: laggards: %+v", name, c)
			}
		}
		check(1, 0)
		// The laggards read on: what waited for them comes, and nobody has missed it, or has it twice.
		r.run(2)
		check(2, upheavalMessages)
	}
}
