package window

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// reach returns how far from the origin times may lie so that no two of them are
// 2^31 laps apart: 55 years of 50 ms epochs, and what a Duration holds.
func reach(width time.Duration) time.Duration {
	return min(Ring<<30*min(width, 50*time.Millisecond), math.MaxInt64/4)
}

// genSpan draws shapes of a millisecond and longer.
var genSpan = rapid.Custom(func(t *rapid.T) Span {
	s, err := NewSpan(rapid.IntRange(1, MaxSlots).Draw(t, "slots"),
		time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Second)).Draw(t, "width")))
	if err != nil {
		t.Fatal(err)
	}
	return s
})

// genStep draws how far a clock goes: mostly on by less than an epoch or a few, at
// times back, and now and then far.
func genStep(width time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Custom(func(t *rapid.T) time.Duration {
		epochs := func(lo, hi float64) time.Duration {
			return time.Duration(rapid.Float64Range(lo, hi).Draw(t, "epochs") * float64(width))
		}
		switch rapid.IntRange(0, 19).Draw(t, "kind") {
		case 0:
			return epochs(-100, 0)
		case 1:
			return epochs(-5, 0)
		case 2:
			return epochs(0, 100)
		case 3:
			return time.Duration(rapid.Int64Range(-int64(reach(width)), int64(reach(width))).Draw(t, "leap"))
		case 4, 5, 6:
			return epochs(0, 5)
		default:
			return epochs(0, 0.5)
		}
	})
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(a)+math.Abs(b)) }

// TestAgainstTwin: whatever the clock does, counter, meter, rate and decay are
// those of the twin, and so is what they refuse.
func TestAgainstTwin(t *testing.T) { rapid.Check(t, checkAgainstTwin) }

func checkAgainstTwin(t *rapid.T) {
	span := genSpan.Draw(t, "span")
	lambda := rapid.Float64Range(0, 20).Draw(t, "lambda")
	decay, err := NewDecay(span, lambda)
	if err != nil {
		t.Fatal(err)
	}
	step := genStep(span.Width())
	var c Counter
	var m Meter
	var w twin
	var now time.Duration
	t.Repeat(map[string]func(*rapid.T){
		"clock": func(t *rapid.T) {
			far := reach(span.Width()) - span.Width()
			now = min(max(now+step.Draw(t, "step"), -far), far)
		},
		"record": func(t *rapid.T) {
			e, v := span.Epoch(now), rapid.Uint64Range(0, 1000).Draw(t, "value")
			want := w.record(twinRecord{e, 1, v, v})
			if got := c.Inc(e); got != want {
				t.Fatalf("Inc(%d) = %v: want %v", e, got, want)
			}
			if got := m.Observe(e, v); got != want {
				t.Fatalf("Observe(%d) = %v: want %v", e, got, want)
			}
		},
		"record many": func(t *rapid.T) {
			e, n := span.Epoch(now), rapid.Uint32Range(0, 10000).Draw(t, "n")
			highest := rapid.Uint64Range(0, 1000).Draw(t, "max")
			sum := highest * uint64(n) / 2
			want := w.record(twinRecord{e, uint64(n), sum, highest})
			if got := c.Add(e, n); got != want {
				t.Fatalf("Add(%d, %d) = %v: want %v", e, n, got, want)
			}
			if got := m.Merge(e, n, sum, highest); got != want {
				t.Fatalf("Merge(%d, %d) = %v: want %v", e, n, got, want)
			}
		},
		"": func(t *rapid.T) {
			e := span.Epoch(now)
			for _, slots := range []int{1, span.Slots(), Ring} {
				want := w.stats(e-Epoch(slots)+1, e)
				if got := c.Sum(e, slots); got != want.Count {
					t.Fatalf("Sum(%d, %d) = %d: want %d", e, slots, got, want.Count)
				}
				if got := m.Stats(e, slots); got != want && (got.Count != want.Count || !w.alike()) {
					t.Fatalf("Stats(%d, %d) = %v: want %v", e, slots, got, want)
				}
			}
			if got, want := span.Rate(&c, now), w.rate(span, now); math.Abs(now.Hours()) < 1000 && !near(got, want) {
				t.Fatalf("Rate = %v: want %v", got, want)
			}
		},
	})
	if got, want := decay.Sum(&c, now), w.decayed(span, lambda, now); math.Abs(got-want) > 1e-3*(1+want) {
		t.Fatalf("decayed sum %v: want %v (now %v)", got, want, now)
	}
}

// TestDecayOfNothingIsTheRate: with lambda 0 the decayed rate is the rate.
func TestDecayOfNothingIsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := genSpan.Draw(t, "span")
		decay, err := NewDecay(span, 0)
		if err != nil {
			t.Fatal(err)
		}
		var c Counter
		for e := Epoch(0); e < Ring; e++ {
			c.Add(e, rapid.Uint32Range(0, 1000).Draw(t, "n"))
		}
		now := 31*span.Width() + time.Duration(rapid.Int64Range(0, int64(span.Width())-1).Draw(t, "phase"))
		if got, want := decay.Rate(&c, now), span.Rate(&c, now); !near(got, want) {
			t.Fatalf("decayed by nothing: %v, the rate: %v", got, want)
		}
	})
}

// TestBatchesAgainstTwin: after a flush a batched window is that of the twin, if
// the clock goes on.
func TestBatchesAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c Counter
		var m Meter
		var w twin
		b := NewBatch(&c, rapid.IntRange(1, 10).Draw(t, "size"))
		mb := NewMeterBatch(&m, rapid.IntRange(1, 10).Draw(t, "size"))
		e := Epoch(rapid.Int64().Draw(t, "from")) / 2
		for range rapid.IntRange(0, 200).Draw(t, "records") {
			e += Epoch(max(0, rapid.IntRange(-8, 3).Draw(t, "step")))
			v := rapid.Uint64Range(0, 100).Draw(t, "value")
			b.Inc(e)
			mb.Observe(e, v)
			w.record(twinRecord{e, 1, v, v})
		}
		b.Flush()
		mb.Flush()
		want := w.stats(e-Ring+1, e)
		if got := c.Sum(e, Ring); got != want.Count {
			t.Fatalf("Sum = %d: want %d", got, want.Count)
		}
		if got := m.Stats(e, Ring); got != want {
			t.Fatalf("Stats = %v: want %v", got, want)
		}
		if b.Refused()+mb.Refused() != 0 {
			t.Fatal("refused")
		}
	})
}

// FuzzRecord: no sequence of epochs and amounts, however wild, gives a count that
// was not recorded, a refusal that is counted, or a word that is out of bounds.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Counter
		var m Meter
		var total uint64
		for ; len(b) >= 12; b = b[12:] {
			e := Epoch(binary.BigEndian.Uint64(b))
			n := binary.BigEndian.Uint32(b[8:])
			v := uint64(n) << (n % 32)
			before := c.At(e)
			ok := c.Add(e, n)
			if m.Merge(e, n, v, v) != ok {
				t.Fatalf("counter and meter disagree on epoch %d", e)
			}
			if !ok {
				if c.At(e) != 0 || before != 0 {
					t.Fatalf("epoch %d refuses and counts %d, before %d", e, c.At(e), before)
				}
				continue
			}
			total += min(uint64(n), MaxCount)
			if got := c.At(e); got != min(before+uint64(n), MaxCount) {
				t.Fatalf("epoch %d: %d and %d make %d", e, before, n, got)
			}
			s := m.Stats(e, Ring)
			if s.Count != c.Sum(e, Ring) || s.Count > total || s.Sum > Ring*MaxValue || s.Max > MaxValue || s.Max > s.Sum {
				t.Fatalf("epoch %d: %+v of %d, counter %d", e, s, total, c.Sum(e, Ring))
			}
			if r := (Span{}).Rate(&c, time.Duration(e)); !(r >= 0) {
				t.Fatalf("rate %v", r)
			}
		}
	})
}
