//go:build !race

package admission

import (
	"testing"
	"time"
)

// TestAllocsPerConnect: a connect allocates nothing, once the tables are there.
func TestAllocsPerConnect(t *testing.T) {
	a, d := NewAddresses(100), usualDevices()
	ip, i := addr("2001:db8::1"), 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		now := time.Duration(i) * time.Second
		a.Take(now, ip)
		d.Look(now, lifeID, false)
		d.Count(now, lifeID, false)
		d.Overtook(now, lifeID)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
