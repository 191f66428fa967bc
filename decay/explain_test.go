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
			z, own, atMean, weights := 0.0, 0.0, 0.0, 0.0
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
				atMean += sig.Weight * sig.AtMean
				if want := (sig.Cut - sig.Mean) / sig.Sigma; form == ZScore && math.Abs(sig.Z-want) > 1e-9 {
					t.Errorf("%v: z %v of cut %v, mean %v, sigma %v: want %v", Signal(s), sig.Z, sig.Cut, sig.Mean, sig.Sigma, want)
				}
			}
			if math.Abs(weights-1) > 1e-9 || math.Abs(z-e.Z) > 1e-9 {
				t.Errorf("weights sum to %v; z %v, want %v", weights, e.Z, z)
			}
			if form == ZScore && !near(e.Relative, math.Exp(-z)) || form != ZScore && !near(e.Relative, own/atMean) {
				t.Errorf("relative %v of z %v, score %v of %v", e.Relative, z, own, atMean)
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
	for what, change := range map[string]func(){
		"samples":        func() {},
		"a new capacity": func() { p.SetCapacity(nodes[0], 2) },
		"a new begin":    func() { p.Rejoin(10*time.Second, nodes[0]) },
	} {
		change()
		p.Explain(nodes[0], &after)
		if before != after {
			t.Errorf("%s: %v\nbecame\n%v", what, &before, &after)
		}
	}
	p.Put(nodes[0], usual(10*time.Second))
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
	if got := text(nodes[0]); !strings.Contains(got, "node-0 at 0.") || !strings.Contains(got, "expired, sample of 3599 s ago | relative 1, the mean of the others") {
		t.Errorf("got %s", got)
	}
	if got := (&Explanation{}).String(); got == "" {
		t.Error("the zero value has no text")
	}
}

// TestExplanationTexts: of other forms, of samples from the future, of scores that
// are held, of each bound.
func TestExplanationTexts(t *testing.T) {
	explain := func(set Settings, now time.Duration, s Sample) (string, Bound) {
		t.Helper()
		set.Tau = Off
		p, nodes := even(t, 20, set)
		for _, n := range nodes[1:] {
			u := usual(now)
			u.Connections = 160_000
			p.Put(n, u)
		}
		p.Put(nodes[0], s)
		p.Step(now)
		var e Explanation
		p.Explain(nodes[0], &e)
		return e.String(), e.Bound
	}
	given, _ := Preset("given")
	full := Sample{time.Second, 100, 1e3, 160_000, 1e9, 1e3}
	for _, c := range []struct {
		set   Settings
		now   time.Duration
		s     Sample
		want  string
		bound Bound
	}{
		{given, time.Second, full, "conn 160000 score 0 of 0 |", Free},
		{Settings{}, 0, usual(time.Hour), "expired, sample of 3600 s ahead | relative 1, the mean of the others", Free},
		{Settings{Unknown: HoldScore}, time.Hour, full, "expired, sample of 3599 s ago | relative 1, held", Free},
		{Settings{}, time.Second, full, "bounded by min to 0.25", AtMin},
		{Settings{}, time.Second, Sample{At: time.Second}, "bounded by max to 2", AtMax},
	} {
		if text, bound := explain(c.set, c.now, c.s); !strings.Contains(text, c.want) || bound != c.bound {
			t.Errorf("got %s (%q), want %q (%q)", text, bound, c.want, c.bound)
		}
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
