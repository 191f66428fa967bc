//go:build !race

package dawn

import (
	"testing"
	"time"
)

// TestAllocs: what runs for every node each second, and what timers ask, does not
// allocate.
func TestAllocs(t *testing.T) {
	c := testCalendar(t, "Europe/Berlin")
	n := &Node{ID: "a1", Zone: "b"}
	at := time.Date(2026, 3, 29, 0, 45, 0, 0, time.UTC)
	spec := c.Windows[2].Cron
	night, _ := c.Night(20260329)
	r := newRecord(&night, night.Fire())
	for i := range r.Entries {
		r.Entries[i].Stage = Falling
	}
	for name, f := range map[string]func(){
		"Spec.Next":       func() { spec.Next(at) },
		"DateOf":          func() { DateOf(at, c.Zone) },
		"Calendar.Factor": func() { c.Factor(at, n) },
		"Record.Factor":   func() { r.Factor(at, n) },
		"Record.Due":      func() { r.Due() },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s allocates %v times", name, got)
		}
	}
}
