package decay

import (
	"testing"
	"time"
)

// BenchmarkExponential is one step of each form; an exponential is most of it.
func BenchmarkExponential(b *testing.B) {
	b.Run("at", func(b *testing.B) {
		x := GivenAge()
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			x.At(time.Duration(i & 0xffffff))
		}
	})
	b.Run("sum", func(b *testing.B) {
		s, _ := NewDecayingSum(GivenLambda)
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			s.Add(time.Duration(i)*time.Millisecond, 1)
		}
	})
	b.Run("ewma", func(b *testing.B) {
		var a EWMA
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			a.Add(time.Duration(i)*time.Millisecond, float64(i&7))
		}
	})
	b.Run("peak", func(b *testing.B) {
		var p PeakEWMA
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			p.Add(time.Duration(i)*time.Millisecond, float64(i&7))
		}
	})
}
