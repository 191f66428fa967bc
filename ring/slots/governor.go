package slots

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Settings of a Governor. A zero field is its default.
type Settings struct {
	// Alpha is how much of a new weight counts: smoothed += Alpha (weight -
	// smoothed), at every check. 0.1: a change is seen to two thirds after ten checks. 1 is
	// no smoothing.
	Alpha float64
	// Act is the sigma over nodes at which a rebalance begins, once it has been
	// reached Checks times in a row; Rest is where it ends. 0.2 (given), 3 and 0.05.
	Act, Rest float64
	Checks    int
	// Step is the share of all slots that may move at one check: 0.01.
	Step float64
	// Cool is how long nothing moves after a rebalance: 5 minutes.
	Cool time.Duration
	// Slots is how far a node must be off to take part: Threshold.
	Slots int
}

// ErrSettings is what is wrong with settings; the text says which.
var ErrSettings = errors.New("slots: settings refused")

// Validate returns the settings with defaults in place of zeros, or ErrSettings.
func (s Settings) Validate() (Settings, error) {
	def := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	def(&s.Alpha, 0.1)
	def(&s.Act, 0.2)
	def(&s.Rest, min(0.05, s.Act/2))
	def(&s.Step, 0.01)
	if s.Checks == 0 {
		s.Checks = 3
	}
	if s.Cool == 0 {
		s.Cool = 5 * time.Minute
	}
	if s.Slots == 0 {
		s.Slots = Threshold
	}
	switch {
	case !(s.Alpha > 0 && s.Alpha <= 1):
		return s, fmt.Errorf("%w: Alpha is %v, must be above 0 and at most 1", ErrSettings, s.Alpha)
	case !(s.Act > 0) || math.IsInf(s.Act, 0):
		return s, fmt.Errorf("%w: Act is %v, must be above 0", ErrSettings, s.Act)
	case !(s.Rest > 0 && s.Rest < s.Act):
		return s, fmt.Errorf("%w: Rest is %v, must be above 0 and below Act, %v: without a gap it would begin again at once", ErrSettings, s.Rest, s.Act)
	case !(s.Step > 0 && s.Step <= 1):
		return s, fmt.Errorf("%w: Step is %v, must be above 0 and at most 1", ErrSettings, s.Step)
	case s.Checks < 1 || s.Cool < 0 || s.Slots < 0:
		return s, fmt.Errorf("%w: Checks is %d, Cool %v, Slots %d: not negative, and at least one check", ErrSettings, s.Checks, s.Cool, s.Slots)
	}
	return s, nil
}

// State is what a Governor is doing.
//
//	Resting --sigma >= Act--> Watching --Checks in a row--> Moving
//	   ^                         |                            |
//	   |<------sigma < Act-------+        sigma < Rest, or nobody is
//	   |                                   far enough off     |
//	   +---------after Cool------- Cooling <------------------+
type State int

// The states.
const (
	Resting State = iota
	Watching
	Moving
	Cooling
)

func (s State) String() string {
	return [...]string{"resting", "watching", "moving", "cooling"}[s]
}

// Decision is what a Governor says after a check.
type Decision struct {
	State State
	Skew  Skew // of the slots against the smoothed weights
	// Moves are to be made now, at most Step of the slots; nil if none.
	Moves []Move
	Plan  *Plan // the whole rebalance that Moves begin; nil if there are none
	Why   string
}

// Governor decides when to rebalance, so that weights that jitter move nothing.
// It is for one goroutine.
type Governor struct {
	s        Settings
	state    State
	smoothed map[string]float64 // share by node
	above    int                // checks in a row at or above Act
	cool     time.Duration      // when cooling ends
}

// NewGovernor returns a Governor at rest, or ErrSettings.
func NewGovernor(s Settings) (*Governor, error) {
	s, err := s.Validate()
	if err != nil {
		return nil, err
	}
	return &Governor{s: s, smoothed: map[string]float64{}}, nil
}

// Check looks at what nodes hold and should hold, at a time on any clock, and
// says what to do. The caller makes the moves, looks at slots and load again, and
// calls Check with what it finds. A refused list changes nothing.
func (g *Governor) Check(now time.Duration, hs []Holding) (Decision, error) {
	if err := check(hs); err != nil {
		return Decision{State: g.state}, err
	}
	smooth := g.smooth(hs)
	d := Decision{}
	var err error
	if d.Skew, err = Nodes(smooth); err != nil {
		return Decision{State: g.state}, err
	}
	if g.cool > now+g.s.Cool {
		g.cool = now + g.s.Cool // the clock was set back
	}
	if g.state == Cooling && now >= g.cool {
		g.state = Resting
	}
	g.watch(&d)
	if g.state == Moving {
		if err := g.move(now, smooth, &d); err != nil {
			return Decision{State: g.state}, err
		}
	}
	d.State = g.state
	return d, nil
}

// smooth returns hs with smoothed shares for weights.
func (g *Governor) smooth(hs []Holding) []Holding {
	sum := 0.0
	for _, h := range hs {
		sum += h.Weight
	}
	next := make(map[string]float64, len(hs))
	out := make([]Holding, len(hs))
	for i, h := range hs {
		share := h.Weight / sum
		old, known := g.smoothed[h.Node]
		if !known || share == 0 {
			old = share // a new node is meant, and so is one that is to be emptied
		}
		next[h.Node] = old + g.s.Alpha*(share-old)
		out[i] = h
		out[i].Weight = next[h.Node]
	}
	g.smoothed = next
	return out
}

// watch goes from Resting to Moving and back.
func (g *Governor) watch(d *Decision) {
	high := d.Skew.Sigma >= g.s.Act || d.Skew.Outside > 0
	if high {
		g.above++
	} else {
		g.above = 0
	}
	switch g.state {
	case Resting, Watching:
		switch {
		case !high:
			g.state = Resting
			d.Why = fmt.Sprintf("sigma %.3f is below %.3f", d.Skew.Sigma, g.s.Act)
		case g.above < g.s.Checks:
			g.state = Watching
			d.Why = fmt.Sprintf("sigma %.3f for %d of %d checks", d.Skew.Sigma, g.above, g.s.Checks)
		default:
			g.state = Moving
		}
	case Cooling:
		d.Why = "a rebalance has just ended"
	}
}

// move makes the next step of a rebalance, or ends it.
func (g *Governor) move(now time.Duration, hs []Holding, d *Decision) error {
	end := func(why string) {
		g.state, g.above, g.cool = Cooling, 0, now+g.s.Cool
		d.Why = why
	}
	if d.Skew.Sigma < g.s.Rest && d.Skew.Outside == 0 {
		end(fmt.Sprintf("sigma %.3f is below %.3f", d.Skew.Sigma, g.s.Rest))
		return nil
	}
	p, err := Rebalance(hs, g.s.Slots)
	if err != nil {
		return err
	}
	total := 0
	for _, h := range hs {
		total += h.Slots
	}
	if d.Moves = p.Limit(max(int(g.s.Step*float64(total)), 1)); len(d.Moves) == 0 {
		end(fmt.Sprintf("no node is more than %d slots off", g.s.Slots))
		return nil
	}
	d.Plan = p
	d.Why = fmt.Sprintf("sigma %.3f: %d slots are to move, %d between zones", d.Skew.Sigma, p.Moved, p.Across)
	return nil
}
