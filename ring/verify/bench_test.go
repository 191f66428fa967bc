package verify

import (
	"fmt"
	"testing"
)

// BenchmarkAdd is one line of numbered ids, all different, under both presets.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{16, 1024} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			c := both(b, Options{}, nodes(n, equal))
			ids := make([][]byte, 1<<16)
			for i := range ids {
				ids[i] = fmt.Appendf(nil, "device-%09d", i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := c.Add(ids[i&(1<<16-1)], 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReport works out what 100,000 ids over so many nodes are.
func BenchmarkReport(b *testing.B) {
	for _, n := range []int{16, 1024} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			c := both(b, Options{}, nodes(n, equal))
			for i := range 100_000 {
				if err := c.Add(fmt.Appendf(nil, "device-%09d", i), 1); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				c.Report()
			}
		})
	}
}
