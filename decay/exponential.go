package decay

import (
	"fmt"
	"math"
	"time"
)

// Exponential is the curve
//
//	w(t) = W0 e^(-Lambda t)
//
// with t in seconds: a weight that falls by the same factor in equal times. What t
// is, the age of something or a round-trip time, is the caller's. It needs no
// memory: decaying by a and then by b is decaying by a+b.
type Exponential struct {
	W0     float64 // weight at t = 0; finite, 0 or more
	Lambda float64 // per second; finite, 0 (no decay) or more
}

// The given forms, and what to use in their place. At real values:
//
//	                         W0   Lambda   5 ms     50 ms    200 ms   1 s      10 s     halves in
//	GivenAge  w0 e^(-0.1 t)   1   0.1      0.9995   0.9950   0.9802   0.9048   0.3679   6.93 s
//	GivenRTT  100 e^(-0.02 r) 100 0.02     99.990   99.900   99.601   98.020   81.873   34.7 s
//	RTT       100 e^(-6.93 r) 100 6.93     96.594   70.711   25.000   0.098    0        100 ms
//
// GivenAge as the decay of a rate has the memory of a window of 2/lambda = 20 s: it
// says what a node has done lately, not that a burst began 50 ms ago.
//
// GivenRTT hardly decays: it gives a node at 5 ms and one at 200 ms weights that
// differ by 0.4 %, less than the choice of one device in a hundred. It is here
// because it is given, and to be compared. A network's round-trip times spread
// over tens of milliseconds, so a curve that tells them apart has to halve in about
// that: RTT halves in 100 ms.
const (
	GivenLambda    = 0.1
	GivenRTTLambda = 0.02
	GivenRTTBase   = 100

	// RTTHalving is the round-trip time that halves the weight of RTT.
	RTTHalving = 100 * time.Millisecond
)

// GivenAge is the given decay of a weight by age: e^(-0.1 t).
func GivenAge() Exponential { return Exponential{1, GivenLambda} }

// GivenRTT is the given weight by round-trip time: 100 e^(-0.02 rtt).
func GivenRTT() Exponential { return Exponential{GivenRTTBase, GivenRTTLambda} }

// RTT is the recommended weight by round-trip time: 100, halved every 100 ms.
func RTT() Exponential { return Exponential{GivenRTTBase, LambdaOf(RTTHalving)} }

// LambdaOf returns the lambda per second that halves a weight in half: ln 2/half.
// It is 0, no decay, for a half that is not positive.
func LambdaOf(half time.Duration) float64 {
	if half <= 0 {
		return 0
	}
	return math.Ln2 / half.Seconds()
}

// Validate says what is wrong with the curve.
func (x Exponential) Validate() error {
	switch {
	case !(x.W0 >= 0 && x.W0 <= math.MaxFloat64):
		return fmt.Errorf("decay: a weight of %v at the begin: want a finite number, 0 or more", x.W0)
	case !(x.Lambda >= 0 && x.Lambda <= math.MaxFloat64):
		return fmt.Errorf("decay: lambda of %v per second: want a finite number, 0 or more", x.Lambda)
	}
	return nil
}

// At returns w(t). A negative t, from a clock that steps back, is taken as 0. The
// weight of a curve that is not valid is 0; that of a valid one is finite, between
// 0 and W0.
func (x Exponential) At(t time.Duration) float64 {
	if x.Validate() != nil {
		return 0
	}
	if t <= 0 {
		return x.W0
	}
	return x.W0 * math.Exp(-x.Lambda*t.Seconds())
}

// HalfLife returns the time in which the weight halves: ln 2/Lambda, the longest
// Duration (292 years) if that is less, and if Lambda is 0.
func (x Exponential) HalfLife() time.Duration {
	// -0 + 0 is 0.
	if ns := math.Ln2 / (x.Lambda + 0) * 1e9; ns < math.MaxInt64 {
		return time.Duration(max(ns, 0))
	}
	return math.MaxInt64
}

// elapsed returns the seconds from last to now, 0 if now is earlier.
func elapsed(last, now time.Duration) float64 {
	if now <= last {
		return 0
	}
	// The difference of two Durations may exceed one, but not a uint64.
	return float64(uint64(now)-uint64(last)) / 1e9
}

// since returns now - then, or the nearest Duration where it exceeds one.
func since(then, now time.Duration) time.Duration {
	d := now - then
	switch {
	case now >= then && d < 0:
		return math.MaxInt64
	case now < then && d >= 0:
		return math.MinInt64
	}
	return d
}

// maxSample is the largest size of a sample: sums and differences of two are
// finite. A larger one is held as if it were infinite.
const maxSample = 1e300

// DecayingSum is a sum whose terms decay: after terms n at times s it is, at t,
//
//	S(t) = sum of n e^(-Lambda (t-s))
//
// in 32 bytes, whatever the number of terms. If terms come at a steady rate r, S
// goes to r/Lambda, so Lambda S estimates the rate: with the noise of a window of
// 2/Lambda seconds, and late by 1/Lambda on average. The zero value, with lambda
// 0, is a plain sum. It belongs to one goroutine.
type DecayingSum struct {
	lambda float64
	sum    float64
	last   time.Duration
	begun  bool
}

// NewDecayingSum returns an empty sum that decays by lambda per second, finite and
// not negative.
func NewDecayingSum(lambda float64) (DecayingSum, error) {
	if err := (Exponential{1, lambda}).Validate(); err != nil {
		return DecayingSum{}, err
	}
	return DecayingSum{lambda: lambda}, nil
}

// Add adds n at time now. Not a number, or more than 1e300 either way: the sum is
// held, and Add reports false. A time before the last one does not decay the sum
// again; the sum goes on from it, so that a clock that has leapt ahead and comes
// back does not stop it.
func (s *DecayingSum) Add(now time.Duration, n float64) bool {
	if !(math.Abs(n) <= maxSample) {
		return false
	}
	sum := s.At(now) + n
	if !(math.Abs(sum) <= math.MaxFloat64) {
		return false
	}
	s.sum, s.last, s.begun = sum, now, true
	return true
}

// At returns the sum at time now, as of the last term if now is before it.
func (s *DecayingSum) At(now time.Duration) float64 {
	if !s.begun {
		return 0
	}
	return s.sum * math.Exp(-s.lambda*elapsed(s.last, now))
}

// Rate returns the estimate of terms per second at time now: Lambda S(now). It
// begins at 0 and needs 1/Lambda seconds to 63 % of a steady rate. It is finite:
// at most the largest float64.
func (s *DecayingSum) Rate(now time.Duration) float64 {
	return min(max(s.lambda*s.At(now), -math.MaxFloat64), math.MaxFloat64)
}
