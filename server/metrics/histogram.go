package metrics

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
)

// The histograms, in seconds.
var (
	apiSeconds     = Desc{"roost_api_request_seconds", "histogram", "Seconds to answer an API request."}
	publishSeconds = Desc{"roost_publish_stage_seconds", "histogram", "Seconds that the stages of a publish took: key (the commit is made), redis (until the store has it), route (until lanes and other nodes have taken it)."}
	ringSeconds    = Desc{"roost_ring_stage_seconds", "histogram", "Seconds from an event in etcd to rings that readers see: capture, compute, swap, and whole."}
)

// PublishStages are the stages of a publish. The store is called redis wherever it is:
// in a node alone it is memory or a file.
var PublishStages = [...]string{"key", "redis", "route"}

// RingStages are the stages of a change of rings, in the order of cluster.Stage.
var RingStages = [...]string{"capture", "compute", "swap", "whole"}

// apiBuckets reach from 100 us to 30 s, three a decade.
var apiBuckets = []float64{1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30}

// stageBuckets reach from 2 us to 5 s: 3 and 8 ms, the bounds of a healthy publish and a
// bad one, are among them.
var stageBuckets = []float64{2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 8e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1, 2, 5}

// histogram is one metric with several series.
type histogram struct {
	d       Desc
	buckets []float64
	vm      *vm.Set // of its own: what is written of it follows its type
}

func newHistogram(d Desc, buckets []float64) histogram {
	return histogram{d: d, buckets: buckets, vm: vm.NewSet()}
}

// of returns the series with these labels.
func (h *histogram) of(labels string) *vm.PrometheusHistogram {
	return h.vm.GetOrCreatePrometheusHistogramExt(h.d.Name+"{"+labels+"}", h.buckets)
}

func (h *histogram) write(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", h.d.Name, h.d.Help, h.d.Name, h.d.Kind)
	h.vm.WritePrometheus(w)
}

// stages are the series of a fixed list of stages, made at first use and found without
// a lock.
type stages struct {
	histogram
	names  []string
	series []atomic.Pointer[vm.PrometheusHistogram]
}

func newStages(d Desc, names []string) stages {
	return stages{newHistogram(d, stageBuckets), names, make([]atomic.Pointer[vm.PrometheusHistogram], len(names))}
}

func (s *stages) took(stage int, d time.Duration) {
	h := s.series[stage].Load()
	if h == nil {
		h = s.of(`stage="` + s.names[stage] + `"`)
		s.series[stage].Store(h)
	}
	h.Update(d.Seconds())
}
