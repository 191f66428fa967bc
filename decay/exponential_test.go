package decay

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func within(a, b, share float64) bool {
	return math.Abs(a-b) <= share*max(math.Abs(a), math.Abs(b), 1e-12)
}

func TestExponentialAt(t *testing.T) {
	for _, c := range []struct {
		curve Exponential
		t     time.Duration
		want  float64
	}{
		// The table of the constants' comment.
		{GivenAge(), 5 * time.Millisecond, 0.9995001249791693},
		{GivenAge(), 10 * time.Second, 0.36787944117144233},
		{GivenRTT(), 5 * time.Millisecond, 99.99000049998333},
		{GivenRTT(), 50 * time.Millisecond, 99.90004998333750},
		{GivenRTT(), 200 * time.Millisecond, 99.60079893439915},
		{GivenRTT(), time.Second, 98.01986733067552},
		{RTT(), 5 * time.Millisecond, 96.59363289248456},
		{RTT(), 50 * time.Millisecond, 70.71067811865476},
		{RTT(), 100 * time.Millisecond, 50},
		{RTT(), 200 * time.Millisecond, 25},
		// Edges.
		{GivenAge(), 0, 1},
		{GivenAge(), -time.Second, 1},
		{GivenAge(), math.MinInt64, 1},
		{GivenAge(), math.MaxInt64, 0},
		{Exponential{0, 1}, time.Second, 0},
		{Exponential{5, 0}, math.MaxInt64, 5},
		{Exponential{math.MaxFloat64, math.MaxFloat64}, 0, math.MaxFloat64},
		{Exponential{math.MaxFloat64, math.MaxFloat64}, 1, 0},
		// Not valid.
		{Exponential{math.NaN(), 1}, 1, 0},
		{Exponential{1, math.NaN()}, 1, 0},
		{Exponential{math.Inf(1), 1}, 1, 0},
		{Exponential{1, math.Inf(1)}, 0, 0},
		{Exponential{-1, 1}, 1, 0},
		{Exponential{1, -1}, 1, 0},
	} {
		if got := c.curve.At(c.t); !within(got, c.want, 1e-12) {
			t.Errorf("%+v at %v: %v, want %v", c.curve, c.t, got, c.want)
		}
	}
	// What the note on GivenRTT says.
	near, far := GivenRTT().At(5*time.Millisecond), GivenRTT().At(200*time.Millisecond)
	if d := 1 - far/near; d < 0.0038 || d > 0.0040 {
		t.Errorf("5 ms and 200 ms differ by %.4f: want 0.4 %%", d)
	}
}

func TestExponentialValidate(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1e-300} {
		if (Exponential{bad, 1}).Validate() == nil || (Exponential{1, bad}).Validate() == nil {
			t.Errorf("%v is accepted", bad)
		}
		if _, err := NewDecayingSum(bad); err == nil {
			t.Errorf("a sum with lambda %v is accepted", bad)
		}
	}
	for _, x := range []Exponential{{}, GivenAge(), GivenRTT(), RTT(), {math.MaxFloat64, math.MaxFloat64}} {
		if err := x.Validate(); err != nil {
			t.Errorf("%+v: %v", x, err)
		}
	}
	for _, tau := range []time.Duration{0, -1, math.MinInt64} {
		if _, err := NewEWMA(tau); err == nil {
			t.Errorf("tau %v is accepted", tau)
		}
		if _, err := NewPeakEWMA(tau); err == nil {
			t.Errorf("tau %v is accepted", tau)
		}
	}
}

func TestHalfLife(t *testing.T) {
	for _, c := range []struct {
		lambda float64
		want   time.Duration
	}{
		{GivenLambda, 6931471805 * time.Nanosecond},
		{GivenRTTLambda, 34657359027 * time.Nanosecond},
		{0, math.MaxInt64}, {1e-300, math.MaxInt64}, {math.NaN(), math.MaxInt64}, {1e300, 0}, {-1, 0},
	} {
		if got := (Exponential{1, c.lambda}).HalfLife(); got != c.want {
			t.Errorf("lambda %v halves in %v: want %v", c.lambda, got, c.want)
		}
	}
	for _, half := range []time.Duration{1, time.Millisecond, time.Second, 1000 * time.Hour} {
		if got := (Exponential{1, LambdaOf(half)}).HalfLife(); !within(float64(got), float64(half), 1e-9) && got-half > 1 {
			t.Errorf("what halves in %v halves in %v", half, got)
		}
	}
	if LambdaOf(0) != 0 || LambdaOf(-1) != 0 {
		t.Error("no half-life has a lambda")
	}
}

// TestExponentialIsASemigroup: decaying by a and then by b is decaying by a+b.
func TestExponentialIsASemigroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := Exponential{rapid.Float64Range(0, 1e6).Draw(t, "w0"), rapid.Float64Range(0, 10).Draw(t, "lambda")}
		a := time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "a"))
		b := time.Duration(rapid.Int64Range(0, int64(10*time.Second)).Draw(t, "b"))
		once, twice := x.At(a+b), Exponential{x.At(a), x.Lambda}.At(b)
		if !within(once, twice, 1e-12) {
			t.Fatalf("%v and %v, one after the other %v, together %v", a, b, twice, once)
		}
		if once > x.W0 || once < 0 {
			t.Fatalf("%v of %v", once, x.W0)
		}
	})
}

// TestDecayingSumIsItsDefinition: the sum is that of its terms, each decayed.
func TestDecayingSumIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lambda := rapid.Float64Range(0, 5).Draw(t, "lambda")
		s, err := NewDecayingSum(lambda)
		if err != nil {
			t.Fatal(err)
		}
		type term struct {
			at time.Duration
			n  float64
		}
		var terms []term
		now := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "begin"))
		for range rapid.IntRange(0, 40).Draw(t, "terms") {
			now += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "dt"))
			n := rapid.Float64Range(0, 1000).Draw(t, "n")
			if !s.Add(now, n) {
				t.Fatal("held")
			}
			terms = append(terms, term{now, n})
		}
		now += time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "dt"))
		want := 0.0
		for _, x := range terms {
			want += Exponential{x.n, lambda}.At(now - x.at)
		}
		if got := s.At(now); !within(got, want, 1e-9) {
			t.Fatalf("sum %v: want %v", got, want)
		}
		if got := s.Rate(now); !within(got, lambda*want, 1e-9) {
			t.Fatalf("rate %v: want %v", got, lambda*want)
		}
	})
}

// TestSumHolds: what is no number, and clocks that leap, do not break the sum.
func TestSumHolds(t *testing.T) {
	s, _ := NewDecayingSum(math.Ln2)
	if s.At(time.Hour) != 0 {
		t.Error("an empty sum")
	}
	s.Add(0, 8)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e301} {
		if s.Add(time.Second, bad) {
			t.Errorf("%v is added", bad)
		}
	}
	steps := []struct {
		now  time.Duration
		n    float64
		want float64
	}{
		{time.Second, 0, 4},
		{500 * time.Millisecond, 4, 8}, // back: nothing decays
		{1500 * time.Millisecond, 0, 4},
		{math.MaxInt64, 6, 6},   // far ahead
		{2 * time.Second, 2, 8}, // and back
		{3 * time.Second, 0, 4},
		{math.MinInt64, 0, 4},
		{math.MaxInt64, 0, 0}, // the longest step there is
	}
	for _, c := range steps {
		if !s.Add(c.now, c.n) || !within(s.At(c.now), c.want, 1e-9) {
			t.Errorf("%v at %v: %v, want %v", c.n, c.now, s.At(c.now), c.want)
		}
	}
	// It stops short of infinity.
	var plain DecayingSum
	plain.Add(0, 1e300)
	plain.sum = math.MaxFloat64
	if plain.Add(0, 1e300) || plain.At(0) != math.MaxFloat64 {
		t.Errorf("the sum has come to %v", plain.At(0))
	}
}

// TestEdgesOfCurves: a lambda of -0 is no decay; a rate is finite.
func TestEdgesOfCurves(t *testing.T) {
	if x := (Exponential{1, math.Copysign(0, -1)}); x.Validate() != nil || x.HalfLife() != math.MaxInt64 {
		t.Errorf("lambda -0: %v, halves in %v", x.Validate(), x.HalfLife())
	}
	s, err := NewDecayingSum(1e300)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []float64{1e100, -2e100} {
		s.Add(0, n)
		if r := s.Rate(0); math.IsInf(r, 0) || math.Signbit(r) != math.Signbit(n) {
			t.Errorf("a rate of %v", r)
		}
	}
}
