package loadgen

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxLatency is the end of the histograms, in ns.
const maxLatency = 60_000_000_000

// recorder is a histogram from 1 us to 60 s with 3 digits (148 KB). It belongs
// to one goroutine.
type recorder struct {
	h    *hdrhistogram.Histogram
	over int64
}

func newRecorder() *recorder {
	return &recorder{h: hdrhistogram.New(1000, maxLatency, 3)}
}

// record takes a latency in ns. The library rejects values past its end; they
// count as the end, or the worst would be left out.
func (r *recorder) record(ns int64) {
	if ns > maxLatency {
		ns = maxLatency
		r.over++
	}
	_ = r.h.RecordValue(max(ns, 0)) // cannot fail within the bounds
}

func (r *recorder) merge(o *recorder) {
	r.h.Merge(o.h)
	r.over += o.over
}

func (r *recorder) latency() Latency {
	l := Latency{Count: r.h.TotalCount(), Over: r.over}
	if l.Count == 0 {
		return l
	}
	for q, v := range map[float64]*int64{50: &l.P50, 90: &l.P90, 99: &l.P99, 99.9: &l.P999} {
		*v = r.h.ValueAtQuantile(q)
	}
	l.Max = r.h.Max()
	if b, err := r.h.EncodeV2(); err == nil {
		l.HDR = string(b)
	}
	return l
}
