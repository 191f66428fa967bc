//go:build !race

package presence

import (
	"testing"
	"time"
)

// TestTouchAllocatesNothing: every frame of every device may come by here.
func TestTouchAllocatesNothing(t *testing.T) {
	k, err := New(Options{Self: n1, Store: NewMemory(0, nil)})
	must(t, err)
	a := &Arrival{Device: "device-000000001", SID: 1, Now: 1, k: k}
	a.Adopt(Claim{Fence: 1})
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() { k.Touch("device-000000001", 1, now) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
