package plan

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// walk returns all due times of a plan, or the first few of one that goes on.
func walk(it *Arrivals, most int) (all []time.Duration) {
	for due, ok := it.Next(); ok && len(all) < most; due, ok = it.Next() {
		all = append(all, due)
	}
	return all
}

func TestArrivalsByHand(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, c := range []struct {
		name   string
		a      Arrival
		length time.Duration
		want   []time.Duration
	}{
		{"constant", Arrival{Kind: "constant", Rate: 4}, s, []time.Duration{0, 250 * ms, 500 * ms, 750 * ms}},
		{"in bursts", Arrival{Kind: "constant", Rate: 2, Burst: 3}, s, []time.Duration{0, 0, 0, 500 * ms, 500 * ms, 500 * ms}},
		{"slow", Arrival{Kind: "constant", Rate: 1e-3}, 1500 * s, []time.Duration{0, 1000 * s}},
		{"of no rate", Arrival{Kind: "constant"}, s, nil},
		{"of a rate that is none", Arrival{Kind: "constant", Rate: math.NaN()}, s, nil},
		{"linear from 0", Arrival{Kind: "linear", To: 8}, s, []time.Duration{0, 500 * ms, 707106781, 866025404}},
		{"linear to 0", Arrival{Kind: "linear", Rate: 8}, s, []time.Duration{0, 133974596, 292893219, 500 * ms}},
		{"linear and level", Arrival{Kind: "linear", Rate: 2, To: 2}, s, []time.Duration{0, 500 * ms}},
		{"step", Arrival{Kind: "step", Steps: []float64{2, 0, 4}}, 3 * s, []time.Duration{0, 500 * ms, 2 * s, 2250 * ms, 2500 * ms, 2750 * ms}},
		{"a step with a remainder", Arrival{Kind: "step", Steps: []float64{.5, 1}}, 2 * s, []time.Duration{0, 1500 * ms}},
		{"spike", Arrival{Kind: "spike", Rate: 1, To: 4, At: s, For: s}, 3 * s, []time.Duration{0, s, 1250 * ms, 1500 * ms, 1750 * ms, 2 * s}},
		{"a spike beyond the end", Arrival{Kind: "spike", Rate: 1, To: 4, At: 5 * s, For: s}, 2 * s, []time.Duration{0, s}},
		{"replay", Arrival{Kind: "replay", Times: []time.Duration{ms, 5 * ms}}, s, []time.Duration{ms, 5 * ms}},
		{"replay, looped", Arrival{Kind: "replay", Times: []time.Duration{ms, 5 * ms, 6 * ms}, Loop: true}, 15 * ms,
			[]time.Duration{ms, 5 * ms, 6 * ms, 8500 * time.Microsecond, 12500 * time.Microsecond, 13500 * time.Microsecond}},
		{"replay of one, looped", Arrival{Kind: "replay", Times: []time.Duration{ms}, Loop: true}, s, []time.Duration{ms}},
		{"replay of nothing", Arrival{Kind: "replay", Loop: true}, s, nil},
		{"at once", Arrival{Kind: "at_once", Burst: 3}, 0, []time.Duration{0, 0, 0}},
		{"of a kind that is none", Arrival{Kind: "sine", Rate: 5}, s, nil},
		{"tiny", Arrival{Kind: "constant", Rate: 5e6}, 1, []time.Duration{0}},
		{"faster than ns", Arrival{Kind: "constant", Rate: math.Inf(1)}, 3, []time.Duration{0, 1, 2}},
	} {
		it := NewArrivals(c.a, c.length, 1)
		n, exact := it.Count()
		if got := walk(it, 100); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if n != uint64(len(c.want)) || !exact {
			t.Errorf("%s: counts %d (exact %v), want %d", c.name, n, exact, len(c.want))
		}
	}
}

func TestArrivalsWithoutAnEnd(t *testing.T) {
	for _, kind := range []string{"constant", "poisson", "linear", "step", "spike", "replay"} {
		a := Arrival{Kind: kind, Rate: 1e6, To: 2e6, Steps: []float64{1e6, 2}, At: time.Second, For: time.Second, Loop: true,
			Times: []time.Duration{0, time.Microsecond}}
		it := NewArrivals(a, 0, 1)
		if n, _ := it.Count(); n != math.MaxUint64 {
			t.Errorf("%s: counts %d without an end", kind, n)
		}
		if got := walk(it, 100_000); len(got) != 100_000 {
			t.Errorf("%s: ended after %d", kind, len(got))
		}
	}
}

// drawArrival draws a plan of at most some 10,000 events in the length.
func drawArrival(t *rapid.T) (Arrival, time.Duration) {
	length := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "length"))
	rate := func(name string) float64 {
		top := min(5e6, 5000/length.Seconds())
		if rapid.IntRange(0, 9).Draw(t, name+" is 0") == 0 {
			return 0
		}
		return rapid.Float64Range(min(1e-3, top), top).Draw(t, name)
	}
	a := Arrival{
		Kind:  rapid.SampledFrom([]string{"constant", "linear", "step", "poisson", "spike", "replay", "at_once"}).Draw(t, "kind"),
		Rate:  rate("rate"),
		To:    rate("to"),
		At:    time.Duration(rapid.Int64Range(0, int64(length)).Draw(t, "at")),
		For:   time.Duration(rapid.Int64Range(0, int64(length)).Draw(t, "for")),
		Burst: rapid.IntRange(0, 3).Draw(t, "burst"),
		Loop:  rapid.Bool().Draw(t, "loop"),
	}
	for range rapid.IntRange(1, 5).Draw(t, "steps") {
		a.Steps = append(a.Steps, rate("step"))
	}
	for range rapid.IntRange(0, 50).Draw(t, "times") {
		a.Times = append(a.Times, time.Duration(rapid.Int64Range(0, int64(length)).Draw(t, "time")))
	}
	slices.Sort(a.Times)
	if n := len(a.Times); a.Loop && n > 1 && a.Times[n-1]-a.Times[0] < length/100 {
		a.Loop = false // would be too many
	}
	return a, length
}

// TestArrivalsAreAPlan: due times are in order and within the phase, come in
// whole bursts, are as many as Count says, and the same for the same seed;
// Peek says what Next does.
func TestArrivalsAreAPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, length := drawArrival(t)
		seed := rapid.Uint64().Draw(t, "seed")
		it, twin := NewArrivals(a, length, seed), NewArrivals(a, length, seed)
		n, exact := it.Count()
		var last time.Duration
		got := uint64(0)
		for {
			peek, more := twin.Peek()
			due, ok := it.Next()
			if again, ok2 := twin.Next(); ok != ok2 || again != due || peek != due || more != ok {
				t.Fatalf("%+v: event %d is due at %v and, for the same seed, at %v", a, got, due, again)
			}
			if !ok {
				break
			}
			if due < last || due >= length {
				t.Fatalf("%+v in %v: event %d is due at %v, the one before at %v", a, length, got, due, last)
			}
			if burst := uint64(max(a.Burst, 1)); got%burst != 0 && due != last {
				t.Fatalf("%+v: event %d is not due with its burst", a, got)
			}
			last, got = due, got+1
		}
		if exact && got != n {
			t.Fatalf("%+v in %v: %d events, counted %d", a, length, got, n)
		}
		if got%uint64(max(a.Burst, 1)) != 0 {
			t.Fatalf("%+v: %d events cut a burst", a, got)
		}
	})
}

// slowIntegral adds up the rate over [0, until) in small steps: what a
// deterministic plan has to follow.
func slowIntegral(a Arrival, length, until time.Duration) (sum float64) {
	const parts = 20_000
	l := length.Seconds()
	dt := until.Seconds() / parts
	for i := range parts {
		at := (float64(i) + .5) * dt
		switch a.Kind {
		case "constant":
			sum += a.Rate * dt
		case "linear":
			sum += (a.Rate + (a.To-a.Rate)*at/l) * dt
		case "step":
			k := min(int(at/l*float64(len(a.Steps))), len(a.Steps)-1)
			sum += a.Steps[k] * dt
		case "spike":
			if at >= a.At.Seconds() && at < (a.At+a.For).Seconds() {
				sum += a.To * dt
			} else {
				sum += a.Rate * dt
			}
		}
	}
	return sum
}

// TestArrivalsFollowTheRate: at every due time the number of those before is
// the integral of the rate, so nothing drifts and nothing is left out.
func TestArrivalsFollowTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, length := drawArrival(t)
		a.Burst = 1
		if !slices.Contains([]string{"constant", "linear", "step", "spike"}, a.Kind) {
			a.Kind = "linear"
		}
		all := walk(NewArrivals(a, length, 0), 20_000)
		if want := slowIntegral(a, length, length); math.Abs(float64(len(all))-want) > 1+want/1000 {
			t.Fatalf("%+v in %v: %d events, the rate adds up to %.2f", a, length, len(all), want)
		}
		if len(all) == 0 {
			return
		}
		k := rapid.IntRange(0, len(all)-1).Draw(t, "event")
		want := slowIntegral(a, length, all[k])
		// a whole ns may hold some of a fast plan, and a step the edge of a piece
		if slack := 1 + want/1000 + math.Max(a.Rate, a.To)*1e-9; math.Abs(float64(k)-want) > slack {
			t.Fatalf("%+v in %v: event %d is due at %v, when the rate adds up to %.3f", a, length, k, all[k], want)
		}
	})
}

// TestArrivalsDoNotDrift: event 10^9 of a rate that has no exact form is where
// it belongs, to the ns.
func TestArrivalsDoNotDrift(t *testing.T) {
	it := NewArrivals(Arrival{Kind: "constant", Rate: 3e6}, 0, 0)
	due, ok := it.curve.at(1_000_000_000)
	if want := time.Duration(333_333_333_333); !ok || due != want {
		t.Errorf("event 10^9 of 3e6/s is due at %d ns, want %d", due, want)
	}
}

// TestPoissonGaps compares the gaps with the exponential distribution by
// Kolmogorov and Smirnov's test at 0.1 %, and the number of events a second
// with the variance that a Poisson process has.
func TestPoissonGaps(t *testing.T) {
	for seed := range uint64(8) {
		const rate, n = 1000.0, 100_000
		all := walk(NewArrivals(Arrival{Kind: "poisson", Rate: rate}, 0, seed), n)
		gaps := make([]float64, n)
		prev := time.Duration(0)
		perTenth := make([]float64, int(all[n-1].Seconds()*10))
		for i, due := range all {
			gaps[i], prev = (due - prev).Seconds(), due
			if k := int(due.Seconds() * 10); k < len(perTenth) {
				perTenth[k]++
			}
		}
		slices.Sort(gaps)
		worst := 0.0
		for i, g := range gaps {
			cdf := 1 - math.Exp(-rate*g)
			worst = max(worst, math.Abs(cdf-float64(i)/n), math.Abs(cdf-float64(i+1)/n))
		}
		if limit := 1.95 / math.Sqrt(n); worst > limit {
			t.Errorf("seed %d: gaps are %.4f from exponential, limit %.4f", seed, worst, limit)
		}
		mean, variance := 0.0, 0.0
		for _, c := range perTenth {
			mean += c / float64(len(perTenth))
		}
		for _, c := range perTenth {
			variance += (c - mean) * (c - mean) / float64(len(perTenth)-1)
		}
		// the ratio's standard error is sqrt(2/m), m = 1000 tenths
		if ratio := variance / mean; math.Abs(ratio-1) > 4*math.Sqrt(2/float64(len(perTenth))) {
			t.Errorf("seed %d: variance over mean of counts is %.3f, want 1", seed, ratio)
		}
	}
}

// TestPoissonCount: within 4.5 standard deviations of what Count expects, at
// the ends of the range of rates.
func TestPoissonCount(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		length time.Duration
	}{{1e-3, 10_000_000 * time.Second}, {5e6, 20 * time.Millisecond}, {100, 100 * time.Second}} {
		it := NewArrivals(Arrival{Kind: "poisson", Rate: c.rate}, c.length, 42)
		n, exact := it.Count()
		got := len(walk(it, 1<<20))
		if exact || math.Abs(float64(got)-float64(n)) > 4.5*math.Sqrt(float64(n)) {
			t.Errorf("%g/s in %v: %d events, expected %d", c.rate, c.length, got, n)
		}
	}
}

func TestArrivalsPeak(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		a    Arrival
		want float64
	}{
		{Arrival{Kind: "constant", Rate: 5, Burst: 2}, 10},
		{Arrival{Kind: "linear", Rate: 5, To: 9}, 9},
		{Arrival{Kind: "step", Steps: []float64{5, 11, 2}}, 11},
		{Arrival{Kind: "spike", Rate: 5, To: 50, At: s, For: s}, 50},
		{Arrival{Kind: "poisson", Rate: 7}, 7},
		{Arrival{Kind: "at_once", Burst: 500}, 500},
		{Arrival{Kind: "replay", Times: []time.Duration{0, s, s + 1, 2*s - 1, 2 * s}}, 3},
		{Arrival{Kind: "replay", Times: []time.Duration{0, s / 4, s / 2}, Loop: true}, 4},
	} {
		if got := NewArrivals(c.a, 10*s, 0).Peak(); got != c.want {
			t.Errorf("%+v: peak %g, want %g", c.a, got, c.want)
		}
	}
}

// TestArrivalsOfAbsurdNumbers: what cannot be is planned as nothing or forever,
// and ends.
func TestArrivalsOfAbsurdNumbers(t *testing.T) {
	if n, _ := NewArrivals(Arrival{Kind: "constant", Rate: 1e9, Burst: math.MaxInt}, forever-1, 0).Count(); n != math.MaxUint64 {
		t.Errorf("counts %d", n)
	}
	if got := walk(NewArrivals(Arrival{Kind: "constant", Rate: 1e-300}, 0, 0), 5); len(got) != 1 {
		t.Errorf("a due time each 10^300 s: %v", got)
	}
	for _, rate := range []float64{0, -1, math.NaN()} {
		for _, kind := range []string{"poisson", "linear", "step", "spike"} {
			it := NewArrivals(Arrival{Kind: kind, Rate: rate, To: rate, Steps: []float64{rate}, At: -5, For: -5}, time.Second, 0)
			if n, _ := it.Count(); n != 0 || len(walk(it, 5)) != 0 || it.Peak() != 0 {
				t.Errorf("%s of rate %g: counts %d", kind, rate, n)
			}
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(20) {
		for phase := range uint64(20) {
			for publish := range uint64(20) {
				seen[Seed(seed, phase, publish)] = true
			}
		}
	}
	if len(seen) != 8000 || Seed(7) != 7 {
		t.Errorf("%d different seeds of 8000", len(seen))
	}
}

func BenchmarkArrivals(b *testing.B) {
	for _, kind := range []string{"constant", "linear", "poisson"} {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			it := NewArrivals(Arrival{Kind: kind, Rate: 1e6, To: 2e6}, time.Hour, 1)
			for b.Loop() {
				if _, ok := it.Next(); !ok {
					it = NewArrivals(Arrival{Kind: kind, Rate: 1e6, To: 2e6}, time.Hour, 1)
				}
			}
		})
	}
}

// TestClonesGoOnAlike, and leave each other alone.
func TestClonesGoOnAlike(t *testing.T) {
	for _, kind := range []string{"constant", "poisson", "spike", "replay", "at_once"} {
		a := NewArrivals(Arrival{Kind: kind, Rate: 100, To: 200, At: time.Second, For: time.Second, Times: []time.Duration{1, 5, 9}, Loop: true, Burst: 3}, 4*time.Second, 9)
		for range 2 {
			a.Next()
		}
		b, c := a.Clone(), a.Clone()
		var seen []time.Duration
		for range 200 {
			due, _ := b.Next()
			seen = append(seen, due)
		}
		for i, want := range seen {
			one, _ := a.Next()
			if two, _ := c.Next(); one != want || two != want {
				t.Fatalf("%s: event %d at %v, and of a clone at %v, want %v", kind, i, one, two, want)
			}
		}
	}
}
