package verify

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// near reports whether a and b differ by at most a part of b, or are both tiny.
func near(a, b, part float64) bool {
	return math.Abs(a-b) <= part*math.Abs(b) || math.Abs(a) < 1e-290 && math.Abs(b) < 1e-290
}

// TestGammaAgainstOracle: the incomplete gamma function is gonum's, into the tails.
func TestGammaAgainstOracle(t *testing.T) {
	for _, a := range []float64{1e-3, 0.1, 0.3, 0.5, 1, 1.5, 2, 5, 10, 63.5, 127, 1000, 8191.5, 32767} {
		for _, z := range []float64{-6, -3, -1, -0.1, 0, 0.1, 1, 3, 6, 12} {
			x := a + z*math.Sqrt(a)
			if x < 0 {
				continue
			}
			if got, want := gammaQ(a, x), mathext.GammaIncRegComp(a, x); !near(got, want, 1e-8) && math.Abs(got-want) > 1e-14 {
				t.Errorf("Q(%v, %v) = %v, want %v", a, x, got, want)
			}
			if got, want := gammaP(a, x), mathext.GammaIncReg(a, x); !near(got, want, 1e-8) && math.Abs(got-want) > 1e-14 {
				t.Errorf("P(%v, %v) = %v, want %v", a, x, got, want)
			}
		}
	}
}

func TestGammaAtTheEdges(t *testing.T) {
	for _, tt := range []struct{ a, x, q float64 }{
		{1, 0, 1}, {0.5, 0, 1}, {5, 1e9, 0}, {1e5, 1e-9, 1}, {1e-3, 1e4, 0}, {1e9, 1e9, 0.5}, {1e9, 0, 1}, {1e12, 2e12, 0},
	} {
		if q := gammaQ(tt.a, tt.x); math.Abs(q-tt.q) > 1e-4 {
			t.Errorf("Q(%v, %v) = %v, want %v", tt.a, tt.x, q, tt.q)
		}
	}
}

func TestGammaIsAChance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Float64Range(1e-6, 2e6).Draw(t, "a")
		x := a * rapid.Float64Range(0, 3).Draw(t, "x/a")
		p, q := gammaP(a, x), gammaQ(a, x)
		if !(p >= 0 && p <= 1 && q >= 0 && q <= 1) || math.Abs(p+q-1) > 1e-9 {
			t.Fatalf("P(%v, %v) = %v, Q = %v", a, x, p, q)
		}
		if more := gammaQ(a, x*1.01); more > q+1e-9 {
			t.Fatalf("Q(%v, %v) = %v rises to %v", a, x, q, more)
		}
	})
}

// TestPoissonAbove against gonum's, in the middle and in the tails that matter.
func TestPoissonAbove(t *testing.T) {
	for _, m := range []float64{0.01, 0.5, 3, 20, 49, 51, 300, 1e4, 1e6} {
		d := distuv.Poisson{Lambda: m}
		for _, z := range []float64{-5, -2, 0, 2, 5} {
			x := math.Floor(m + z*math.Sqrt(m))
			if x < 0 {
				continue
			}
			got, want := poissonAbove(x, m), d.Survival(x)
			part := 1e-8
			if m > 50 {
				part = 0.06 // the cube root
			}
			if !near(got, want, part) && math.Abs(got-want) > 1e-12 {
				t.Errorf("chance of more than %v at mean %v is %v, want %v", x, m, got, want)
			}
		}
	}
	if poissonAbove(-1, 3) != 1 || poissonAbove(0, 0) != 0 {
		t.Error("the edges are wrong")
	}
}
