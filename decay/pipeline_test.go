package decay

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// even is a pipeline of n nodes of capacity 1 that joined long ago and whose
// samples are alike.
func even(tb testing.TB, n int, set Settings) (*Pipeline, []Node) {
	tb.Helper()
	p, err := NewPipeline(set)
	if err != nil {
		tb.Fatal(err)
	}
	nodes := make([]Node, n)
	for i := range nodes {
		if nodes[i], err = p.Add(-time.Hour, fmt.Sprintf("node-%d", i), 1); err != nil {
			tb.Fatal(err)
		}
		p.Put(nodes[i], usual(0))
	}
	return p, nodes
}

// usual is the sample of a node at half of its capacity.
func usual(at time.Duration) Sample {
	return Sample{At: at, CPU: 50, Latency: 4, Connections: 25_000, Backlog: 1e5, LoopLag: 0.5}
}

func TestNodesAlikeHaveTheirCapacity(t *testing.T) {
	for _, n := range []int{1, 2, 3, 31, 32, 33, 1024} {
		p, nodes := even(t, n, Settings{})
		p.Step(time.Second)
		for _, node := range nodes {
			if w := p.Weight(node); math.Abs(w-1) > 1e-9 {
				t.Fatalf("%d nodes alike: weight %v, want 1", n, w)
			}
		}
	}
}

// TestSigmaFloorKeepsNoiseSmall: without the floor, noise of any size becomes a
// z of +-1 and weights from 0.37 to 2.7.
func TestSigmaFloorKeepsNoiseSmall(t *testing.T) {
	spread := func(set Settings) float64 {
		p, nodes := even(t, 64, set)
		r := rand.New(rand.NewPCG(3, 3))
		for _, n := range nodes {
			s := usual(time.Second)
			s.CPU *= 1 + 0.002*r.NormFloat64()
			p.Put(n, s)
		}
		p.Step(time.Second)
		lo, hi := math.Inf(1), 0.0
		for _, n := range nodes {
			lo, hi = min(lo, p.Weight(n)), max(hi, p.Weight(n))
		}
		return hi / lo
	}
	cpu := Settings{Tau: Off}
	cpu.Signals[CPU].Weight = 1
	if r := spread(cpu); r > 1.25 {
		t.Errorf("0.2 %% noise spreads weights by %.2f with the floor, want at most 1.25", r)
	}
	cpu.SigmaFloor, cpu.ScaleFloor = Off, Off
	if r := spread(cpu); r < 5 {
		t.Errorf("0.2 %% noise spreads weights by %.2f without a floor: the floor has nothing to do", r)
	}
}

// TestRoundingIsNoDeviation: with all floors off, what differs in the last digit
// does not differ.
func TestRoundingIsNoDeviation(t *testing.T) {
	p, nodes := even(t, 20, Settings{Tau: Off, SigmaFloor: Off, ScaleFloor: Off})
	for i, n := range nodes {
		s := usual(time.Second)
		s.CPU *= 1 + 1e-12*float64(i%5)
		p.Put(n, s)
	}
	p.Step(time.Second)
	for _, n := range nodes {
		if w := p.Weight(n); math.Abs(w-1) > 0.01 {
			t.Errorf("a difference of 1e-12 makes a weight %v", w)
		}
	}
}

// TestCutOwnHidesTheOnlyOne: a joiner is the lowest of 64; cut to the quantile
// it looks like the fourth lowest.
func TestCutOwnHidesTheOnlyOne(t *testing.T) {
	weight := func(set Settings) float64 {
		set.JoinCap = Off
		p, nodes := even(t, 64, set)
		p.Put(nodes[5], Sample{At: time.Hour})
		for _, n := range nodes {
			p.Put(n, usual(time.Hour))
		}
		p.Step(time.Hour)
		return p.Weight(nodes[5])
	}
	if w := weight(Settings{}); w != 2 {
		t.Errorf("an idle node has %v, want 2: the most", w)
	}
	if w := weight(Settings{CutOwn: true}); math.Abs(w-1) > 1e-6 {
		t.Errorf("an idle node cut to its peers has %v, want 1", w)
	}
}

func TestUnknownLoad(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    Settings
		before func(*Pipeline, Node)
		status Status
		want   float64
	}{
		{"expired, mean", Settings{}, func(p *Pipeline, n Node) {}, Expired, 1},
		{"expired, hold", Settings{Unknown: HoldScore}, func(p *Pipeline, n Node) {}, Expired, 0.25},
		{"from the future", Settings{}, func(p *Pipeline, n Node) { p.Put(n, usual(time.Hour)) }, Expired, 1},
		{"begun anew", Settings{}, func(p *Pipeline, n Node) { p.Rejoin(299*time.Second, n) }, Unsampled, 1},
		{"blackout", Settings{}, func(p *Pipeline, n Node) {
			p.Rejoin(295*time.Second, n)
			p.Put(n, Sample{At: 299 * time.Second})
		}, Blackout, 1},
		{"no signal", Settings{}, func(p *Pipeline, n Node) {
			p.Put(n, Sample{299 * time.Second, math.NaN(), -1, math.Inf(1), math.NaN(), math.Inf(-1)})
		}, Unsampled, 1},
	} {
		p, nodes := even(t, 20, c.set)
		s := usual(time.Second)
		s.CPU, s.Connections, s.Latency, s.Backlog, s.LoopLag = 100, 50_000, 1e3, 1e9, 1e3
		p.Put(nodes[0], s)
		for at := time.Second; at <= 300*time.Second; at += 100 * time.Second {
			for _, n := range nodes[1:] {
				p.Put(n, usual(at))
			}
		}
		p.Step(30 * time.Second)
		if w := p.Weight(nodes[0]); w > 0.3 {
			t.Fatalf("a full node has %v, want about 0.25", w)
		}
		c.before(p, nodes[0])
		p.Step(300 * time.Second)
		if st, w := p.Status(nodes[0]), p.Weight(nodes[0]); st != c.status || math.Abs(w-c.want) > 0.06 {
			t.Errorf("%s: %v with %v, want %v with %v", c.name, st, w, c.status, c.want)
		}
	}
}

func TestNoNodes(t *testing.T) {
	for _, form := range []Form{ZScore, Given, Scaled} {
		p, err := NewPipeline(Settings{Form: form})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := NewController(p, ControlSettings{Live: LiveSettings{On: true}})
		for now := range 200 * time.Second / time.Second {
			if r := c.Update(now*time.Second, 0); r != (Result{}) {
				t.Fatalf("%+v of no nodes", r)
			}
		}
	}
}

// TestNobodyIsKnown: weights are the capacities.
func TestNobodyIsKnown(t *testing.T) {
	p, nodes := even(t, 5, Settings{})
	p.Step(time.Hour)
	for _, n := range nodes {
		if p.Status(n) != Expired || p.Weight(n) != 1 {
			t.Errorf("%v with %v, want expired with 1", p.Status(n), p.Weight(n))
		}
	}
}

// TestGivenFormsAtRealValues are the numbers in scoreGiven's doc, and what they
// make of two nodes of one cluster.
func TestGivenFormsAtRealValues(t *testing.T) {
	for _, c := range []struct {
		signal      Signal
		value, want float64
	}{
		{CPU, 0, 0.5}, {CPU, 50, 0.35}, {CPU, 100, 0.22},
		{Latency, 1, 0.59}, {Latency, 10, 0.29}, {Latency, 100, 0.18}, {Latency, 1000, 0.13},
		{Connections, 200, 0.37}, {Connections, 1000, 0.0067}, {Connections, 10_000, 2e-22},
		{Backlog, 1e9, 0}, {LoopLag, 5, 0},
	} {
		if got := scoreGiven(c.signal, c.value); math.Abs(got-c.want) > 0.04*c.want {
			t.Errorf("%v of %v is %v, want %v", c.signal, c.value, got, c.want)
		}
	}
	// A node with 4 % more connections than the others of 25,000.
	weight := func(name string, only Signal) float64 {
		set, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		for s := range set.Signals {
			if Signal(s) != only {
				set.Signals[s].Weight = 0
			}
		}
		set.Tau, set.CutHigh, set.JoinCap = Off, Off, Off
		p, nodes := even(t, 20, set)
		s := usual(time.Second)
		s.Connections *= 1.04
		p.Put(nodes[0], s)
		p.Step(time.Second)
		return p.Weight(nodes[0])
	}
	if w := weight("given", Connections); w != 0.25 {
		t.Errorf("given: 4 %% more connections have weight %v, want the least: e^-5", w)
	}
	if w := weight("scaled", Connections); math.Abs(w-0.98) > 0.005 {
		t.Errorf("scaled: 4 %% more connections have weight %v, want 0.98", w)
	}
	if w := weight("default", Connections); math.Abs(w-0.46) > 0.02 {
		t.Errorf("z-score: 4 %% more connections have weight %v, want 0.46", w)
	}
}

func TestSetCapacityKeepsTheCount(t *testing.T) {
	p, nodes := even(t, 20, Settings{})
	if err := p.SetCapacity(nodes[0], 2); err != nil {
		t.Fatal(err)
	}
	p.Step(time.Second)
	if w := p.Weight(nodes[0]); w < 2.2 {
		t.Errorf("twice the capacity for the same connections: weight %v, want more than 2", w)
	}
}

func TestRefusals(t *testing.T) {
	p, nodes := even(t, 2, Settings{})
	for _, c := range []float64{0, -1, math.NaN(), math.Inf(1), 1e7} {
		if _, err := p.Add(0, "x", c); err != ErrCapacity {
			t.Errorf("Add with capacity %v: %v, want ErrCapacity", c, err)
		}
		if err := p.SetCapacity(nodes[0], c); err != ErrCapacity {
			t.Errorf("SetCapacity %v: %v, want ErrCapacity", c, err)
		}
	}
	gone := nodes[1]
	if err := p.Remove(gone); err != nil {
		t.Fatal(err)
	}
	again, _ := p.Add(0, "again", 1)
	if again.slot != gone.slot {
		t.Error("the slot of a removed node is not used again")
	}
	for _, n := range []Node{gone, {}, {slot: 99, generation: 1}} {
		var e Explanation
		if p.Put(n, usual(0)) != ErrNoNode || p.Remove(n) != ErrNoNode || p.Rejoin(0, n) != ErrNoNode ||
			p.SetCapacity(n, 1) != ErrNoNode || p.Weight(n) != 0 || p.Status(n) != Absent || p.Explain(n, &e) {
			t.Errorf("node %v is answered as if it were there", n)
		}
	}
	for range maxNodes - p.Len() {
		p.Add(0, "", 1)
	}
	if _, err := p.Add(0, "", 1); err != ErrFull {
		t.Errorf("node 65,536: %v, want ErrFull", err)
	}
	p.Step(time.Second)
}

func TestSettingsSayWhatIsWrong(t *testing.T) {
	for _, name := range []string{"default", "nocapacity", "given", "scaled", "window"} {
		if s, err := Preset(name); err != nil || s.Validate() != nil {
			t.Errorf("preset %s: %v, %v", name, err, s.Validate())
		}
	}
	if _, err := Preset("best"); err == nil || !strings.Contains(err.Error(), "given") {
		t.Errorf("an unknown preset: %v, want what there is", err)
	}
	nan := math.NaN()
	for want, s := range map[string]Settings{
		"cut low is 0.6":       {CutLow: 0.6},
		"-1 switches it off":   {CutHigh: -0.5},
		"sigma floor is NaN":   {SigmaFloor: nan},
		"min is 1.5":           {Min: 1.5},
		"max is 0.5":           {Max: 0.5},
		"beta is +Inf":         {Beta: math.Inf(1)},
		"form is 9":            {Form: 9},
		"unknown is 7":         {Unknown: 7},
		"tau is -2ns":          {Tau: -2},
		"expire is -1ns":       {Expire: -1},
		"window is -1":         {Window: -1},
		"cpu scale is NaN":     {Signals: [NumSignals]SignalSettings{{Scale: nan}}},
		"conn weight is -3":    {Signals: [NumSignals]SignalSettings{Connections: {Weight: -3}}},
		"p95 weight is 5e-324": {Signals: [NumSignals]SignalSettings{Latency: {Weight: 5e-324}}},
		"no signal has a":      {Form: Given, Signals: [NumSignals]SignalSettings{LoopLag: {Weight: 1}}},
		"join cap is 0.0001":   {JoinCap: 0.0001},
		"blackout is 2h0m0s":   {Blackout: 2 * time.Hour},
		"scale floor is 11":    {ScaleFloor: 11},
		"z clip is 31":         {ZClip: 31},
		"join time is 48h0m0s": {JoinTime: 48 * time.Hour},
	} {
		err := s.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
		if _, err2 := NewPipeline(s); err2 == nil {
			t.Errorf("NewPipeline takes settings that Validate refuses: %v", err)
		}
	}
}

func TestSignals(t *testing.T) {
	for s := range Signal(NumSignals) {
		if s.String() == "" || s.String() == "signal?" {
			t.Errorf("signal %d has no name", s)
		}
	}
	if s := Signal(NumSignals); s.String() != "signal?" || s.Unit() != "" || s.PerCapacity() {
		t.Error("a signal that is none answers as if it were one")
	}
	if !Connections.PerCapacity() || CPU.PerCapacity() || CPU.Unit() != "%" {
		t.Error("connections are per capacity, cpu is a share in %")
	}
}
