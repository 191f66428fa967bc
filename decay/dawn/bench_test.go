package dawn

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkNext is what a timer costs.
func BenchmarkNext(b *testing.B) {
	for _, spec := range []string{"0 2 * * *", "*/5 * * * *", "0 0 29 2 */7"} {
		b.Run(spec, func(b *testing.B) {
			s := mustParse(b, spec, zone(b, "Europe/Berlin"))
			at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(at)
			}
		})
	}
}

// BenchmarkFactor is what the weight loop pays for each node.
func BenchmarkFactor(b *testing.B) {
	c := testCalendar(b, "Europe/Berlin")
	night, _ := c.Night(20260314)
	r := newRecord(&night, night.Fire())
	for i := range r.Entries {
		r.Entries[i].Stage = Falling
	}
	n, at := &Node{ID: "a1", Zone: "b"}, night.Openings[0].Begin.Add(10*time.Minute)
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Factor(at, n)
		}
	})
	b.Run("calendar", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Factor(at, n)
		}
	})
}

// BenchmarkHeadroom is one decision.
func BenchmarkHeadroom(b *testing.B) {
	for _, nodes := range []int{16, 1024} {
		b.Run(fmt.Sprint("nodes=", nodes), func(b *testing.B) {
			o := given(Linear)
			o.Nodes = Group{IDs: []string{"n1*"}}
			loads := loadsOf(nodes, false)
			b.ReportAllocs()
			for b.Loop() {
				Headroom(&o, nil, 0, loads, o.Begin, DefaultLimits)
			}
		})
	}
}

// BenchmarkModel is the search of the model checker: worlds are what counts.
func BenchmarkModel(b *testing.B) {
	worlds := 0
	for b.Loop() {
		r := explore(modelSetup(budget{}, 0, -2))
		if r.wrong != nil {
			b.Fatal(r)
		}
		worlds += r.worlds
	}
	b.ReportMetric(float64(worlds)/b.Elapsed().Seconds(), "worlds/s")
}
