//go:build !race

package window

import (
	"testing"
	"time"
)

func TestAllocs(t *testing.T) {

	c, m := NewCounters(2), NewMeters(2)
	b, mb := NewBatch(c.Shard(0), 3), NewMeterBatch(m.Shard(0), 3)
	decay, err := NewDecay(Span{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	clock := NewClock(Span{})
	var span Span
	var e Epoch
	var now time.Duration
	for what, f := range map[string]func(){
		"inc":         func() { c.Shard(1).Inc(e) },
		"add":         func() { c.Shard(1).Add(e, 1e6) },
		"late":        func() { c.Shard(1).Inc(e - 40) },
		"observe":     func() { m.Shard(1).Observe(e, 5) },
		"batch":       func() { b.Inc(e) },
		"meter batch": func() { mb.Observe(e, 5) },
		"flush":       func() { b.Flush(); mb.Flush() },
		"sum":         func() { span.Sum(c, now) },
		"rate":        func() { span.Rate(c, now) },
		"rate of values, one meter": func() {
			span.Rate(m.Shard(0).Sums(), now)
			span.Rate(m.Shard(0).Counts(), now)
		},
		"rate of values": func() { span.Rate(m.Sums(), now); span.Rate(m.Counts(), now) },
		"stats":          func() { m.Stats(e, 20) },
		"decay":          func() { decay.Rate(c, now) },
		"clock":          func() { clock.NowEpoch() },
	} {
		if n := testing.AllocsPerRun(200, func() { e++; now += 20 * time.Millisecond; f() }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
