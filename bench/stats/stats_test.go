package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSignedRankPublished: values that others have printed.
func TestSignedRankPublished(t *testing.T) {
	hamilton := make([]float64, 9) // Hollander and Wolfe (1973), p. 29; R's example of wilcox.test
	x := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	y := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	for i := range x {
		hamilton[i] = y[i] - x[i]
	}
	for _, c := range []struct {
		name string
		d    []float64
		want float64
	}{
		{"Hollander and Wolfe", hamilton, 0.0390625}, // R: V = 5, p = 0.01953 one-sided
		// Darwin's maize; the example of scipy.stats.wilcoxon: statistic 24.
		{"Darwin", []float64{6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75}, 0.041259765625},
		{"ten of one sign", []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 2.0 / 1024},
		{"five of one sign", []float64{1, 2, 3, 4, 5}, 2.0 / 32},
		{"one", []float64{3}, 1},
		{"nothing", nil, 1},
		{"all equal pairs", []float64{0, 0, 0, 0, 0, 0, 0}, 1},
		{"ties of both signs", []float64{1, -1, 1, -1}, 1},
		{"infinite", []float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}, 2.0 / 64},
		{"no numbers", []float64{math.NaN(), 1, math.NaN()}, 1},
	} {
		if got := SignedRank(c.d); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: p = %v, want %v", c.name, got, c.want)
		}
	}
}

// enumerate is SignedRank's slow twin: every pattern of signs.
func enumerate(d []float64) float64 {
	ranks := signedRanks(d)
	if len(ranks) == 0 {
		return 1
	}
	seen, total := 0, 0
	for _, r := range ranks {
		total += max(r, -r)
		seen += max(r, 0)
	}
	low, high := 0, 0
	for pattern := range 1 << len(ranks) {
		sum := 0
		for i, r := range ranks {
			if pattern>>i&1 == 1 {
				sum += max(r, -r)
			}
		}
		if sum <= seen {
			low++
		}
		if sum >= seen {
			high++
		}
	}
	return min(1, 2*float64(min(low, high))/float64(int(1)<<len(ranks)))
}

// slowRanks is signedRanks' slow twin: the rank of a value is one more than how
// many are smaller, plus half of how many others are equal.
func slowRanks(d []float64) (ranks []int) {
	for _, x := range d {
		if x == 0 {
			continue
		}
		twice := 2
		for _, y := range d {
			if math.Abs(y) < math.Abs(x) {
				twice += 2
			} else if math.Abs(y) == math.Abs(x) {
				twice++
			}
		}
		twice-- // itself
		if x < 0 {
			twice = -twice
		}
		ranks = append(ranks, twice)
	}
	return ranks
}

func TestSignedRankAgainstEnumeration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SliceOfN(rapid.Map(rapid.IntRange(-5, 5), func(i int) float64 { return float64(i) }), 0, 12).Draw(t, "d")
		if got, want := SignedRank(d), enumerate(d); math.Abs(got-want) > 1e-12 {
			t.Fatalf("p = %v, by enumeration %v", got, want)
		}
		got, want := signedRanks(d), slowRanks(d)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("ranks %v, want %v", got, want)
		}
		for i := range d {
			d[i] = -d[i]
		}
		if back := SignedRank(d); math.Abs(back-enumerate(d)) > 1e-12 {
			t.Fatal("the other way round is another p")
		}
	})
}

// TestSignedRankLarge: many pairs take no time and give a sane p.
func TestSignedRankLarge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	d := make([]float64, 200)
	for i := range d {
		d[i] = random.NormFloat64()
	}
	if p := SignedRank(d); p < 0.001 || p > 1 {
		t.Errorf("p = %v of noise", p)
	}
	for i := range d {
		d[i] += 0.5
	}
	if p := SignedRank(d); p > 1e-6 {
		t.Errorf("p = %v of a shift", p)
	}
}

func TestHolm(t *testing.T) {
	// The example of R's p.adjust documentation style, by hand: 4 x 0.01, 3 x 0.02, 2 x 0.03, 0.04 -> monotone.
	got := Holm([]float64{0.04, 0.01, math.NaN(), 0.03, 0.02})
	want := []float64{0.06, 0.04, math.NaN(), 0.06, 0.06}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 || math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
	if got := Holm([]float64{0.9, 0.8}); got[0] != 1 || got[1] != 1 {
		t.Errorf("beyond 1: %v", got)
	}
}

// TestMedianInterval: coverages are those of the sign test's tables.
func TestMedianInterval(t *testing.T) {
	for _, c := range []struct {
		n        int
		lo, hi   float64
		coverage float64
	}{
		{1, 1, 1, 0}, {2, 1, 2, 0.5}, {5, 1, 5, 0.9375}, {6, 1, 6, 0.96875}, {8, 1, 8, 0.9921875},
		{9, 2, 8, 0.9609375}, {10, 2, 9, 0.978515625}, {20, 6, 15, 0.95861}, {100, 40, 61, 0.9648},
	} {
		v := make([]float64, c.n)
		for i := range v {
			v[i] = float64(c.n - i)
		}
		got := MedianInterval(v, 0.95)
		if got.Lo != c.lo || got.Hi != c.hi || math.Abs(got.Coverage-c.coverage) > 1e-5 {
			t.Errorf("n = %d: %+v, want %v", c.n, got, c)
		}
	}
}

// TestCompareIsNeverNaN, and A against B says what B against A says.
func TestCompareIsNeverNaN(t *testing.T) {
	value := rapid.SampledFrom([]float64{0, 1, 2, 2.5, 1e300, 1e-300, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1)})
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(value, 0, 14).Draw(t, "a")
		b := rapid.SliceOfN(value, len(a), len(a)).Draw(t, "b")
		p, q := Compare(a, b, 0.95), Compare(b, a, 0.95)
		for _, x := range append(p.Ratios, p.Median, p.Interval.Lo, p.Interval.Hi, p.Interval.Coverage, p.P) {
			if math.IsNaN(x) || x < 0 {
				t.Fatalf("%+v", p)
			}
		}
		if p.Interval.Lo > p.Median || p.Median > p.Interval.Hi {
			t.Fatalf("the median is not in its interval: %+v", p)
		}
		if math.Abs(p.P-q.P) > 1e-12 {
			t.Fatalf("p = %v, the other way round %v", p.P, q.P)
		}
	})
}

func TestPairsNeeded(t *testing.T) {
	scatter := func(n int, s float64) []float64 {
		r := make([]float64, n)
		for i := range r {
			r[i] = math.Exp(s * float64(1-2*(i%2)))
		}
		return r
	}
	for _, c := range []struct {
		name   string
		ratios []float64
		want   int
	}{
		{"two pairs", scatter(2, 0.02), 0},
		{"no noise", scatter(6, 0), 6},
		{"a miss", []float64{1, 1, math.Inf(1)}, 0},
		{"2 % of scatter, 2 % of effect", scatter(1000, 0.02), 9},
		{"8 % of scatter", scatter(1000, 0.08), 135},
		{"hopeless", scatter(100, 5), MostPairs},
	} {
		if got := PairsNeeded(c.ratios, 0.02, 0.05); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestCompareUnpaired(t *testing.T) {
	a, b := []float64{5, 1, 3, 2, 4, 6}, []float64{9, 8, 12, 7, 11, 10}
	u := CompareUnpaired(a, b, 0.95)
	// Complete separation of 6 + 6: 2 / (12 over 6).
	if math.Abs(u.P-2.0/924) > 1e-9 || u.A != 3.5 || u.B != 9.5 || u.Interval.Lo != 7.0/6 || u.Interval.Hi != 12 {
		t.Errorf("%+v", u)
	}
	if a[0] != 5 {
		t.Error("the sample was sorted in place")
	}
	for _, u := range []Unpaired{CompareUnpaired(nil, b, .95), CompareUnpaired([]float64{1}, []float64{1}, .95),
		CompareUnpaired([]float64{0, 0, 0}, []float64{0, 0, math.Inf(1)}, .95)} {
		if math.IsNaN(u.P) || math.IsNaN(u.Ratio) || math.IsNaN(u.Interval.Lo) || math.IsNaN(u.Interval.Hi) {
			t.Errorf("%+v", u)
		}
	}
}
