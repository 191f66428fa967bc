package merge

import (
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Point returns the rates and latencies of an interval in which t was counted.
// reads says of each group whether it reads; the others' deliveries are left
// out of the latency, which would else be about them.
func Point(t *tally.Tally, length time.Duration, reads func(group int) bool) result.Point {
	c := t.Total()
	rate := func(n uint64) float64 {
		if length <= 0 {
			return 0
		}
		return float64(n) / length.Seconds()
	}
	errors := uint64(0)
	for _, n := range t.Errors {
		errors += n
	}
	d := Delivery(t, reads)
	return result.Point{
		DialRate: rate(c.Dials), ReadyRate: rate(c.Ready), SentRate: rate(c.Sent), DeliveredRate: rate(c.Delivered), ErrorRate: rate(errors),
		P50: d.Quantile(.5), P99: d.Quantile(.99), Max: d.Max(), SendLagP99: t.Hists[tally.SendLag].Quantile(.99),
	}
}

// Delivery returns the latency from due of all groups that read, which is nil
// where there is none. The histogram may be t's own.
func Delivery(t *tally.Tally, reads func(group int) bool) *tally.Hist {
	var own, sum *tally.Hist
	for i := range t.Groups {
		h := t.Groups[i].Hists[tally.Delivery]
		switch {
		case h == nil || !reads(i):
		case own == nil:
			own = h
		case sum == nil:
			sum = sum.Add(own).Add(h)
		default:
			sum = sum.Add(h)
		}
	}
	if sum != nil {
		return sum
	}
	return own
}
