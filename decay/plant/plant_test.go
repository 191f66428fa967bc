package plant

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"roost/decay"
)

// short makes a run that still shows what it should, in less time with -short and
// under the race detector: the package starts no goroutine.
func short(s Settings) Settings {
	s.Seed = 1
	s.Run, s.Warmup = 40*time.Minute, 15*time.Minute
	if testing.Short() || raceDetector {
		s.Nodes, s.Connections = 32, 500_000
		s.Run, s.Warmup = 20*time.Minute, 10*time.Minute
	}
	return s
}

func run(t *testing.T, s Settings, policy string) Result {
	t.Helper()
	r, err := Run(s, PolicyOf(policy))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: deviation %.2f %%, %.0f publications/h, change %.2f %%, moves %.1f %%/h, swing %.2f %%, autocorrelation -%.2f",
		policy, r.LoadStd, r.Publishes, r.Change, r.Moves, r.Swing, r.Oscillation)
	return r
}

// TestSteadyCluster has the figures of the reference's table: without feedback
// Poisson noise of 0.8 %; the default holds 0.3 % with fewer publications than its
// 182 an hour; what is undamped or has no floor changes weights without end.
func TestSteadyCluster(t *testing.T) {
	s := short(Settings{})
	static, def := run(t, s, Static), run(t, s, Default)
	window, floored := run(t, s, Window), run(t, s, Floored)
	if static.LoadStd < 0.6 || static.LoadStd > 1 || static.Publishes != 0 {
		t.Errorf("without feedback the deviation is %.2f %%, want 0.8: that of a Poisson count", static.LoadStd)
	}
	if def.LoadStd > 0.45 || def.MaxLoad > 1.015 || def.Publishes > 130 || def.Change > 0.5 || def.Cycles() {
		t.Errorf("default: deviation %.2f %%, max %.3f, %.0f publications/h, change %.2f %%; want 0.3, 1.01, 120, 0.2",
			def.LoadStd, def.MaxLoad, def.Publishes, def.Change)
	}
	if floored.LoadStd > 0.4 || floored.Change < 1 || floored.Change > 5 {
		t.Errorf("with the floor alone: deviation %.2f %%, change %.2f %%; want 0.25 and 2.4", floored.LoadStd, floored.Change)
	}
	if window.Change < 50 || window.Change < 20*floored.Change {
		t.Errorf("without the floor weights change by %.0f %% an update, with it by %.1f: the floor has nothing to do", window.Change, floored.Change)
	}
}

func TestStaleSamples(t *testing.T) {
	s := short(Settings{Stale: time.Minute})
	def, floorless := run(t, s, Default), run(t, s, Floorless)
	if def.LoadStd > 0.6 || def.Cycles() {
		t.Errorf("default on samples of a minute ago: deviation %.2f %%, want 0.4 and no cycle", def.LoadStd)
	}
	if floorless.LoadStd < 2*def.LoadStd {
		t.Errorf("without a floor %.2f %%, default %.2f %%: want far more", floorless.LoadStd, def.LoadStd)
	}
}

// TestJoiner: the default fills an empty node within 20 minutes without giving it
// more than twice its share; capacity weights take more than an hour, undamped
// ones give it a third of all handshakes.
func TestJoiner(t *testing.T) {
	s := short(Settings{Join: Join{At: 16 * time.Minute}})
	s.Run = 40 * time.Minute
	static, def, window := run(t, s, Static), run(t, s, Default), run(t, s, Window)
	if def.JoinerPeak > 2*def.JoinerFair || def.Fill < 0 || def.Fill > 25*60 || def.Overshoot > 1.05 {
		t.Errorf("default: %.1f %% of what is placed (fair %.1f), full after %.0f s, at most %.2f of its share; want twice the fair share, 1200 s, 1.02",
			def.JoinerPeak, def.JoinerFair, def.Fill, def.Overshoot)
	}
	if static.Fill >= 0 || math.Abs(static.JoinerPeak-static.JoinerFair) > 0.01 {
		t.Errorf("capacity weights: full after %.0f s, want not in this time", static.Fill)
	}
	if window.JoinerPeak < 15 {
		t.Errorf("undamped: %.1f %% of what is placed, want a flood", window.JoinerPeak)
	}
}

func TestUnknownCapacities(t *testing.T) {
	s := short(Settings{Unknown: true, Life: 10 * time.Minute})
	s.Run, s.Warmup = 40*time.Minute, 30*time.Minute
	static, blind := run(t, s, Static), run(t, s, NoCapacity)
	if static.LoadStd < 20 || blind.LoadStd > 2.5 || blind.Cycles() {
		t.Errorf("deviation %.1f %% with equal weights, %.2f %% with nocapacity; want 25 and 1.6", static.LoadStd, blind.LoadStd)
	}
}

// TestRingSkewIsCorrected: what the ring gives a node too much, the loop takes
// away.
func TestRingSkewIsCorrected(t *testing.T) {
	s := short(Settings{RingSkew: 0.03})
	if static, def := run(t, s, Static), run(t, s, Default); static.LoadStd < 2 || def.LoadStd > 0.6 {
		t.Errorf("deviation %.2f %% without feedback, %.2f %% with it; want 3 and 0.4", static.LoadStd, def.LoadStd)
	}
}

// TestMovingLiveConnections: a controller of levels cycles, whether it is damped
// or not; the integral one does not, and keeps its budget.
func TestMovingLiveConnections(t *testing.T) {
	s := short(Settings{Moves: true})
	s.Run, s.Warmup = 40*time.Minute, decay.Off
	for _, name := range []string{Window, Floored, Default} {
		if r := run(t, s, name); !r.Cycles() || r.Moves < 300 {
			t.Errorf("%s: %.0f %%/h moved, swing %.1f %%; want a cycle", name, r.Moves, r.Swing)
		}
	}
	if r := run(t, s, Integral); r.Cycles() || r.Moves > 1 || r.LoadStd > 1 {
		t.Errorf("integral: deviation %.2f %%, %.2f %%/h moved; want 0.7 and next to none", r.LoadStd, r.Moves)
	}
	s.Unknown = true
	r := run(t, s, IntegralNo)
	last := r.Trace.LoadStd[len(r.Trace.LoadStd)-1]
	if r.Cycles() || r.WorstMoves > 1.001 || r.Moves > 20 || last > 2.5 {
		t.Errorf("integral, capacities unknown: %.2f %% moved in a minute at most, %.1f %%/h, deviation at the end %.2f %%; want 1, 14, 1.6",
			r.WorstMoves, r.Moves, last)
	}
}

// TestMassReconnect: all come back at once, and levels are stale.
func TestMassReconnect(t *testing.T) {
	s := short(Settings{Drop: Drop{At: 16 * time.Minute, Share: 1}})
	def, window := run(t, s, Default), run(t, s, Window)
	if def.WorstLoad > 1.3 || def.Storms < 60 || def.Storms > 300 || def.Restored < 0 || def.Restored > 180 {
		t.Errorf("default: worst load %.2f, storm of %.0f s, even again after %.0f s; want 1.1, 120, 92", def.WorstLoad, def.Storms, def.Restored)
	}
	if window.WorstLoad < 2 {
		t.Errorf("undamped: worst load %.2f, want several times the mean", window.WorstLoad)
	}
	if quiet := run(t, short(Settings{}), Default); quiet.Storms != 0 {
		t.Errorf("%.0f s of storm although nothing happens", quiet.Storms)
	}
}

func TestRunIsDeterministic(t *testing.T) {
	s := short(Settings{Join: Join{At: 10 * time.Minute}, RingSkew: 0.01})
	s.Nodes, s.Run = 16, 20*time.Minute
	a, b := run(t, s, Default), run(t, s, Default)
	a.Trace.JoinerLoad, b.Trace.JoinerLoad = nil, nil // NaN is not itself
	a.Trace.JoinerShare, b.Trace.JoinerShare = nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Error("two runs of one seed differ")
	}
	s.Seed++
	if c := run(t, s, Default); c.LoadStd == a.LoadStd {
		t.Error("another seed gives the same run")
	}
}

// TestConnectionsAreConserved: none is lost, none is made.
func TestConnectionsAreConserved(t *testing.T) {
	for _, moves := range []bool{false, true} {
		set := short(Settings{Moves: moves, Drop: Drop{At: 2 * time.Minute, Share: 0.5}, Join: Join{At: 3 * time.Minute}})
		s, err := newSim(set, PolicyOf(Window))
		if err != nil {
			t.Fatal(err)
		}
		for now := time.Duration(0); now < 5*time.Minute; now += time.Second {
			if err := s.second(now); err != nil {
				t.Fatal(err)
			}
			sum := s.away
			for _, n := range s.nodes {
				sum += n.active
				if !(n.active >= 0) {
					t.Fatalf("%v: a node has %v connections", now, n.active)
				}
			}
			if math.Abs(sum/s.set.Connections-1) > 1e-9 {
				t.Fatalf("%v: %v connections of %v", now, sum, s.set.Connections)
			}
		}
	}
}

func TestOscillation(t *testing.T) {
	var wave, ramp, flat []float64
	for i := range 300 {
		wave = append(wave, 1+0.1*math.Sin(float64(i)/8))
		ramp = append(ramp, float64(i))
		flat = append(flat, 1)
	}
	if std, c := oscillation(wave); c < 0.9 || math.Abs(std-0.07) > 0.01 {
		t.Errorf("a sine: %v, deviation %v", c, std)
	}
	if _, c := oscillation(ramp); c > 0.5 {
		t.Errorf("a ramp: %v", c)
	}
	// A lag leaves n - lag products: of a sine of half of a turn of which a third is
	// the longest lag, their mean at it is as deep as the sine's.
	var slow []float64
	for i := range 300 {
		slow = append(slow, math.Sin(2*math.Pi*float64(i)/200))
	}
	if _, c := oscillation(slow); math.Abs(c-1) > 0.05 {
		t.Errorf("a sine of one and a half turns: %v, want 1", c)
	}
	if std, c := oscillation(flat); std != 0 || c != 0 {
		t.Errorf("nothing: %v, %v", c, std)
	}
}

func TestSettingsSayWhatIsWrong(t *testing.T) {
	for want, s := range map[string]Settings{
		"nodes is -1":     {Nodes: -1},
		"capacity is NaN": {Capacities: []float64{math.NaN()}},
		"load is 2":       {Load: 2},
		"warm-up":         {Run: time.Minute, Warmup: time.Hour},
		"ring skew":       {RingSkew: -1},
		"sample is 1.5s":  {Sample: 1500 * time.Millisecond},
		"stale is 3s":     {Sample: 2 * time.Second, Stale: 3 * time.Second},
		"back after":      {Drop: Drop{At: time.Minute, Share: 0.5, Back: -time.Second}},
		"join in seconds": {Join: Join{At: -time.Second}},
		"drop in seconds": {Drop: Drop{At: -time.Second, Share: 0.5}},
	} {
		if _, err := Run(s, Policy{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", s, err, want)
		}
	}
	bad := Policy{Pipeline: decay.Settings{Beta: -1}}
	if _, err := Run(Settings{}, bad); err == nil {
		t.Error("a policy that decay refuses is run")
	}
	bad = Policy{Control: decay.ControlSettings{Placement: decay.PlacementSettings{Alpha: 9}}}
	if _, err := Run(Settings{}, bad); err == nil {
		t.Error("a policy that decay refuses is run")
	}
}

func TestScenariosAreValid(t *testing.T) {
	for _, sc := range Scenarios(1) {
		if err := sc.Settings.Validate(); err != nil {
			t.Errorf("%s: %v", sc.Name, err)
		}
		for _, p := range sc.Policies {
			if err := p.Pipeline.Validate(); err != nil {
				t.Errorf("%s, %s: %v", sc.Name, p.Name, err)
			}
			if err := p.Control.Validate(); err != nil {
				t.Errorf("%s, %s: %v", sc.Name, p.Name, err)
			}
		}
	}
}

// FuzzRun: no settings that Validate takes make a run fail or give a number that
// is none.
func FuzzRun(f *testing.F) {
	f.Add(uint8(64), uint16(30), uint16(5), uint8(2), uint8(0), uint8(50), true)
	f.Fuzz(func(t *testing.T, nodes uint8, life, stale uint16, noise, skew, load uint8, moves bool) {
		s := Settings{Nodes: int(nodes % 80), Life: time.Duration(life) * time.Second, Stale: time.Duration(stale%700) * time.Second,
			Noise: float64(noise) / 100, RingSkew: float64(skew) / 100, Load: float64(load) / 100, Moves: moves, Run: 90 * time.Second, Warmup: 10 * time.Second,
			Join: Join{At: 20 * time.Second}, Drop: Drop{At: 40 * time.Second, Share: 0.7}}
		if s.Validate() != nil {
			return
		}
		for _, name := range []string{Default, Window, Integral} {
			r, err := Run(s, PolicyOf(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range []float64{r.LoadStd, r.MaxLoad, r.WorstLoad, r.Change, r.Moves, r.Swing, r.Oscillation, r.JoinerPeak, r.Overshoot} {
				if !(v >= 0 && v < 1e9) {
					t.Fatalf("%s: %+v has %v", name, s, v)
				}
			}
		}
	})
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		if _, err := Run(Settings{Run: 10 * time.Minute, Warmup: time.Minute}, PolicyOf(Default)); err != nil {
			b.Fatal(err)
		}
	}
}
