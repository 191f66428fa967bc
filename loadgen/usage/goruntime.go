package usage

import (
	"math"
	"runtime/metrics"
	"slices"
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

// PausesSince calls f for what the collector's pauses have been since before, so
// many of so many ns: the upper bound of a bucket of the runtime's histogram,
// the lower one where that is infinite.
func (r Runtime) PausesSince(before Runtime, f func(ns int64, n uint64)) {
	r.pauses.sub(before.pauses).each(f)
}

// LatenciesSince is PausesSince, of how long a ready goroutine waited.
func (r Runtime) LatenciesSince(before Runtime, f func(ns int64, n uint64)) {
	r.latencies.sub(before.latencies).each(f)
}

// sub returns what h has and before had not.
func (h histogram) sub(before histogram) histogram {
	d := histogram{slices.Clone(h.counts), h.bounds}
	for i := range min(len(d.counts), len(before.counts)) {
		d.counts[i] -= min(before.counts[i], d.counts[i])
	}
	return d
}

// each calls f for every bucket that has something in it, in ascending order.
func (h histogram) each(f func(ns int64, n uint64)) {
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		bound := h.bounds[i+1]
		if math.IsInf(bound, 1) {
			bound = max(h.bounds[i], 0)
		}
		f(int64(bound*1e9), n)
	}
}
