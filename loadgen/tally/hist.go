package tally

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bounds of the histograms, in ns: 1 us to 60 s with 3 digits, 148 KB each.
const (
	MinValue = 1_000
	MaxValue = 60_000_000_000
	digits   = 3
)

// Hist is a histogram of durations in ns. The nil Hist is empty and may be
// read. What is larger than MaxValue counts as MaxValue, and in Over; what
// never came counts as Misses, which are larger than everything that did.
// It belongs to one goroutine.
type Hist struct {
	h      *hdrhistogram.Histogram
	Over   uint64 // beyond MaxValue
	Misses uint64 // never: in Count and in quantiles, as MissValue
}

// MissValue is what quantiles say for a miss: longer than anybody waited.
const MissValue int64 = math.MaxInt64

// NewHist returns an empty histogram.
func NewHist() *Hist { return &Hist{h: hdrhistogram.New(MinValue, MaxValue, digits)} }

// Record takes a duration. Negative ones count as 0: count them apart, as
// errors of the clock.
func (h *Hist) Record(ns int64) { h.RecordN(ns, 1) }

// RecordN takes a duration that happened n times.
func (h *Hist) RecordN(ns int64, n uint64) {
	if ns > MaxValue {
		ns = MaxValue
		h.Over += n
	}
	_ = h.h.RecordValues(max(ns, 0), int64(n)) // cannot fail within the bounds
}

// Miss counts n that never came.
func (h *Hist) Miss(n uint64) { h.Misses += n }

// Add adds what o has counted. Both may be nil; the sum is returned.
func (h *Hist) Add(o *Hist) *Hist {
	if o == nil {
		return h
	}
	if h == nil {
		h = NewHist()
	}
	h.h.Merge(o.h)
	h.Over += o.Over
	h.Misses += o.Misses
	return h
}

// Count returns how many there are, misses included.
func (h *Hist) Count() uint64 {
	if h == nil {
		return 0
	}
	return uint64(h.h.TotalCount()) + h.Misses
}

// Quantile returns the value that a share of q (0 to 1) does not exceed:
// MissValue where that is a miss, 0 of an empty histogram.
func (h *Hist) Quantile(q float64) int64 {
	n := h.Count()
	if n == 0 {
		return 0
	}
	came := float64(n - h.Misses)
	if rank := q * float64(n); rank > came+1e-9*float64(n) || came == 0 {
		return MissValue
	}
	return h.h.ValueAtPercentile(min(100*q*float64(n)/came, 100))
}

// Max returns the largest value, MissValue if there are misses.
func (h *Hist) Max() int64 {
	switch {
	case h == nil:
		return 0
	case h.Misses > 0:
		return MissValue
	}
	return h.h.Max()
}

// Min returns the smallest value that came.
func (h *Hist) Min() int64 {
	if h == nil {
		return 0
	}
	return h.h.Min()
}

// Mean returns the mean of what came. For conservation laws and cross-checks:
// nothing that is reported is a mean.
func (h *Hist) Mean() float64 {
	if h == nil {
		return 0
	}
	return h.h.Mean()
}

// Each calls f for every bucket that has something in it, in ascending order,
// with its largest value and its count. Misses have no bucket.
func (h *Hist) Each(f func(value int64, n uint64)) {
	if h == nil {
		return
	}
	for _, b := range h.h.Distribution() {
		if b.Count > 0 {
			f(b.To, uint64(b.Count))
		}
	}
}

// Reset empties the histogram.
func (h *Hist) Reset() {
	h.h.Reset()
	h.Over, h.Misses = 0, 0
}

// histForm is a histogram's JSON form. The quantiles are for readers of the
// file; HDR is the whole.
type histForm struct {
	Count  uint64 `json:"count"`
	Misses uint64 `json:"misses,omitempty"`
	Over   uint64 `json:"over,omitempty"`
	P50    int64  `json:"p50"`
	P90    int64  `json:"p90"`
	P99    int64  `json:"p99"`
	P999   int64  `json:"p999"`
	Max    int64  `json:"max"`
	HDR    string `json:"hdr"` // V2, compressed, base64: of what came
}

// MarshalJSON writes the histogram whole.
func (h *Hist) MarshalJSON() ([]byte, error) {
	b := h.encode(nil)
	return json.Marshal(histForm{Count: h.Count(), Misses: h.Misses, Over: h.Over, P50: h.Quantile(.5), P90: h.Quantile(.9),
		P99: h.Quantile(.99), P999: h.Quantile(.999), Max: h.Max(), HDR: string(b)})
}

// UnmarshalJSON reads what MarshalJSON wrote: histograms of these bounds alone,
// so that adding them loses nothing.
func (h *Hist) UnmarshalJSON(data []byte) error {
	var f histForm
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	v, err := hdrhistogram.Decode([]byte(f.HDR))
	switch {
	case err != nil:
		return fmt.Errorf("histogram: %w", err)
	case v.LowestTrackableValue() != MinValue || v.HighestTrackableValue() != MaxValue || v.SignificantFigures() != digits:
		return fmt.Errorf("histogram of %d to %d with %d digits, want %d to %d with %d",
			v.LowestTrackableValue(), v.HighestTrackableValue(), v.SignificantFigures(), int64(MinValue), int64(MaxValue), digits)
	case f.Misses > math.MaxInt64 || f.Over > uint64(v.TotalCount()) || f.Count != uint64(v.TotalCount())+f.Misses:
		return fmt.Errorf("histogram whose counts disagree: %d in all, %d came, %d misses, %d over", f.Count, v.TotalCount(), f.Misses, f.Over)
	}
	*h = Hist{h: v, Over: f.Over, Misses: f.Misses}
	return nil
}
