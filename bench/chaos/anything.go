package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"roost/bench/chaos/rig"
)

// anythingScenarios hurt what nobody has thought of.
var anythingScenarios = []Scenario{
	{Name: "anything", About: "for a minute faults of all kinds at random moments, also several at once; --seed has it again", Devices: 1000, Rate: 300,
		Rig: rig.Options{Links: true}, Hurt: anything},
	{Name: "anything-operated", About: "the same while operators change weights, take trials back, drain nodes and think better of it", Devices: 1000, Rate: 300, Pace: 10,
		Rig: rig.Options{Links: true, Args: even.Args}, Hurt: anythingOperated},
}

// Bounds of a random minute.
const (
	anythingFor     = time.Minute
	leastFault      = 500 * time.Millisecond
	mostFault       = 15 * time.Second
	faultsAnyhow    = 14
	restBetween     = 2 * time.Second // of one target
	anythingSettles = 15 * time.Second
)

// hurting is one way to hurt a target.
type hurting struct {
	what       string
	hurt, mend func()
}

// step is one half of a fault, at its moment.
type step struct {
	at   time.Duration
	what string
	do   func()
}

func anything(x *trial) { x.anything(x.targets()) }

func anythingOperated(x *trial) {
	o := newOperator(x)
	x.Cleanup(o.stop)
	x.anything(append(x.targets(), o.targets()...))
	o.stop()
	o.undo()
	x.pause(anythingSettles)
}

func (x *trial) anything(targets [][]hurting) {
	x.say("seed %d", x.o.Seed)
	from := x.now()
	for _, s := range plan(rand.New(rand.NewPCG(x.o.Seed, 0)), targets) {
		if wait := from + s.at - x.now(); wait > 0 {
			x.pause(wait)
		}
		x.say("%s", s.what)
		s.do()
	}
	x.cluster.Start() // waits until all are ready
	x.pause(anythingSettles)
	x.say("%s", x.spread())
}

// plan chooses faults: which target, how, when, for how long. Those of one target do
// not overlap.
func plan(rng *rand.Rand, targets [][]hurting) (steps []step) {
	free := make([]time.Duration, len(targets)) // when each can be hurt again
	for range faultsAnyhow {
		t := rng.IntN(len(targets))
		h := targets[t][rng.IntN(len(targets[t]))]
		// Short ones more often: most of what goes wrong is in the first seconds.
		long := leastFault + time.Duration(rng.Float64()*rng.Float64()*float64(mostFault-leastFault))
		at := max(time.Duration(rng.Float64()*float64(anythingFor-mostFault)), free[t])
		if at+long > anythingFor {
			continue
		}
		free[t] = at + long + restBetween
		steps = append(steps, step{at, fmt.Sprintf("%s for %v", h.what, long.Round(time.Millisecond)), h.hurt}, step{at + long, h.what + ": mended", h.mend})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// targets are what there is to hurt.
func (x *trial) targets() (targets [][]hurting) {
	c, nothing := x.cluster, func() {}
	for _, n := range c.Nodes {
		targets = append(targets, []hurting{
			{n.ID + " is killed", n.Kill, n.Start},
			{n.ID + " is stopped", n.Pause, n.Resume},
			{n.ID + " hears nothing of Redis", n.ToRedis.Cut, n.ToRedis.Mend},
			{n.ID + " is refused by Redis", n.ToRedis.Refuse, n.ToRedis.Mend},
			{n.ID + " hears nothing of etcd", n.ToEtcd.Cut, n.ToEtcd.Mend},
			{n.ID + " is refused by etcd", n.ToEtcd.Refuse, n.ToEtcd.Mend},
		})
	}
	return append(targets, []hurting{
		{"Redis is killed", c.Redis.Kill, c.Redis.Restart},
		{"Redis is stopped", c.Redis.Pause, c.Redis.Resume},
	}, []hurting{
		{"etcd is killed", c.Etcd.Kill, c.Etcd.Restart},
		{"etcd is stopped", c.Etcd.Pause, c.Etcd.Resume},
		{"etcd is compacted", func() { x.must(c.Compact()) }, nothing},
		{"all leases end", func() {
			for _, n := range c.Nodes {
				_, err := c.Expire(n.ID)
				x.must(err)
			}
		}, nothing},
	})
}

// must ends the trial for an error of what should work.
func (x *trial) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatalf("%v", err)
	}
}
