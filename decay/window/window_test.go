package window

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestEpochOf(t *testing.T) {
	for _, c := range []struct {
		t     time.Duration
		epoch Epoch
		phase float64
	}{
		{0, 0, 0},
		{25 * ms, 0, 0.5},
		{50*ms - 1, 0, 1 - 1.0/float64(50*ms)},
		{50 * ms, 1, 0},
		{-1, -1, 1 - 1.0/float64(50*ms)},
		{-50 * ms, -1, 0},
		{-75 * ms, -2, 0.5},
		{math.MaxInt64, math.MaxInt64 / Epoch(50*ms), -1},
		{math.MinInt64, math.MinInt64/Epoch(50*ms) - 1, -1},
	} {
		e, p := Span{}.split(c.t)
		if e != c.epoch || c.phase >= 0 && math.Abs(p-c.phase) > 1e-12 || p < 0 || p >= 1 {
			t.Errorf("%v lies %v into epoch %d: want %v, %d", c.t, p, e, c.phase, c.epoch)
		}
		if (Span{}).Epoch(c.t) != c.epoch {
			t.Errorf("Epoch(%v) = %d: want %d", c.t, Span{}.Epoch(c.t), c.epoch)
		}
	}
}

func TestNewSpan(t *testing.T) {
	for _, c := range []struct {
		slots int
		width time.Duration
		ok    bool
	}{
		{1, 1, true}, {20, 50 * ms, true}, {30, math.MaxInt64, true},
		{0, ms, false}, {-1, ms, false}, {31, ms, false}, {math.MaxInt, ms, false},
		{20, 0, false}, {20, -ms, false},
	} {
		s, err := NewSpan(c.slots, c.width)
		if (err == nil) != c.ok {
			t.Errorf("NewSpan(%d, %v): %v", c.slots, c.width, err)
		}
		if c.ok && (s.Slots() != c.slots || s.Width() != c.width) {
			t.Errorf("NewSpan(%d, %v) is %d x %v", c.slots, c.width, s.Slots(), s.Width())
		}
	}
	if s := (Span{}); s.Slots() != 20 || s.Width() != 50*ms {
		t.Errorf("the zero Span is %d x %v", s.Slots(), s.Width())
	}
}

// TestLate: what is older than a lap is refused, and hurts nobody.
func TestLate(t *testing.T) {
	var c Counter
	steps := []struct {
		e  Epoch
		ok bool
	}{
		{100, true},
		{100 - 19, true}, // the oldest of the window
		{100 - 31, true}, // the oldest of the ring
		{100 - 32, false},
		{100 - 320, false},
		{69 - 32, false},
		{1e6, true},     // a clock that leaps ahead
		{1e6 - 1, true}, // and what was slightly behind it
		{101, true},     // and comes back; 101 takes the word of 69
		{96, false},     // 1e6 and 96 share a word, which the future holds
		{1e6 + 32, true},
		{1e6, false},
	}
	for _, s := range steps {
		if ok := c.Inc(s.e); ok != s.ok {
			t.Errorf("Inc(%d) = %v: want %v", s.e, ok, s.ok)
		}
	}
	for _, w := range []struct {
		e     Epoch
		slots int
		want  uint64
	}{
		{100, 20, 2}, {100, 32, 2}, {101, 20, 2}, {1e6, 20, 1}, {1e6 + 32, 32, 1}, {1e6 + 32, 33, 1},
		{100, 0, 0}, {100, -5, 0}, {100, 1, 1}, {99, 1, 0}, {-100, 32, 0},
	} {
		if got := c.Sum(w.e, w.slots); got != w.want {
			t.Errorf("Sum(%d, %d) = %d: want %d", w.e, w.slots, got, w.want)
		}
	}
}

// TestBeforeTheOrigin: any time may be the first of a fresh counter, and negative
// epochs are like others.
func TestBeforeTheOrigin(t *testing.T) {
	for _, first := range []Epoch{0, -1, -32, -33, 5, math.MinInt64, math.MaxInt64 - 40, -1 << 36, 1 << 36, 1<<36 - 1, 1 << 37} {
		var c Counter
		var m Meter
		for e := first; e != first+40; e++ {
			if !c.Add(e, 3) || !m.Observe(e, 7) {
				t.Fatalf("from %d: epoch %d is refused", first, e)
			}
		}
		last := first + 39
		if got := c.Sum(last, 20); got != 60 {
			t.Errorf("from %d: %d, want 60", first, got)
		}
		if got := m.Stats(last, 20); got != (Stats{20, 140, 7}) {
			t.Errorf("from %d: %v", first, got)
		}
	}
}

// TestFull: counts and sums stop at their maximum and never run into the lap.
func TestFull(t *testing.T) {
	var c Counter
	c.Add(7, MaxCount-1)
	for _, n := range []uint32{0, 1, 1, 4095, 4096, math.MaxUint32, 1} {
		if !c.Add(7, n) {
			t.Errorf("a full epoch refuses %d", n)
		}
		c.Inc(7)
	}
	if got := c.At(7); got != MaxCount {
		t.Errorf("a full epoch counts %d: want %d", got, MaxCount)
	}
	if c.Inc(7-Ring) || c.At(7) != MaxCount {
		t.Error("a late record has hurt a full epoch")
	}
	if !c.Add(7+Ring, math.MaxUint32) || c.At(7) != 0 || c.At(7+Ring) != MaxCount {
		t.Errorf("after a full epoch: %d and %d", c.At(7), c.At(7+Ring))
	}

	var m Meter
	m.Observe(7, math.MaxUint64)
	m.Observe(7, 5)
	m.Merge(7, math.MaxUint32, math.MaxUint64, 6)
	m.Merge(7, 0, 5, 5)
	if got := m.Stats(7, 1); got != (Stats{MaxCount, MaxValue, MaxValue}) {
		t.Errorf("full: %v", got)
	}
	if !m.Observe(7+Ring, 9) {
		t.Error("after a full epoch nothing is accepted")
	}
	if got := m.Stats(7+Ring, 32); got != (Stats{1, 9, 9}) {
		t.Errorf("after a full epoch: %v", got)
	}
}

// TestValueLapsThatLookAlike: sum and max keep 24 bits of the lap, the count knows
// better.
func TestValueLapsThatLookAlike(t *testing.T) {
	const days310 = Ring << 24
	var m Meter
	m.Observe(3, 1000)
	// A lap short of 310 days: by its 24 bits the old sum looks later.
	if !m.Observe(3+days310-Ring, 5) {
		t.Fatal("refused")
	}
	if got := m.Stats(3+days310-Ring, 1); got != (Stats{1, 5, 5}) {
		t.Errorf("%v: want one value of 5", got)
	}
	if m.Observe(3, 1) {
		t.Error("a record of 310 days ago is accepted")
	}
	// A reader 310 days after, with nothing recorded, does not see the old sum.
	if got := m.Stats(3+2*days310-Ring, 1); got != (Stats{}) {
		t.Errorf("310 days later: %v", got)
	}
}

func TestMean(t *testing.T) {
	if got := (Stats{}).Mean(); got != 0 {
		t.Errorf("mean of nothing: %v", got)
	}
	if got := (Stats{4, 10, 9}).Mean(); got != 2.5 {
		t.Errorf("mean: %v", got)
	}
}

func TestSharded(t *testing.T) {
	c, m := NewCounters(3), NewMeters(3)
	if NewCounters(-1).Shards() != 1 || NewMeters(0).Shards() != 1 {
		t.Error("no shards")
	}
	for i := range c.Shards() {
		c.Shard(i).Add(40, uint32(1+i))
		c.Shard(i).Add(25, 10)
		m.Shard(i).Observe(40, uint64(1+i))
		m.Shard(i).Observe(25, 10)
	}
	if c.At(40) != 6 || c.Sum(40, 15) != 6 || c.Sum(40, 16) != 36 {
		t.Errorf("counters: %d, %d, %d", c.At(40), c.Sum(40, 15), c.Sum(40, 16))
	}
	if got := m.Stats(40, 16); got != (Stats{6, 36, 10}) {
		t.Errorf("meters: %v", got)
	}
	if m.Counts().At(40) != 3 || m.Sums().At(40) != 6 || m.Counts().Sum(40, 16) != 6 || m.Sums().Sum(40, 16) != 36 {
		t.Error("views of meters")
	}
	one := m.Shard(0)
	if one.Counts().At(40) != 1 || one.Sums().At(40) != 1 || one.Counts().Sum(40, 16) != 2 || one.Sums().Sum(40, 16) != 11 {
		t.Error("views of a meter")
	}
}

// TestShardsKeepOffEachOthersLines: no two shards, and no two batches, share a
// cache line.
func TestShardsKeepOffEachOthersLines(t *testing.T) {
	for shards := 1; shards < 70; shards++ {
		c, m := NewCounters(shards), NewMeters(shards)
		for i := range shards {
			for what, p := range map[string]any{"counter": c.Shard(i), "meter": m.Shard(i)} {
				if at := reflect.ValueOf(p).Pointer(); at%64 != 0 {
					t.Fatalf("%s %d of %d lies %d bytes into a line", what, i, shards, at%64)
				}
			}
		}
	}
	for what, size := range map[string]uintptr{
		"counter": reflect.TypeFor[Counter]().Size(), "meter": reflect.TypeFor[Meter]().Size(),
		"batch": reflect.TypeFor[Batch]().Size(), "meter batch": reflect.TypeFor[MeterBatch]().Size(),
	} {
		want := map[string]uintptr{"counter": 256, "meter": 768, "batch": 128, "meter batch": 128}[what]
		if size != want {
			t.Errorf("a %s has %d bytes: want %d", what, size, want)
		}
	}
}

func TestBatch(t *testing.T) {
	var c Counter
	var m Meter
	b, mb := NewBatch(&c, 4), NewMeterBatch(&m, 4)
	for i := range 11 {
		b.Inc(50)
		mb.Observe(50, uint64(i))
	}
	if c.At(50) != 8 || m.Stats(50, 1) != (Stats{8, 28, 7}) {
		t.Errorf("before the flush: %d, %v", c.At(50), m.Stats(50, 1))
	}
	b.Flush()
	mb.Flush()
	b.Flush() // again: nothing is held back
	mb.Flush()
	if c.At(50) != 11 || m.Stats(50, 1) != (Stats{11, 55, 10}) {
		t.Errorf("after the flush: %d, %v", c.At(50), m.Stats(50, 1))
	}
	b.Inc(51)
	mb.Observe(51, math.MaxUint64)
	for range 2 {
		b.Inc(52)
		mb.Observe(52, 3)
	}
	if c.At(51) != 1 || m.Stats(51, 1) != (Stats{1, MaxValue, MaxValue}) {
		t.Errorf("after a change of epoch: %d, %v", c.At(51), m.Stats(51, 1))
	}
	// Late: 52 is overtaken before it is flushed.
	c.Inc(52 + Ring)
	m.Observe(52+Ring, 1)
	b.Flush()
	mb.Flush()
	if b.Refused() != 2 || mb.Refused() != 2 || c.At(52) != 0 {
		t.Errorf("refused: %d, %d", b.Refused(), mb.Refused())
	}
	for size, want := range map[int]uint32{0: DefaultBatch, -3: 1, 1: 1, MaxBatch: MaxBatch, math.MaxInt: MaxBatch} {
		if got := NewBatch(&c, size).room; got != want {
			t.Errorf("a batch of %d holds %d: want %d", size, got, want)
		}
	}
}

// TestRateHasNoBias: under a steady load the mean of Rate over all phases is the
// rate; that of a plain sum over its nominal length is 2.5 % less.
func TestRateHasNoBias(t *testing.T) {
	const perSecond, seconds = 1200, 400
	rng := rand.New(rand.NewPCG(1, 2))
	var c Counter
	var span Span
	var rate, plain, phases float64
	at, read := 0.0, 2.0
	for read < seconds {
		at += rng.ExpFloat64() / perSecond
		for ; read < at; read += 0.0137 {
			now := time.Duration(read * 1e9)
			rate += span.Rate(&c, now)
			plain += float64(span.Sum(&c, now))
			phases++
		}
		c.Inc(span.Epoch(time.Duration(at * 1e9)))
	}
	// 480,000 arrivals: one standard deviation is 0.14 %.
	if got := rate / phases / perSecond; math.Abs(got-1) > 0.006 {
		t.Errorf("mean of Rate: %.4f of the rate", got)
	}
	if got := plain / phases / perSecond; math.Abs(got-0.975) > 0.006 {
		t.Errorf("mean of the plain sum: %.4f of the rate: want 0.975", got)
	}
}

func TestRateIsContinuousWithinAnEpoch(t *testing.T) {
	var c Counter
	c.Add(0, 100) // epoch 20 later it is the oldest
	var span Span
	for _, w := range []struct {
		t    time.Duration
		rate float64
	}{
		{0, 100}, {999 * ms, 100}, {1000 * ms, 100}, {1025 * ms, 50}, {1049 * ms, 2}, {1050 * ms, 0}, {-1, 0},
	} {
		if got := span.Rate(&c, w.t); math.Abs(got-w.rate) > 1e-6 {
			t.Errorf("at %v the rate is %v: want %v", w.t, got, w.rate)
		}
	}
}

func TestNewDecay(t *testing.T) {
	for _, lambda := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1e-9, 1.1e9} {
		if _, err := NewDecay(Span{}, lambda); err == nil {
			t.Errorf("lambda %v is accepted", lambda)
		}
	}
	long, _ := NewSpan(30, math.MaxInt64/64)
	for _, lambda := range []float64{0, math.SmallestNonzeroFloat64, 1e-300, 0.1, 1, 1e9} {
		for _, span := range []Span{{}, long, {1, 1}} {
			d, err := NewDecay(span, lambda)
			if err != nil {
				t.Fatal(err)
			}
			var c Counter
			c.Inc(0)
			for _, at := range []time.Duration{math.MinInt64, -1, 0, 1, ms, 50 * ms, math.MaxInt64} {
				sum, rate := d.Sum(&c, at), d.Rate(&c, at)
				if !(sum >= 0 && sum <= 1) || !(rate >= 0) || math.IsInf(rate, 1) {
					t.Errorf("lambda %v, %d x %v, at %v: sum %v, rate %v", lambda, span.Slots(), span.Width(), at, sum, rate)
				}
			}
		}
	}
}

func TestClock(t *testing.T) {
	c := NewClock(Span{})
	before := c.Now()
	e := c.NowEpoch()
	after := c.Now()
	if before < 0 || after < before || e < c.Epoch(before) || e > c.Epoch(after) {
		t.Errorf("epoch %d between %v and %v", e, before, after)
	}
}
