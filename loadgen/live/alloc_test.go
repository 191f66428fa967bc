//go:build !race

package live

import (
	"io"
	"testing"
)

// Views run beside the load, once a second. The limits are twice of what is
// measured: a picture 382 (0.2 ms), a stream line 38 (45 us), metrics 21 where
// nothing is folded and 39 (0.5 ms) where one histogram is.
func TestAllocPerSecond(t *testing.T) {
	f := busy()
	h := course(f)
	prom := &Prometheus{}
	stream := NewStream(io.Discard)
	for _, c := range []struct {
		name string
		most float64
		f    func()
	}{
		{"picture", 800, func() { draw(keepWhole(f), h, 119, 49, false) }},
		{"stream", 80, func() { stream.Show(f) }},
		{"metrics", 50, func() { prom.Show(f) }},
		{"metrics of a new delivery", 80, func() { f.Delivery.Record(1e6); prom.Show(f) }},
	} {
		if got := testing.AllocsPerRun(20, c.f); got > c.most {
			t.Errorf("%s: %.0f allocations, at most %.0f", c.name, got, c.most)
		} else {
			t.Logf("%s: %.0f allocations", c.name, got)
		}
	}
	if err := stream.Done(nil); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPicture(b *testing.B) {
	f := busy()
	h := course(f)
	b.ReportAllocs()
	for b.Loop() {
		draw(keepWhole(f), h, 119, 49, false)
	}
}

func BenchmarkMetricsShow(b *testing.B) {
	f := busy()
	p := &Prometheus{}
	b.ReportAllocs()
	for b.Loop() {
		f.Delivery.Record(1e6)
		p.Show(f)
	}
}

func BenchmarkMetricsScrape(b *testing.B) {
	p := &Prometheus{}
	p.Show(busy())
	b.ReportAllocs()
	for b.Loop() {
		p.shown.Load().write()
	}
}

func BenchmarkStreamShow(b *testing.B) {
	f := busy()
	s := NewStream(io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		s.Show(f)
	}
	if err := s.Done(nil); err != nil {
		b.Fatal(err)
	}
}
