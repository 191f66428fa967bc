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
	// reached Checks times in a row; Rest is where it ends. A weight of 0 is believed
	// after Checks times too. 0.2 (given), 3 and 0.05.
	Act, Rest float64
	Checks    int
	// Step is the share of all slots that may move at one check: 0.01.
	Step float64
	// Cool is how long nothing moves after a rebalance: 5 minutes.
	Cool time.Duration
	// Threshold is by how many slots a node may be off without any being moved for it,
	// unless it should have none: 5, the constant.
	Threshold int
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
	if s.Threshold == 0 {
		s.Threshold = Threshold
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
	case s.Checks < 1 || s.Cool < 0 || s.Threshold < 0:
		return s, fmt.Errorf("%w: Checks is %d, Cool %v, Threshold %d: not negative, and at least one check", ErrSettings, s.Checks, s.Cool, s.Threshold)
	}
	return s, nil
}

// State is what a Governor is doing.
//
//	Resting --high--> Watching --high, Checks in a row--> Moving
//	   ^                 |                                  |
//	   |<----not high----+             sigma < Rest, and no slots are
//	   |                                   where none should be
//	   |                                                    |
//	   +--------after Cool-------- Cooling <----------------+
//
// High is sigma >= Act, or slots on a node that should have none. Nothing is
// counted while it moves or cools, so another rebalance is at least Cool and Checks
// away. With Checks at 1, Resting and Watching are passed within one check.
type State int

// The states.
const (
	Resting State = iota
	Watching
	Moving
	Cooling
)

// String returns the state's name in lower case, State(9) for what is none.
func (s State) String() string {
	names := [...]string{"resting", "watching", "moving", "cooling"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("State(%d)", int(s))
	}
	return names[s]
}

// Decision is what a Governor says after a check.
type Decision struct {
	State State
	Skew  Skew // of the slots against the smoothed weights
	// Sigma is what Act and Rest are compared with: Skew's, but with nodes that are
	// not far off taken as right. See "When" in the package's documentation.
	Sigma float64
	// Moves are to be made now, at most Step of the slots; nil if none.
	Moves []Move
	Plan  *Plan // the whole rebalance that Moves begin; nil if there are none
	Why   string
}

// Governor decides when to rebalance, so that weights that jitter move nothing.
// It is for one goroutine.
type Governor struct {
	s      Settings
	state  State
	wishes map[string]wish // by node
	above  int             // high checks in a row, while Resting or Watching
	cooled time.Duration   // when Cooling began
}

// NewGovernor returns a Governor at rest, or ErrSettings.
func NewGovernor(s Settings) (*Governor, error) {
	s, err := s.Validate()
	if err != nil {
		return nil, err
	}
	return &Governor{s: s, wishes: map[string]wish{}}, nil
}

// Check looks at what nodes hold and should hold, at a time on any clock, and
// says what to do. The caller makes the moves, looks at slots and load again, and
// calls Check with what it finds. A refused list changes nothing; the error is
// ErrHolding.
func (g *Governor) Check(now time.Duration, hs []Holding) (Decision, error) {
	if err := check(hs); err != nil {
		return Decision{State: g.state}, err
	}
	smooth, doubted := g.smooth(hs)
	_, far, err := distances(smooth, g.s.Threshold)
	if err != nil {
		return Decision{State: g.state}, err
	}
	d := Decision{Sigma: farSigma(smooth, far)}
	if d.Skew, err = Nodes(smooth); err != nil {
		return Decision{State: g.state}, err
	}
	g.watch(now, &d)
	if g.state == Moving {
		if err := g.move(now, smooth, doubted, &d); err != nil {
			return Decision{State: g.state}, err
		}
	}
	d.State = g.state
	return d, nil
}

// farSigma is the sigma of hs, with nodes that are not far off taken as right.
func farSigma(hs []Holding, far []bool) float64 {
	weights, total := sumWeights(hs), 0
	for _, h := range hs {
		total += h.Slots
	}
	low, high, sum, with := math.Inf(1), 0.0, 0.0, 0.0
	for i, h := range hs {
		share, r := h.Weight/weights, 1.0
		if share < noShare {
			continue
		}
		if far[i] {
			r = float64(h.Slots) / float64(total) / share
		}
		low, high, sum, with = min(low, r), max(high, r), sum+r, with+1
	}
	if sum == 0 {
		return 0
	}
	return (high - low) / sum * with
}

// watch goes from Resting to Moving, and from Cooling to Resting.
func (g *Governor) watch(now time.Duration, d *Decision) {
	if g.state == Cooling {
		g.cooled = min(g.cooled, now)                        // the clock was set back
		if uint64(now)-uint64(g.cooled) < uint64(g.s.Cool) { // now is not before it, but the difference may not fit
			d.Why = "a rebalance has just ended"
			return
		}
	}
	if g.state == Moving {
		return
	}
	if d.Sigma < g.s.Act && d.Skew.Outside == 0 {
		g.state, g.above = Resting, 0
		d.Why = fmt.Sprintf("sigma %.3f is below %.3f", d.Sigma, g.s.Act)
		return
	}
	if g.above++; g.above < g.s.Checks {
		g.state = Watching
		d.Why = fmt.Sprintf("%s for %d of %d checks", high(d), g.above, g.s.Checks)
		return
	}
	g.state, g.above = Moving, 0
}

// high says what is to be mended.
func high(d *Decision) string {
	if d.Skew.Outside > 0 {
		return fmt.Sprintf("sigma %.3f and %.0f slots where none should be", d.Sigma, d.Skew.Outside)
	}
	return fmt.Sprintf("sigma %.3f", d.Sigma)
}

// move makes the next step of a rebalance, or ends it. While it moves, there is
// somebody far off: the others do not count in sigma.
func (g *Governor) move(now time.Duration, hs []Holding, doubted string, d *Decision) error {
	if d.Sigma < g.s.Rest && d.Skew.Outside == 0 {
		g.state, g.cooled = Cooling, now
		d.Why = fmt.Sprintf("sigma %.3f is below %.3f", d.Sigma, g.s.Rest)
		return nil
	}
	if doubted != "" {
		d.Why = fmt.Sprintf("node %q has had weight 0 for fewer than %d checks: nothing moves until that is sure", doubted, g.s.Checks)
		return nil
	}
	p, err := Rebalance(hs, g.s.Threshold)
	if err != nil {
		return err
	}
	total := 0
	for _, h := range hs {
		total += h.Slots
	}
	d.Plan, d.Moves = p, p.Limit(max(int(g.s.Step*float64(total)), 1))
	d.Why = fmt.Sprintf("%s: %d slots are to move, %d between zones", high(d), p.Moved, p.Across)
	return nil
}
