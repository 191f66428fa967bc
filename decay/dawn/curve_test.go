package dawn

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// genCurve is any curve that is allowed.
func genCurve(t *rapid.T) Curve {
	c := Curve{
		Shape:    rapid.SampledFrom([]Shape{Linear, Smooth, Exponential}).Draw(t, "shape"),
		Floor:    rapid.Float64Range(0, 1).Draw(t, "floor"),
		Lead:     time.Duration(rapid.Int64Range(int64(time.Second), int64(maxRamp)).Draw(t, "lead")),
		Recovery: time.Duration(rapid.Int64Range(int64(time.Second), int64(maxRamp)).Draw(t, "recovery")),
	}
	if c.Shape == Exponential {
		c.Floor = max(c.Floor, 1e-6)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// genOpening is one whose fall may have been postponed.
func genOpening(t *rapid.T) Opening {
	c := genCurve(t)
	start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0).UTC()
	o := Opening{Window: "w", Nodes: Group{IDs: []string{"*"}}, Curve: c, Start: start, Begin: start.Add(-c.Lead)}
	o.End = start.Add(time.Duration(rapid.Int64Range(int64(minDuration), int64(maxDuration)).Draw(t, "duration")))
	o.Begin = o.Begin.Add(time.Duration(rapid.Int64Range(0, int64(o.End.Sub(start))).Draw(t, "postponed")))
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestFactor holds the curve to what it promises: in [floor, 1], exact at its
// corners, falling, then level, then rising, and continuous.
func TestFactor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := genOpening(t)
		for _, p := range []struct {
			at   time.Time
			want float64
		}{
			{o.Begin, 1}, {o.Begin.Add(-1), 1}, {o.Low(), o.Curve.Floor}, {o.End, o.Curve.Floor}, {o.Clear(), 1}, {o.Clear().Add(1), 1},
			{time.Time{}, 1}, {time.Unix(1<<60, 0), 1}, {time.Unix(-1<<60, 0), 1},
		} {
			if got := o.Factor(p.at); got != p.want {
				t.Fatalf("at %v the factor is %v, not %v", p.at, got, p.want)
			}
		}
		span := int64(o.Clear().Sub(o.Begin))
		a := o.Begin.Add(time.Duration(rapid.Int64Range(-1e9, span+1e9).Draw(t, "a")))
		b := a.Add(time.Duration(rapid.Int64Range(0, span).Draw(t, "b")))
		fa, fb := o.Factor(a), o.Factor(b)
		if fa < o.Curve.Floor || fa > 1 {
			t.Fatalf("at %v the factor is %v", a, fa)
		}
		last := 0.0 // of the last bit
		if o.Curve.Shape == Exponential {
			last = 1e-15
		}
		switch {
		case !b.After(o.End) && fb > fa+last:
			t.Fatalf("it falls, but from %v to %v it goes from %v to %v", a, b, fa, fb)
		case !a.Before(o.Low()) && fb < fa-last:
			t.Fatalf("it rises, but from %v to %v it goes from %v to %v", a, b, fa, fb)
		}
		if most := o.Curve.steepest()*b.Sub(a).Seconds()*(1+1e-9) + 1e-9; math.Abs(fb-fa) > most {
			t.Fatalf("it jumps: from %v to %v it goes from %v to %v, more than %v", a, b, fa, fb, most)
		}
	})
}

// TestFactorSteps walks down a fall and up a rise: no step of the wrong sign, not by
// the last bit, in any shape.
func TestFactorSteps(t *testing.T) {
	for _, shape := range []Shape{Linear, Smooth, Exponential} {
		o := given(shape)
		before := 1.0
		for at := o.Begin; at.Before(o.Low().Add(time.Second)); at = at.Add(37 * time.Millisecond) {
			f := o.Factor(at)
			if f > before {
				t.Fatalf("%v at %v: %v after %v", shape, at, f, before)
			}
			before = f
		}
		for at := o.End; at.Before(o.Clear().Add(time.Second)); at = at.Add(37 * time.Millisecond) {
			f := o.Factor(at)
			if f < before {
				t.Fatalf("%v at %v: %v after %v", shape, at, f, before)
			}
			before = f
		}
	}
}

// given is the given window with the default curve in a shape.
func given(shape Shape) Opening {
	c := DefaultCurve
	c.Shape = shape
	start := time.Date(2026, 3, 14, 2, 0, 0, 0, time.UTC)
	return Opening{
		Window: "given", Nodes: Group{IDs: []string{"*"}}, Curve: c,
		Begin: start.Add(-c.Lead), Start: start, End: start.Add(2 * time.Hour),
	}
}

// TestShapes has a few values of each, worked out by hand.
func TestShapes(t *testing.T) {
	for _, test := range []struct {
		shape                   Shape
		quarter, half, quarters float64
	}{
		{Linear, 0.775, 0.55, 0.325},
		{Smooth, 1 - 0.9*0.125, 0.55, 1 - 0.9*0.875},
		{Exponential, 0.5623413251903491, 0.31622776601683794, 0.1778279410038923}, // 10^-1/4, 10^-1/2, 10^-3/4
	} {
		o := given(test.shape)
		for i, want := range []float64{test.quarter, test.half, test.quarters} {
			share := time.Duration(i + 1)
			if got := o.Factor(o.Begin.Add(share * o.Curve.Lead / 4)); math.Abs(got-want) > 1e-12 {
				t.Errorf("%v, %d quarters down: %v, want %v", test.shape, share, got, want)
			}
			if got := o.Factor(o.Clear().Add(-share * o.Curve.Recovery / 4)); math.Abs(got-want) > 1e-12 {
				t.Errorf("%v, %d quarters before the end: %v, want %v", test.shape, share, got, want)
			}
		}
	}
}

// TestWhatAWeightDoes is the figure of the package doc: sessions that live 30
// minutes on the mean and are placed by weight are gone to 67 % at the hour, not
// to 10. It integrates a' = (f - a)/life in steps of a second.
func TestWhatAWeightDoes(t *testing.T) {
	life := 30 * time.Minute
	for _, test := range []struct {
		lead time.Duration
		want float64
	}{{30 * time.Minute, 0.669}, {time.Hour, 0.489}, {2 * time.Hour, 0.321}, {4 * time.Hour, 0.212}} {
		o := given(Linear)
		o.Curve.Lead = test.lead
		o.Begin = o.Start.Add(-test.lead)
		a := 1.0
		for at := o.Begin; at.Before(o.Start); at = at.Add(time.Second) {
			a += (o.Factor(at) - a) / life.Seconds()
		}
		closed := 0.1 + 0.9*life.Seconds()/test.lead.Seconds()*(1-math.Exp(-test.lead.Seconds()/life.Seconds()))
		if math.Abs(a-test.want) > 1e-3 || math.Abs(a-closed) > 1e-3 {
			t.Errorf("lead %v leaves %.3f, the formula says %.3f, the doc %.3f", test.lead, a, closed, test.want)
		}
	}
}

// TestLastBit: 1 - (1-0.1) is less than 0.1.
func TestLastBit(t *testing.T) {
	for _, shape := range []Shape{Linear, Smooth, Exponential} {
		for _, floor := range []float64{0.1, 0.3, 1e-6, 0.7} {
			c := Curve{Shape: shape, Floor: floor}
			for _, x := range []float64{math.Nextafter(1, 0), math.Nextafter(math.Nextafter(1, 0), 0), math.SmallestNonzeroFloat64, 1e-17} {
				if f := c.at(x); f < floor || f > 1 {
					t.Errorf("%v to %v at %v: %v", shape, floor, x, f)
				}
			}
		}
	}
}

func TestCurveErrors(t *testing.T) {
	bad := map[string]func(*Curve){
		"shape":      func(c *Curve) { c.Shape = 7 },
		"NaN":        func(c *Curve) { c.Floor = math.NaN() },
		"Inf":        func(c *Curve) { c.Floor = math.Inf(1) },
		"below":      func(c *Curve) { c.Floor = -0.1 },
		"never 0":    func(c *Curve) { c.Shape, c.Floor = Exponential, 0 },
		"no lead":    func(c *Curve) { c.Lead = 0 },
		"long lead":  func(c *Curve) { c.Lead = maxRamp + 1 },
		"recovery":   func(c *Curve) { c.Recovery = -time.Minute },
		"huge":       func(c *Curve) { c.Recovery = math.MaxInt64 },
		"least lead": func(c *Curve) { c.Lead = math.MinInt64 },
	}
	for name, spoil := range bad {
		c := DefaultCurve
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("%s: %+v is valid", name, c)
		}
		o := given(Linear) // and it does not panic
		o.Curve = c
		for d := -time.Hour; d < 4*time.Hour; d += time.Minute {
			o.Factor(o.Start.Add(d))
		}
	}
	if s := Shape(9).String(); s != "shape 9" {
		t.Error(s)
	}
	var s Shape
	if s.UnmarshalText([]byte("smooth")) != nil || s != Smooth || s.UnmarshalText([]byte("cubic")) == nil {
		t.Error("names of shapes")
	}
	if _, err := Shape(9).MarshalText(); err == nil {
		t.Error("shape 9 has a name")
	}
}

func TestOpeningErrors(t *testing.T) {
	bad := map[string]func(*Opening){
		"curve":        func(o *Opening) { o.Curve.Floor = 2 },
		"group":        func(o *Opening) { o.Nodes = Group{} },
		"ends first":   func(o *Opening) { o.End = o.Start.Add(-1) },
		"too long":     func(o *Opening) { o.End = o.Start.Add(maxDuration + 1) },
		"early":        func(o *Opening) { o.Begin = o.Begin.Add(-1) },
		"late":         func(o *Opening) { o.Begin = o.Last().Add(1) },
		"no time":      func(o *Opening) { o.Start = time.Time{} },
		"out of years": func(o *Opening) { o.End = time.Unix(1<<60, 0) },
	}
	for name, spoil := range bad {
		o := given(Linear)
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&o)
		if o.Validate() == nil {
			t.Errorf("%s: %+v is valid", name, o)
		}
	}
}
