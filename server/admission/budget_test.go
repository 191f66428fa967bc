package admission

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestBudget: what a connect costs is found beside what the process does anyway, and half of
// the cores are for connects, or what is idle.
func TestBudget(t *testing.T) {
	for _, tt := range []struct {
		name        string
		base, cost  float64 // cores; seconds a connect
		connects    float64 // a second
		cores       int
		least, most float64
	}{
		{"not measured", 0.3, 0, 0, 2, UsualBudget, UsualBudget},
		{"too few to tell", 0.3, 0.001, 20, 2, UsualBudget, UsualBudget},
		{"80 us each", 0.1, 80e-6, 2000, 2, 12_000, 13_000},
		{"80 us each, and busy", 1.6, 80e-6, 1000, 2, 4_500, 5_500},
		{"busier than it has cores", 2.5, 80e-6, 1000, 2, LeastBudget, LeastBudget},
		{"dear", 0.1, 0.05, 60, 2, LeastBudget, LeastBudget},
		{"cheap", 0.1, 1e-6, 10_000, 8, MostBudget, MostBudget},
	} {
		var b Budget
		for range 60 {
			b.Observe(time.Second, secs(tt.base), 0)
		}
		for range 30 {
			b.Observe(time.Second, secs(tt.base+tt.cost*tt.connects), uint64(tt.connects))
		}
		if got := b.PerSecond(tt.cores); got < tt.least || got > tt.most {
			t.Errorf("%s: %v, want %v to %v", tt.name, got, tt.least, tt.most)
		}
	}
	// Whatever is seen, the budget is within its bounds.
	for range 1000 {
		var b Budget
		for range 50 {
			b.Observe(time.Duration(rand.Int64N(int64(3*time.Second)))-time.Second, time.Duration(rand.Int64N(int64(4*time.Second)))-time.Second, rand.Uint64N(30_000))
			if got := b.PerSecond(1 + rand.IntN(64)); !(got >= LeastBudget && got <= MostBudget) {
				t.Fatalf("%+v: %v", b, got)
			}
		}
	}
}

func secs(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
