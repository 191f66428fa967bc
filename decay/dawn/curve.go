package dawn

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Shape is how a curve gets from 1 to the floor. With x the share of the way
// that has passed, 0 to 1, and f the floor:
//
//	Linear       1 - (1-f) x
//	Smooth       1 - (1-f) s(x), s = 2x² up to 1/2, then 1 - 2(1-x)²
//	Exponential  f^x, which is e^(-lambda t) with lambda = ln(1/f) / lead
//
// Smooth begins and ends without a kink and is steepest, twice linear, in the
// middle. Exponential sheds the same share of what is left in every minute, so it
// is steepest at the beginning, ln(1/f)/(1-f) times linear (2.56 at 0.1).
type Shape uint8

// The shapes.
const (
	Linear Shape = iota
	Smooth
	Exponential
)

var shapeNames = [...]string{"linear", "smooth", "exponential"}

// String returns the name of the shape.
func (s Shape) String() string {
	if int(s) < len(shapeNames) {
		return shapeNames[s]
	}
	return fmt.Sprintf("shape %d", uint8(s))
}

// MarshalText returns the name of the shape.
func (s Shape) MarshalText() ([]byte, error) {
	if int(s) >= len(shapeNames) {
		return nil, fmt.Errorf("there is no shape %d", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a name.
func (s *Shape) UnmarshalText(text []byte) error {
	for i, name := range shapeNames {
		if string(text) == name {
			*s = Shape(i)
			return nil
		}
	}
	return fmt.Errorf("shape %.32q; write linear, smooth or exponential", text)
}

// Curve is how the weight of a node falls ahead of a window and comes back after
// it. Everything in it is elapsed time, so an hour that a zone skips or repeats
// changes nothing.
type Curve struct {
	Shape    Shape
	Floor    float64       // factor in the window, 0 to 1; given: 0.1 (10 of 100). Exponential needs more than 0
	Lead     time.Duration // from full weight to the floor, 1 s to 24 h
	Recovery time.Duration // from the floor to full weight, 1 s to 24 h
}

// DefaultCurve is the given floor, reached in half an hour and left again in a
// quarter. What that does to sessions that end by themselves is in the package
// doc: the weight steers, it does not drain.
var DefaultCurve = Curve{Shape: Linear, Floor: 0.1, Lead: 30 * time.Minute, Recovery: 15 * time.Minute}

// Validate reports what is wrong with the curve.
func (c *Curve) Validate() error {
	switch {
	case int(c.Shape) >= len(shapeNames):
		return fmt.Errorf("there is no shape %d", uint8(c.Shape))
	case !(c.Floor >= 0 && c.Floor <= 1):
		return fmt.Errorf("floor %v is not in 0 to 1", c.Floor)
	case c.Shape == Exponential && c.Floor < 1e-6:
		return errors.New("an exponential curve never reaches 0; write a floor of at least 0.000001")
	case c.Lead < time.Second || c.Lead > maxRamp:
		return fmt.Errorf("lead %v is not in 1s to %v", c.Lead, maxRamp)
	case c.Recovery < time.Second || c.Recovery > maxRamp:
		return fmt.Errorf("recovery %v is not in 1s to %v", c.Recovery, maxRamp)
	}
	return nil
}

const maxRamp = 24 * time.Hour

// at returns the factor when share x of the way down has passed. It is exactly 1
// at 0 and below, exactly the floor at 1 and beyond, and in [Floor, 1] between.
// Linear and smooth never go up when x does, to the last bit, for each operation
// in them is monotone; exponential but for the last bit.
func (c *Curve) at(x float64) float64 {
	switch {
	case !(x > 0):
		return 1
	case x >= 1:
		return c.Floor
	}
	y := 0.0
	switch c.Shape {
	case Exponential:
		y = math.Exp(x * math.Log(c.Floor))
	case Smooth:
		if x <= 0.5 {
			x = 2 * x * x
		} else {
			x = 1 - 2*(1-x)*(1-x)
		}
		fallthrough
	default:
		y = 1 - (1-c.Floor)*x
	}
	return min(1, max(c.Floor, y))
}

// steepest returns the largest change of the factor in a second, a bound that
// tests hold the curve to.
func (c *Curve) steepest() float64 {
	k := 1 - c.Floor
	switch c.Shape {
	case Smooth:
		k *= 2
	case Exponential:
		k = math.Log(1 / c.Floor)
	}
	return k / min(c.Lead, c.Recovery).Seconds()
}

// Opening is one time that a window opens: absolute instants, no zone.
//
//	1 ──────╮                       ╭────── full weight
//	         ╲                     ╱
//	floor     ╰───────────────────╯
//	     Begin  +Lead           End  +Recovery
//	            = Start, the hour, unless Begin was postponed
type Opening struct {
	Window     string    // id of the window
	Nodes      Group     // whose weight falls
	Start, End time.Time // of the maintenance
	Begin      time.Time // of the fall: Start - Lead, later if it was postponed
	Curve      Curve
}

// Low returns when the floor is reached.
func (o *Opening) Low() time.Time { return o.Begin.Add(o.Curve.Lead) }

// Clear returns when full weight is back.
func (o *Opening) Clear() time.Time { return o.End.Add(o.Curve.Recovery) }

// Last returns the latest Begin with which the floor is reached before the
// maintenance ends.
func (o *Opening) Last() time.Time { return o.End.Add(-o.Curve.Lead) }

// Factor returns by what the weight of the nodes is multiplied at t, in [floor,
// 1]. It is continuous, falls until Low, or until it is aborted, and does not fall
// after that.
func (o *Opening) Factor(t time.Time) float64 {
	if !t.After(o.Begin) || !t.Before(o.Clear()) {
		return 1
	}
	// The way down meets the way back at the floor, or above it if it was aborted.
	return max(o.Curve.at(t.Sub(o.Begin).Seconds()/o.Curve.Lead.Seconds()), o.Curve.at(1-t.Sub(o.End).Seconds()/o.Curve.Recovery.Seconds()))
}

// Validate reports what is wrong with the opening.
func (o *Opening) Validate() error { return o.validate(false) }

// validate allows for the End of one that was aborted, which may lie anywhere up
// to what it was.
func (o *Opening) validate(aborted bool) error {
	if err := o.Curve.Validate(); err != nil {
		return err
	}
	if err := o.Nodes.Validate(); err != nil {
		return err
	}
	for _, t := range []time.Time{o.Start, o.End, o.Begin} {
		if !inRange(t) {
			return fmt.Errorf("the year of %v is not in 1 to 9999", t)
		}
	}
	if aborted {
		if o.Begin.Before(o.Start.Add(-o.Curve.Lead)) || o.Begin.After(o.Start.Add(maxDuration)) || o.Clear().Before(o.Begin) || o.End.After(o.Start.Add(maxDuration)) {
			return fmt.Errorf("it was aborted, its fall begins at %v and its rise at %v: one of them is not possible", o.Begin, o.End)
		}
		return nil
	}
	if d := o.End.Sub(o.Start); d < minDuration || d > maxDuration {
		return fmt.Errorf("the maintenance lasts %v, not %v to %v", d, minDuration, maxDuration)
	}
	if o.Begin.Before(o.Start.Add(-o.Curve.Lead)) || o.Begin.After(o.Last()) {
		return fmt.Errorf("the fall begins at %v; from %v to %v it can", o.Begin, o.Start.Add(-o.Curve.Lead), o.Last())
	}
	return nil
}
