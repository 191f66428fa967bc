package plant

import (
	"time"

	"roost/decay"
)

// Scenario is one cluster and the policies that are tried on it.
type Scenario struct {
	Name     string // short, as in a file name
	Text     string // what happens
	Settings Settings
	Policies []Policy
}

// Policies by name, each of them pieces of decay's own presets.
const (
	Static     = "capacity weights"
	Window     = "last sample, no floor, undamped"
	Floorless  = "EWMA 30 s, no floor, undamped"
	Floored    = "EWMA 30 s, floor 5 %, undamped"
	CPUOnly    = "default, CPU alone"
	Default    = "default"
	NoStorm    = "default, no fall-back in storms"
	NoCapacity = "nocapacity"
	GivenForms = "given forms"
	ScaledForm = "scaled forms"
	Integral   = "integral, k .5, T 60 s, budget 1 %/min"
	IntegralNo = "integral, nocapacity"
)

// PolicyOf returns a policy by one of these names.
func PolicyOf(name string) Policy {
	p := Policy{Name: name, Weights: Placed}
	undamped, _ := decay.ControlPreset("undamped")
	switch name {
	case Static:
		p.Weights = Capacities
	case Window:
		p.Pipeline, _ = decay.Preset("window")
		p.Control = undamped
	case Floorless:
		p.Pipeline, _ = decay.Preset("window")
		p.Pipeline.Tau = decay.DefaultTau
		p.Control = undamped
	case Floored:
		p.Pipeline = decay.Settings{Min: 0.04, Max: 25, JoinCap: decay.Off}
		p.Control = undamped
	case NoStorm:
		p.Control.Storm.Off = true
	case NoCapacity:
		p.Pipeline, _ = decay.Preset("nocapacity")
	case GivenForms:
		p.Pipeline, _ = decay.Preset("given")
	case ScaledForm:
		p.Pipeline, _ = decay.Preset("scaled")
	case Integral, IntegralNo:
		p.Weights = Lived
		p.Control, _ = decay.ControlPreset("live")
		if name == IntegralNo {
			p.Pipeline, _ = decay.Preset("nocapacity")
		}
	}
	switch name {
	case Window, Floorless, Floored, CPUOnly:
		p.Pipeline.Signals = [decay.NumSignals]decay.SignalSettings{decay.CPU: {Weight: 1}}
	}
	return p
}

func policies(names ...string) (p []Policy) {
	for _, name := range names {
		p = append(p, PolicyOf(name))
	}
	return p
}

// Scenarios returns those of the report. Each is a cluster of 64 nodes and a
// million connections.
func Scenarios(seed uint64) []Scenario {
	at := 45 * time.Minute
	list := []Scenario{
		{"steady", "nothing happens; weights steer new connections", Settings{},
			policies(Static, Window, Floorless, Floored, CPUOnly, Default, GivenForms, ScaledForm)},
		{"stale", "samples are 60 s old", Settings{Stale: time.Minute},
			policies(Static, Window, Floorless, Floored, CPUOnly, Default)},
		{"skew", "the ring gives nodes 3 % more or less than their weight", Settings{RingSkew: 0.03},
			policies(Static, Default)},
		{"join", "an empty node of capacity 1.3 joins after 45 min", Settings{Join: Join{At: at}},
			policies(Static, Window, Floorless, Floored, CPUOnly, Default)},
		{"unknown", "the pipeline is told that all capacities are 1", Settings{Unknown: true, Run: 4 * time.Hour, Warmup: 2 * time.Hour},
			policies(Static, CPUOnly, Default, NoCapacity, GivenForms, ScaledForm, IntegralNo)},
		{"moves", "weights move open connections, from the first minute on", Settings{Moves: true, Warmup: decay.Off},
			policies(Static, Window, Floored, Default, Integral)},
		{"moves-unknown", "the same, and the pipeline is told that all capacities are 1", Settings{Moves: true, Unknown: true, Warmup: decay.Off},
			policies(Static, Window, NoCapacity, IntegralNo)},
		{"storm", "all connections end after 45 min, and come back", Settings{Drop: Drop{At: at, Share: 1}},
			policies(Static, Window, Floorless, Floored, NoStorm, Default)},
		{"storm-third", "those of a third of the nodes end after 45 min, and come back", Settings{Drop: Drop{At: at, Share: 0.33}},
			policies(Static, Window, Floorless, Floored, NoStorm, Default)},
	}
	for i := range list {
		list[i].Settings.Seed = seed
	}
	return list
}
