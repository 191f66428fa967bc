package swarm

import (
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/poller"
)

// TestSlowOfOneGroup: the others read on, and have every message at once; of those that are slow nothing is
// expected, and what they get afterwards counts as nothing.
func TestSlowOfOneGroup(t *testing.T) {
	t.Parallel() // it waits
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
		// A worker that is told of a phase when that has begun has clients that are not slow yet. One that is told in time
		// and is late at its begin has not.
		r.lead = 2 * time.Second
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

// TestSlowThoughTheWorkerIsLate: a worker that comes to a phase when messages of another have come to its clients has chosen who
// is slow before it looks at those.
func TestSlowThoughTheWorkerIsLate(t *testing.T) {
	t.Parallel() // it waits
	for name, do := range map[string]func(p *scenario.Phase){
		"slow": func(p *scenario.Phase) {
			p.Slow = &scenario.Slow{Share: 1, Read: scenario.Read{Mode: scenario.ReadNever}}
		},
		"half open": func(p *scenario.Phase) { p.HalfOpen = &scenario.HalfOpen{Share: 1} },
	} {
		f := newFake(t, &fake{})
		r := newRig(t, f.plain(40, ramp(40), upheaval(do)), 2)
		r.run(0)
		r.lead = 2 * time.Second
		r.begin(1)
		r.workers[1].l.Post(poller.TaskFunc(func(*poller.Loop) {
			for end := time.Now().Add(patience); !f.sent(3) && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
		}))
		r.await("plan of phase", func() bool { return r.progress().PlanDone })
		r.finish(nil)
		if c := r.sum.Total(); c.Expected != 0 || c.Delivered != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
