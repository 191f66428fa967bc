package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// made says what a made-up run is like.
type made struct {
	cpu     float64 // of the server, ns per message; 0: no probe
	latency float64 // median, ms
	misses  uint64
	lost    uint64
	verdict result.Verdict
	kernel  string
}

// run makes a run up, of one warm-up phase and one that counts.
func (m made) run(name string, at int) Run {
	h := tally.NewHist()
	for q := range 1000 {
		h.RecordN(int64(1e6*m.latency*math.Exp(0.3*math.Tan(1.2*(float64(q)/500-1)))), 100)
	}
	h.Miss(m.misses)
	phase := func(name string, warmup bool) result.Phase {
		t := &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Dials: 1000, Established: 1000, Ready: 1000, Planned: 100, Sent: 100,
			Expected: 100_000, Delivered: 100_000 - m.lost, Missing: m.lost}}}}
		t.Groups[0].Hists[tally.Delivery] = h
		p := result.Phase{Name: name, Warmup: warmup, Length: 10 * time.Second, Outcome: "done", Tally: t, Connected: 1000}
		if m.cpu > 0 {
			p.Servers = []result.ServerUse{{CPU: time.Duration(m.cpu * 100_000), RSS: 20e6, PSS: -1, Heap: -1, Stacks: -1, Slab: -1, Sock: -1}}
		}
		return p
	}
	r := &result.Result{Schema: result.Schema, ID: name, Started: time.Date(2026, 11, 27, 2, at, 0, 0, time.UTC), Verdict: m.verdict,
		Scenario:      result.Scenario{Name: "fan-out", Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Comparability: result.Comparability{Hash: "h" + m.kernel, Facts: []result.Fact{{Name: "kernel", Value: m.kernel}, {Name: "mode", Value: "loopback"}}},
		Environment:   result.Environment{Host: []result.Fact{{Name: "memory", Value: "24 GiB"}}},
		Phases:        []result.Phase{phase("warm", true), phase("hold", false)}}
	if m.cpu > 0 {
		r.Servers = []result.Server{{Name: "server", Version: "v1"}}
	}
	if r.Verdict == "" {
		r.Verdict = result.Valid
	}
	if r.Verdict == result.Invalid {
		r.Validity = []result.Check{{Name: "own CPU", Value: 0.97, Limit: 0.8, Unit: "share", State: "fail"}}
	}
	return Run{File: "runs/" + name + ".json", Result: r}
}

// sides makes pairs of runs up: B costs effect times as much CPU as A, and every
// run has noise; each pair shares the machine's mood.
func sides(pairs int, effect, noise float64, seed uint64) (a, b Side) {
	random := rand.New(rand.NewPCG(seed, 1))
	a.Label, b.Label = "A", "B"
	for i := range pairs {
		mood := 1 + 0.05*random.NormFloat64()
		one := func(times float64) made {
			return made{cpu: 2000 * mood * times * (1 + noise*random.NormFloat64()), latency: 4 * mood * (1 + noise*random.NormFloat64()), kernel: "6.18"}
		}
		a.Runs = append(a.Runs, one(1).run(fmt.Sprintf("a%d", i+1), 2*i))
		b.Runs = append(b.Runs, one(effect).run(fmt.Sprintf("b%d", i+1), 2*i+1))
	}
	return a, b
}
