package plan

import (
	"math"
	"testing"
)

func TestClientBound(t *testing.T) {
	for _, c := range []struct {
		name string
		e    Effort
		want int
	}{
		{"at ease", Effort{Loops: 1, Cores: 0.5, Planned: 1000, Sent: 1000}, 0},
		{"busy", Effort{Loops: 1, Cores: 0.91, Planned: 1000, Sent: 1000}, 1},
		{"busy on two loops", Effort{Loops: 2, Cores: 1.7, Planned: 1000, Sent: 1000}, 0},
		{"spinning", Effort{Loops: 1, Cores: 1, Spin: true, Planned: 1000, Sent: 1000}, 0},
		{"missed its rate", Effort{Loops: 1, Planned: 1000, Sent: 979}, 1},
		{"nearly missed it", Effort{Loops: 1, Planned: 1000, Sent: 980}, 0},
		{"late", Effort{Loops: 1, Planned: 1000, Sent: 1000, TooLate: 11}, 1},
		{"nearly late", Effort{Loops: 1, Planned: 1000, Sent: 1000, TooLate: 10}, 0},
		{"one of few is no percentile", Effort{Loops: 1, Planned: 12, Sent: 12, TooLate: 1}, 0},
		{"one burst of few", Effort{Loops: 1, Planned: 48, Burst: 8, Sent: 48, TooLate: 8}, 0},
		{"two bursts of few", Effort{Loops: 1, Planned: 48, Burst: 8, Sent: 48, TooLate: 9}, 1},
		{"closed loop", Effort{Loops: 1, Cores: 0.5, TooLate: 5}, 0},
		{"everything", Effort{Loops: 1, Cores: 2, Planned: 1000, Sent: 0, TooLate: 1000}, 3},
	} {
		if got := c.e.ClientBound(); len(got) != c.want {
			t.Errorf("%s: %q, want %d reasons", c.name, got, c.want)
		}
	}
}

func TestFit(t *testing.T) {
	slope, at0, ok := Fit([]float64{5000, 10000, 15000}, []float64{12e6, 14e6, 16e6})
	if !ok || math.Abs(slope-400) > 1e-6 || math.Abs(at0-10e6) > 1e-3 {
		t.Errorf("got %v x + %v, %v; want 400 x + 1e7", slope, at0, ok)
	}
	if _, _, ok := Fit([]float64{1, 1}, []float64{1, 2}); ok {
		t.Error("a vertical line has a slope")
	}
	if _, _, ok := Fit(nil, nil); ok {
		t.Error("nothing has a slope")
	}
}
