package live

import (
	"math"
	"slices"
	"time"

	"roost/loadgen/tally"
)

// snapshot is a frame that stays as it is.
type snapshot struct {
	Frame   // without Delivery, Hists and AllErrors, which belong to the run
	latency latency
}

// latency sums up a histogram, in ns.
type latency struct {
	count, misses            uint64
	p50, p90, p99, p999, max int64
}

func latencyOf(h *tally.Hist) (l latency) {
	if h == nil {
		return l
	}
	return latency{count: h.Count(), misses: h.Misses, p50: h.Quantile(.5), p90: h.Quantile(.9), p99: h.Quantile(.99), p999: h.Quantile(.999), max: h.Max()}
}

// keep copies what stays of a frame. The latency is left to who wants it: its
// quantiles walk the histogram.
func keep(f *Frame) *snapshot {
	s := &snapshot{Frame: *f}
	s.Delivery, s.Hists, s.AllErrors = nil, nil, nil
	s.Errors, s.Validity = slices.Clone(f.Errors), slices.Clone(f.Validity)
	s.Thresholds, s.Units = slices.Clone(f.Thresholds), slices.Clone(f.Units)
	return s
}

// keepWhole is keep with the latency.
func keepWhole(f *Frame) *snapshot {
	s := keep(f)
	s.latency = latencyOf(f.Delivery)
	return s
}

// remembered is how many points a curve has at most: as many as a wide terminal
// has columns.
const remembered = 512

// history is the course of the run: the last points, each once.
type history struct {
	last      time.Duration // Point.At
	p99       []float64     // ns; NaN where nothing came, or something never
	delivered []float64     // a second
	connected []float64
}

// add takes the frame's point, if it is new.
func (h *history) add(f *Frame) {
	pt := &f.Point
	if pt.At == h.last {
		return
	}
	h.last = pt.At
	p99 := float64(pt.P99)
	if pt.P99 == 0 || pt.P99 == tally.MissValue {
		p99 = math.NaN()
	}
	h.p99 = push(h.p99, p99)
	h.delivered = push(h.delivered, pt.DeliveredRate)
	h.connected = push(h.connected, float64(pt.Connected))
}

// push appends v and forgets the oldest.
func push(list []float64, v float64) []float64 {
	if len(list) >= remembered {
		list = append(list[:0], list[1:]...)
	}
	return append(list, v)
}
