package decay

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// near reports whether a is b but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-7*max(math.Abs(a), math.Abs(b), 1e-9) }

// anySettings draws valid settings, defaults and switched off ones included.
func anySettings(t *rapid.T) Settings {
	pick := func(name string, v ...float64) float64 { return rapid.SampledFrom(v).Draw(t, name) }
	s := Settings{
		Form:       Form(rapid.IntRange(0, 2).Draw(t, "form")),
		Tau:        time.Duration(pick("tau", 0, Off, 1e9, 6e10)),
		CutLow:     pick("cut low", 0, Off, 0.01, 0.25, 0.45),
		CutHigh:    pick("cut high", 0, Off, 0.01, 0.25, 0.45),
		CutOwn:     rapid.Bool().Draw(t, "cut own"),
		Window:     int(pick("window", 0, 1, 2, 7)),
		SigmaFloor: pick("sigma floor", 0, Off, 0.5),
		ScaleFloor: pick("scale floor", 0, Off, 0.5),
		ZClip:      pick("z clip", 0, 1, 30),
		Beta:       pick("beta", 0, 0.1, 10),
		Min:        pick("min", 0, 0.001, 1),
		Max:        pick("max", 0, 1, 1000),
		Unknown:    Unknown(rapid.IntRange(0, 1).Draw(t, "unknown")),
		Blackout:   time.Duration(pick("blackout", 0, Off, 6e10)),
		JoinCap:    pick("join cap", 0, Off, 0.5, 1, 1.2),
		JoinTime:   time.Duration(pick("join time", 0, Off, 6e10)),
	}
	for i := range s.Signals {
		s.Signals[i].Weight = pick("weight", 0, 0, 1, 3)
	}
	return s.WithDefaults()
}

// anyValue draws what a node may send: usual values, and such as no node should.
func anyValue(t *rapid.T, usual float64) float64 {
	switch rapid.IntRange(0, 19).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), -1, math.MaxFloat64, 1e-300, math.Copysign(0, -1)}).Draw(t, "odd")
	case 1:
		return 0
	case 2:
		return usual
	}
	return usual * rapid.Float64Range(0, 2).Draw(t, "value")
}

func anySample(t *rapid.T, at time.Duration) Sample {
	return Sample{At: at, CPU: anyValue(t, 50), Latency: anyValue(t, 5), Connections: anyValue(t, 20_000),
		Backlog: anyValue(t, 1e5), LoopLag: anyValue(t, 1)}
}

// TestPipelineAgreesWithNaiveTwin plays random histories of nodes that join,
// leave, begin anew and send samples, with a clock that jumps, to both.
func TestPipelineAgreesWithNaiveTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := anySettings(t)
		if set.Validate() != nil {
			t.Skip("no signal counts")
		}
		p, err := NewPipeline(set)
		if err != nil {
			t.Fatal(err)
		}
		twin := &naive{set: set, mean: 1}
		now := time.Duration(0)
		add := func() {
			n := &naiveNode{capacity: rapid.SampledFrom([]float64{0.7, 1, 1.3, 100}).Draw(t, "capacity"), joined: now}
			n.share = twin.mean
			if n.handle, err = p.Add(now, "n", n.capacity); err != nil {
				t.Fatal(err)
			}
			twin.nodes = append(twin.nodes, n)
		}
		for range rapid.IntRange(1, 50).Draw(t, "nodes") {
			add()
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			now += time.Duration(rapid.SampledFrom([]int{1, 1, 1, 5, 30, 200, 4000, -3, -300}).Draw(t, "dt")) * time.Second
			for i := len(twin.nodes) - 1; i >= 0; i-- {
				n := twin.nodes[i]
				switch k := rapid.IntRange(0, 30).Draw(t, "op"); {
				case k == 0:
					if err := p.Remove(n.handle); err != nil {
						t.Fatal(err)
					}
					twin.nodes = slices.Delete(twin.nodes, i, i+1)
				case k == 1:
					if err := p.Rejoin(now, n.handle); err != nil {
						t.Fatal(err)
					}
					n.samples, n.joined, n.status = nil, now, Unsampled
					if set.Unknown == HoldScore {
						n.share = twin.mean
					}
				case k < 28:
					s := anySample(t, now-time.Duration(k%4)*time.Second)
					if err := p.Put(n.handle, s); err != nil {
						t.Fatal(err)
					}
					n.put(s, &set)
				}
			}
			if rapid.IntRange(0, 4).Draw(t, "join") == 0 {
				add()
			}
			p.Step(now)
			twin.step(now)
			for i, n := range twin.nodes {
				if got := p.Status(n.handle); got != n.status {
					t.Fatalf("node %d is %v, want %v", i, got, n.status)
				}
				// Without floors a deviation of the last digit is one of 1e-7 sigma.
				tolerance := 1e-9
				if set.SigmaFloor < 0 {
					tolerance = 1e-4
				}
				if got, want := p.Weight(n.handle), n.share*n.capacity; math.Abs(got/want-1) > tolerance {
					t.Fatalf("node %d (%v): weight %v, want %v", i, n.status, got, want)
				}
			}
		}
	})
}

// checkMoments compares q's moments of v with those by sorting.
func checkMoments(t interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}, q *quantiles, v []float64, set Settings) {
	t.Helper()
	before := slices.Clone(v)
	got := q.take(v, set.CutLow, set.CutHigh, set.CutOwn)
	if !slices.Equal(v, before) {
		t.Fatal("the values were changed")
	}
	cut, lo, hi := cutOf(v, &set)
	if len(v) == 0 {
		if got.n != 0 {
			t.Fatalf("%d of no values", got.n)
		}
		return
	}
	mean, sigma := meanSigma(cut)
	if got.n != len(v) || !near(got.lo, lo) || !(near(got.hi, hi) || got.hi == hi) {
		t.Fatalf("n %d cut to %v..%v, want %d to %v..%v", got.n, got.lo, got.hi, len(v), lo, hi)
	}
	// A sum of n values is rounded n times.
	tiny := 1e-12*max(got.lo, slices.Max(cut)) + 1e-150 // below that squares are 0
	if s := math.Sqrt(got.m2 / float64(got.n)); math.Abs(got.mean-mean) > tiny || math.Abs(s-sigma) > 1e-7*sigma+1e3*tiny {
		t.Fatalf("mean %v sigma %v, want %v and %v", got.mean, s, mean, sigma)
	}
}

// TestMomentsOfDriftingValues: the bands of one step serve the next, whatever
// the values do meanwhile.
func TestMomentsOfDriftingValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "n")
		q := quantiles{low: band{in: make([]float64, n)}, high: band{in: make([]float64, n)}, all: make([]float64, n)}
		low := rapid.SampledFrom([]float64{Off, 0.01, 0.05, 0.45}).Draw(t, "low")
		high := rapid.SampledFrom([]float64{Off, 0.01, 0.05, 0.45}).Draw(t, "high")
		set := Settings{CutLow: low, CutHigh: high, CutOwn: rapid.Bool().Draw(t, "own")}
		v := make([]float64, n)
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			by := rapid.SampledFrom([]float64{0.001, 0.1, 10}).Draw(t, "by")
			for i := range v {
				switch rapid.IntRange(0, 9).Draw(t, "how") {
				case 0:
					v[i] = 0
				case 1:
					v[i] = 1
				default:
					v[i] = math.Abs(v[i] + by*rapid.Float64Range(-1, 1).Draw(t, "d"))
				}
			}
			checkMoments(t, &q, v, set)
		}
	})
}

// TestBandsServeTheNextStep: of a cluster that runs evenly, next to no step has to
// find its quantiles anew. Speed depends on it, nothing else would show it.
func TestBandsServeTheNextStep(t *testing.T) {
	const n = 1024
	p, nodes := cluster(t, n, Settings{})
	low, high := places(n, 0.05, 0.05, false)
	sets := steps(p, nodes)
	for s := range NumSignals {
		q, anew := &p.quantiles[s], 0
		q.take(sets[0][s], 0.05, 0.05, false)
		for _, levels := range sets[1:] {
			if _, ok := q.pass(levels[s], low, high); !ok {
				anew++
				q.take(levels[s], 0.05, 0.05, false)
			}
		}
		if anew > 8 {
			t.Errorf("%v: %d of 63 steps found no quantile in its band", Signal(s), anew)
		}
	}
}

func FuzzMoments(f *testing.F) {
	f.Add([]byte("00000000000000001111111111111111"), uint8(5), uint8(5), false)
	f.Fuzz(func(t *testing.T, data []byte, low, high uint8, own bool) {
		v := make([]float64, 0, len(data)/2)
		for ; len(data) >= 2; data = data[2:] {
			v = append(v, float64(binary.LittleEndian.Uint16(data))/256)
		}
		n := len(v)
		q := quantiles{low: band{in: make([]float64, n)}, high: band{in: make([]float64, n)}, all: make([]float64, n)}
		set := Settings{CutLow: float64(low%46) / 100, CutHigh: float64(high%46) / 100, CutOwn: own}
		checkMoments(t, &q, v, set)
		for i := range v {
			v[i] *= 1 + float64(i%7)/1000
		}
		checkMoments(t, &q, v, set)
		checkMoments(t, &q, v, set)
	})
}

func TestExp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-700, 700).Draw(t, "x")
		if got, want := exp(x), math.Exp(x); math.Abs(got/want-1) > 1e-11 {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
	})
}
