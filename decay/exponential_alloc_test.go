//go:build !race

package decay

import (
	"testing"
	"time"
)

func TestExponentialAllocs(t *testing.T) {
	x := RTT()
	s, _ := NewDecayingSum(1)
	var a EWMA
	var p PeakEWMA
	var now time.Duration
	if n := testing.AllocsPerRun(200, func() {
		now += time.Millisecond
		x.At(now)
		s.Add(now, 1)
		a.Add(now, 1)
		p.Add(now, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
