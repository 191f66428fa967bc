package decay

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestExplanationAddsUp: each value follows from those before it, and the last is
// the weight.
func TestExplanationAddsUp(t *testing.T) {
	for _, form := range []Form{ZScore, Given, Scaled} {
		p, nodes := cluster(t, 40, Settings{Form: form, CutOwn: true})
		p.Put(nodes[3], Sample{At: time.Second, CPU: 90, Latency: 9, Connections: 30_000, Backlog: math.NaN(), LoopLag: 2})
		p.Step(time.Second)
		for _, n := range nodes {
			var e Explanation
			if !p.Explain(n, &e) {
				t.Fatal("no explanation")
			}
			z, own, weights := 0.0, 0.0, 0.0
			for s, sig := range e.Signals {
				if !sig.Used {
					if n == nodes[3] && Signal(s) == Backlog || form == Given && Signal(s) > Connections {
						continue
					}
					t.Fatalf("form %d: signal %v is not used", form, Signal(s))
				}
				weights += sig.Weight
				z += sig.Weight * sig.Z
				own += sig.Weight * sig.Score
				if want := (sig.Cut - sig.Mean) / sig.Sigma; form == ZScore && math.Abs(sig.Z-want) > 1e-9 {
					t.Errorf("%v: z %v of cut %v, mean %v, sigma %v: want %v", Signal(s), sig.Z, sig.Cut, sig.Mean, sig.Sigma, want)
				}
			}
			if math.Abs(weights-1) > 1e-9 || math.Abs(z-e.Z) > 1e-9 {
				t.Errorf("weights sum to %v; z %v, want %v", weights, e.Z, z)
			}
			if form == ZScore && !near(e.Relative, math.Exp(-z)) || form != ZScore && own <= 0 {
				t.Errorf("relative %v of z %v, score %v", e.Relative, z, own)
			}
			if !near(e.Share, min(max(e.Relative, 0.25), 2)) || !near(e.Target, e.Share*e.Capacity) || e.Target != p.Weight(n) {
				t.Errorf("share %v of relative %v; target %v, weight %v", e.Share, e.Relative, e.Target, p.Weight(n))
			}
		}
	}
}

// TestExplanationIsOfTheStep: samples that come after the step do not change it.
func TestExplanationIsOfTheStep(t *testing.T) {
	p, nodes := cluster(t, 40, Settings{})
	p.Step(time.Second)
	var before, after Explanation
	p.Explain(nodes[0], &before)
	for now := 2 * time.Second; now < 10*time.Second; now += time.Second {
		p.Put(nodes[0], Sample{At: now, CPU: 100})
	}
	p.Explain(nodes[0], &after)
	if before != after {
		t.Errorf("%v\nbecame\n%v", &before, &after)
	}
	p.Step(10 * time.Second)
	if p.Explain(nodes[0], &after); before == after {
		t.Error("a step changed nothing")
	}
}

func TestExplanationText(t *testing.T) {
	c, p, nodes := controlled(t, 20, ControlSettings{})
	sampleAll(p, nodes, time.Second, 1.04)
	text := func(n Node) string {
		var e Explanation
		if !c.Explain(n, &e) {
			return "none"
		}
		return e.String()
	}
	c.Update(time.Minute, 100)
	for _, want := range []struct {
		node int
		text string
	}{
		{0, "node-0 at 0.9: cpu 52.0 % z +0.8 | z +0.80 relative 0.449 | target 0.449 smoothed 0.638 | 1 -> 0.9 published: one step of the way"},
		{1, "node-1 at 1: cpu 50.0 % z +0.0 | z +0.00 relative 1 | target 1 smoothed 1 | 1 held: within the band"},
	} {
		got := text(nodes[want.node])
		if got != want.text {
			t.Errorf("got  %s\nwant %s", got, want.text)
		}
	}
	c.Update(time.Hour, 100)
	if got := text(nodes[0]); !strings.Contains(got, "node-0 at 0.") || !strings.Contains(got, "expired, sample of 3599 s ago") {
		t.Errorf("got %s", got)
	}
	if got := (&Explanation{}).String(); got == "" {
		t.Error("the zero value has no text")
	}
}

func TestNames(t *testing.T) {
	for _, s := range []interface{ String() string }{Absent, Measured, Status(99), Free, AtJoinCap, Bound(99), NotDecided, Stormed, Why(99),
		Normal, Storm, ClusterState(99), Held, Following, NodeState(99)} {
		if s.String() == "" && s != Free {
			t.Errorf("%#v has no name", s)
		}
	}
}
