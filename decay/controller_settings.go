package decay

import (
	"fmt"
	"time"
)

// ControlSettings says what of the pipeline's weights is published. The zero
// value of each field is its default; where a field says so, Off switches it
// off.
type ControlSettings struct {
	Placement PlacementSettings
	Live      LiveSettings
	Storm     StormSettings
}

// PlacementSettings are for weights that only new connections follow. Those add
// up in their node for as long as they live, so the node integrates what the
// weight says, and a controller of levels is stable.
type PlacementSettings struct {
	Update time.Duration // time between decisions; default 5 s
	Alpha  float64       // share of the way to the target that one update goes; default 0.3; 1 is no smoothing
	Step   float64       // most that a published weight changes at once, as a share of it; default 0.10; Off

	// A weight that differs from the published one by more than Band is
	// followed, until it differs by no more than Inner. Default 0.05 and 0.02;
	// Off follows everything.
	Band, Inner float64
	// CoolDown is the least time between two publications, except for joins,
	// leaves, new capacities and storms: what moves within it is published together. Default 30
	// s, which in the simulation of 64 nodes makes 120 publications an hour where
	// none makes 600, with the same loads; Off.
	CoolDown time.Duration
}

// LiveSettings are for weights whose change moves connections that are open. Then
// the load follows at once and the node does not integrate; a controller of
// levels has a gain of Beta/SigmaFloor = 20 and oscillates. So here the weight
// itself integrates: each update multiplies it by 1 - Gain x (load above the
// mean, as a share of it), under a budget of moves.
type LiveSettings struct {
	On     bool          // default: no LiveWeight is made
	Update time.Duration // T, time between steps; default 60 s: twice Settings.Tau
	Gain   float64       // k; default 0.5
	Band   float64       // deviations up to this are left alone; default 0.02; Off
	Step   float64       // most that a weight changes at once; default 0.10; Off
	// Budget is the share of all connections that may be moved in a minute;
	// what is not used is kept for Burst. Default 0.01 and 0.01. Joins and
	// leaves move what they must, outside of the budget.
	Budget, Burst float64
}

// StormSettings say when so many connect at once that levels, which are seconds
// old, mislead: then weights are the capacities.
type StormSettings struct {
	// A storm begins when more than Multiple x the usual number of connections
	// are placed in a second, and more than Floor. It ends when fewer than Calm
	// x the usual number are for Quiet. Default 5, 50 a second, 2, 30 s.
	Multiple, Floor, Calm float64
	Quiet                 time.Duration
	// Tau is over how long the usual number is averaged, outside of storms;
	// default 10 min.
	Tau time.Duration
	// Longest is how long a storm lasts at most: then its rate is the usual
	// one. Default 10 min.
	Longest time.Duration
	Off     bool // no storm is recognised
}

// ControlPreset returns settings by name: "default", for new placements; "live",
// which also makes LiveWeight; "undamped", which publishes whatever the pipeline
// says, and is what not to do.
func ControlPreset(name string) (ControlSettings, error) {
	var s ControlSettings
	switch name {
	case "default":
	case "live":
		s.Live.On = true
	case "undamped":
		s.Placement = PlacementSettings{Alpha: 1, Step: Off, Band: Off, Inner: Off, CoolDown: Off}
		s.Storm.Off = true
	default:
		return s, fmt.Errorf("no preset %q: there are default, live and undamped", name)
	}
	return s.WithDefaults(), nil
}

// WithDefaults returns s with zero fields replaced by their defaults, and Off
// left as it is.
func (s ControlSettings) WithDefaults() ControlSettings {
	setDefault(&s.Placement.Update, 5*time.Second)
	setDefault(&s.Placement.Alpha, 0.3)
	setDefault(&s.Placement.Step, 0.1)
	setDefault(&s.Placement.Band, 0.05)
	setDefault(&s.Placement.Inner, min(0.02, s.Placement.Band))
	setDefault(&s.Placement.CoolDown, 30*time.Second)
	setDefault(&s.Live.Update, 60*time.Second)
	setDefault(&s.Live.Gain, 0.5)
	setDefault(&s.Live.Band, 0.02)
	setDefault(&s.Live.Step, 0.1)
	setDefault(&s.Live.Budget, 0.01)
	setDefault(&s.Live.Burst, 0.01)
	setDefault(&s.Storm.Multiple, 5)
	setDefault(&s.Storm.Floor, 50)
	setDefault(&s.Storm.Calm, min(2, s.Storm.Multiple))
	setDefault(&s.Storm.Quiet, 30*time.Second)
	setDefault(&s.Storm.Tau, 10*time.Minute)
	setDefault(&s.Storm.Longest, 10*time.Minute)
	return s
}

// Validate returns nil, or all that is wrong and what to do about it. Defaults
// are filled in first.
func (s ControlSettings) Validate() error {
	s = s.WithDefaults()
	var c checks
	p, l, t := s.Placement, s.Live, s.Storm
	c.duration("placement update", p.Update, 10*time.Millisecond, time.Hour, false)
	c.within("placement alpha", p.Alpha, 0.001, 1, "1 is no smoothing")
	c.off("placement step", p.Step, 0.001, 1, "0.1 is 10 % of the weight")
	c.off("placement band", p.Band, 0, 1, "0.05 is 5 % of the weight")
	c.off("placement inner", p.Inner, 0, 1, "0.02 is 2 % of the weight")
	if p.Inner > p.Band {
		c.add("placement inner %v is wider than the band %v: a weight would never be followed; make it smaller", p.Inner, p.Band)
	}
	c.duration("placement cool-down", p.CoolDown, 0, time.Hour, true)
	c.duration("live update", l.Update, time.Second, 24*time.Hour, false)
	c.within("live gain", l.Gain, 0.001, 1, "above 1 it overshoots at once")
	c.off("live band", l.Band, 0, 1, "0.02 is 2 % of the mean load")
	c.off("live step", l.Step, 0.001, 1, "0.1 is 10 % of the weight")
	c.within("live budget", l.Budget, 1e-6, 1, "0.01 is 1 % of all connections a minute")
	c.within("live burst", l.Burst, 1e-6, 1, "0.01 is 1 % of all connections")
	c.within("storm multiple", t.Multiple, 1, 1e6, "5 is five times the usual rate")
	c.within("storm floor", t.Floor, 0, 1e9, "it is in connections a second")
	c.within("storm calm", t.Calm, 0, t.Multiple, "it is the multiple below which a storm ends, so not above the one at which it begins")
	c.duration("storm quiet", t.Quiet, 0, time.Hour, false)
	c.duration("storm tau", t.Tau, time.Second, 24*time.Hour, false)
	c.duration("storm longest", t.Longest, time.Second, 24*time.Hour, false)
	return c.err("control settings")
}
