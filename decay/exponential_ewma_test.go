package decay

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// halves is the tau that halves in a second.
var halves = time.Duration(math.Round(1e9 / math.Ln2))

func TestEWMA(t *testing.T) {
	a, err := NewEWMA(halves)
	if err != nil {
		t.Fatal(err)
	}
	if a.Begun() || a.Value() != 0 {
		t.Error("an average of nothing")
	}
	for _, c := range []struct {
		now    time.Duration
		sample float64
		want   float64
		ok     bool
	}{
		{0, 8, 8, true},
		{time.Second, 0, 4, true},
		{3 * time.Second, 0, 1, true},
		{3 * time.Second, 100, 1, true}, // at the same instant: no weight
		{4 * time.Second, math.NaN(), 1, false},
		{4 * time.Second, math.Inf(1), 1, false},
		{4 * time.Second, math.Inf(-1), 1, false},
		{4 * time.Second, -1e301, 1, false},
		{4 * time.Second, 3, 2, true},   // a second after 3 s: what was dropped took no time
		{2 * time.Second, 100, 2, true}, // back: held
		{3 * time.Second, 4, 3, true},   // and on from there
		{math.MaxInt64, 5, 5, true},
		{math.MinInt64, 6, 5, true},
		{math.MaxInt64, 7, 7, true},
	} {
		if ok := a.Add(c.now, c.sample); ok != c.ok || !within(a.Value(), c.want, 1e-8) {
			t.Errorf("%v at %v: %v, %v, want %v, %v", c.sample, c.now, a.Value(), ok, c.want, c.ok)
		}
	}
}

func TestZeroEWMA(t *testing.T) {
	var a EWMA
	var p PeakEWMA
	a.Add(0, 1)
	p.Add(0, 1)
	a.Add(DefaultTau, 0)
	p.Add(DefaultTau, 0)
	if want := 1 / math.E; !within(a.Value(), want, 1e-12) || !within(p.Value(), want, 1e-12) {
		t.Errorf("after one tau: %v and %v, want %v", a.Value(), p.Value(), want)
	}
}

// TestEWMAIsASemigroup: a sample that is repeated on the way moves the value as it
// does once, so the value does not depend on how often one samples.
func TestEWMAIsASemigroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tau := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "tau"))
		often, _ := NewEWMA(tau)
		once, _ := NewEWMA(tau)
		sample := rapid.Float64Range(-1e6, 1e6)
		first, x := sample.Draw(t, "first"), sample.Draw(t, "x")
		var now time.Duration
		often.Add(now, first)
		once.Add(now, first)
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			now += time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "dt"))
			often.Add(now, x)
		}
		once.Add(now, x)
		if d := often.Value() - once.Value(); math.Abs(d) > 1e-9*(math.Abs(first)+math.Abs(x)) {
			t.Fatalf("%v, at once %v", often.Value(), once.Value())
		}
	})
}

// TestEWMAStaysAmongItsSamples: whatever comes when, the value is a number within
// the samples taken; a peak average is never below the last one.
func TestEWMAStaysAmongItsSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tau := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "tau"))
		a, _ := NewEWMA(tau)
		p, _ := NewPeakEWMA(tau)
		lo, hi, peak := math.Inf(1), math.Inf(-1), 0.0
		for range rapid.IntRange(0, 50).Draw(t, "samples") {
			now, x := time.Duration(rapid.Int64().Draw(t, "now")), rapid.Float64().Draw(t, "x")
			if a.Add(now, x) {
				lo, hi = min(lo, x), max(hi, x)
			}
			if p.Add(now, x) {
				peak = max(peak, x)
				if p.Value() < x-1e-9*x {
					t.Fatalf("peak %v below the sample %v", p.Value(), x)
				}
			}
			if slack := 1e-9 * (math.Abs(lo) + math.Abs(hi)); a.Begun() && !(a.Value() >= lo-slack && a.Value() <= hi+slack) {
				t.Fatalf("average %v of %v to %v", a.Value(), lo, hi)
			}
			if at := p.At(now); !(p.Value() >= 0 && p.Value() <= peak && at >= 0 && at <= p.Value()) {
				t.Fatalf("peak %v, now %v, of at most %v", p.Value(), at, peak)
			}
		}
	})
}

func TestPeakEWMA(t *testing.T) {
	p, err := NewPeakEWMA(halves)
	if err != nil {
		t.Fatal(err)
	}
	if p.Begun() || p.Value() != 0 || p.At(time.Hour) != 0 {
		t.Error("a peak of nothing")
	}
	for _, c := range []struct {
		now    time.Duration
		sample float64
		want   float64
		ok     bool
	}{
		{0, 8, 8, true},
		{0, 16, 16, true}, // up at once, even at the same instant
		{time.Second, 0, 8, true},
		{2 * time.Second, 4, 6, true},
		{2 * time.Second, 40, 40, true},
		{3 * time.Second, -1, 40, false},
		{3 * time.Second, math.NaN(), 40, false},
		{3 * time.Second, math.Inf(1), 40, false},
		{time.Second, 10, 40, true},     // back: held
		{time.Second, 80, 80, true},     // a peak is a peak
		{2 * time.Second, 40, 60, true}, // and down from there
	} {
		if ok := p.Add(c.now, c.sample); ok != c.ok || !within(p.Value(), c.want, 1e-8) {
			t.Errorf("%v at %v: %v, %v, want %v, %v", c.sample, c.now, p.Value(), ok, c.want, c.ok)
		}
	}
	for now, want := range map[time.Duration]float64{0: 60, 2 * time.Second: 60, 3 * time.Second: 30, 4 * time.Second: 15, math.MaxInt64: 0} {
		if got := p.At(now); !within(got, want, 1e-8) {
			t.Errorf("at %v: %v, want %v", now, got, want)
		}
	}
	if !p.Begun() {
		t.Error("not begun")
	}
}
