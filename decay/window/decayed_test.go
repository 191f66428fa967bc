package window

import (
	"math"
	"testing"
	"time"
)

// evenly is a source of 1,000 records in each epoch, of the present one of what
// has come so far.
type evenly struct {
	present Epoch
	sofar   uint64
}

func (s evenly) At(e Epoch) uint64 {
	if e == s.present {
		return s.sofar
	}
	return 1000
}

func (s evenly) Sum(e Epoch, slots int) (sum uint64) {
	for a := range slots {
		sum += s.At(e - Epoch(a))
	}
	return sum
}

// TestDecayOfAnEvenRate: at any phase, and with as few slots as there can be, an
// even rate is that rate.
func TestDecayOfAnEvenRate(t *testing.T) {
	for _, slots := range []int{1, 2, 3, 20} {
		span, err := NewSpan(slots, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, lambda := range []float64{0, 2, 20, 200} {
			d, err := NewDecay(span, lambda)
			if err != nil {
				t.Fatal(err)
			}
			for phase := range 10 {
				now := time.Hour + time.Duration(phase)*5*time.Millisecond
				if got := d.Rate(evenly{span.Epoch(now), uint64(100 * phase)}, now); math.Abs(got/20_000-1) > 1e-9 {
					t.Errorf("%d slots, lambda %v, phase %d/10: %v records/s, want 20,000", slots, lambda, phase, got)
				}
			}
		}
	}
}
