package usage

import (
	"math"
	"runtime/metrics"
	"slices"
	"time"
)

// Runtime is what Go's runtime says about this process so far.
type Runtime struct {
	pauses    histogram // of the collector, all goroutines stopped
	latencies histogram // of goroutines, from ready to running
	GCs       uint64
}

// histogram is a copy of one of package metrics: counts[i] are in
// bounds[i]..bounds[i+1], in seconds.
type histogram struct {
	counts []uint64
	bounds []float64
}

// ReadRuntime reads it.
func ReadRuntime() (r Runtime) {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/latencies:seconds"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(s)
	r.pauses, r.latencies = copyHistogram(s[0]), copyHistogram(s[1])
	if s[2].Value.Kind() == metrics.KindUint64 {
		r.GCs = s[2].Value.Uint64()
	}
	return r
}

func copyHistogram(s metrics.Sample) histogram {
	if s.Value.Kind() != metrics.KindFloat64Histogram {
		return histogram{} // a later Go without it
	}
	h := s.Value.Float64Histogram()
	return histogram{slices.Clone(h.Counts), slices.Clone(h.Buckets)}
}

// Since returns the 99th percentiles of what has happened since before: of the
// collector's pauses, and of how long a ready goroutine waited. 0: nothing has.
func (r Runtime) Since(before Runtime) (pause, latency time.Duration) {
	return r.pauses.sub(before.pauses).quantile(.99), r.latencies.sub(before.latencies).quantile(.99)
}

// sub returns what h has and before had not.
func (h histogram) sub(before histogram) histogram {
	d := histogram{slices.Clone(h.counts), h.bounds}
	for i := range min(len(d.counts), len(before.counts)) {
		d.counts[i] -= min(before.counts[i], d.counts[i])
	}
	return d
}

// quantile returns the upper bound of the bucket that q falls into, the lower
// one where that is infinite.
func (h histogram) quantile(q float64) time.Duration {
	var n, sum uint64
	for _, c := range h.counts {
		n += c
	}
	if n == 0 {
		return 0
	}
	want := max(uint64(math.Ceil(q*float64(n))), 1)
	for i, c := range h.counts {
		if sum += c; sum < want {
			continue
		}
		bound := h.bounds[i+1]
		if math.IsInf(bound, 1) {
			bound = max(h.bounds[i], 0)
		}
		return time.Duration(bound * 1e9)
	}
	return 0
}
