package compare

import (
	"math"

	"roost/bench/stats"
	"roost/loadgen/tally"
)

// histograms are those that have a table.
var histograms = []string{"delivery", "delivery_sent", "fan_last", "publish_ack", "connect", "greeting", "restore"}

// latencies merges the histograms of both sides; those that only one side has
// are left out.
func latencies(a, b Side) (list []Latency, pictures []curves) {
	for _, name := range histograms {
		var c curves
		l := Latency{Name: name}
		l.A, c.a, c.eachA = merge(a, name)
		l.B, c.b, c.eachB = merge(b, name)
		if l.A.Count > 0 && l.B.Count > 0 {
			list, pictures = append(list, l), append(pictures, c)
		}
	}
	return list, pictures
}

// merge adds a side's histograms of a name.
func merge(s Side, name string) (p Percentiles, all *tally.Hist, each []*tally.Hist) {
	var own []float64
	for _, run := range s.Runs {
		h := run.Result.Hist(name)
		if h.Count() == 0 {
			continue
		}
		all = all.Add(h)
		each = append(each, h)
		own = append(own, value(h.Quantile(.99)))
	}
	if all == nil {
		return p, nil, nil
	}
	p = Percentiles{Count: all.Count(), Misses: all.Misses, P50: at(all, .5), P90: at(all, .9), P99: at(all, .99), P999: at(all, .999),
		Max: Number(value(all.Max())), Runs: len(own), P99Median: Number(stats.Median(own)), P99Least: Number(own[0]), P99Most: Number(own[0])}
	for _, v := range own {
		p.P99Least, p.P99Most = min(p.P99Least, Number(v)), max(p.P99Most, Number(v))
	}
	return p, all, each
}

func at(h *tally.Hist, q float64) Number { return Number(value(h.Quantile(q))) }

// value is a quantile in ns, +Inf for a miss.
func value(ns int64) float64 {
	if ns == tally.MissValue {
		return math.Inf(1)
	}
	return float64(ns)
}
