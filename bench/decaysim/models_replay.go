package decaysim

import (
	"container/heap"
	"math"
	"slices"
	"time"
)

// outcome is what one model made of one trace.
type outcome struct {
	P95      []float64 `json:"p95_ms"`           // of each interval of 1 s, by arrival, that let any in
	Seconds  []float64 `json:"-"`                // which intervals these are, from 0
	Mean     float64   `json:"mean_p95_ms"`      // of these
	Jitter   float64   `json:"jitter_ms"`        // half of what lies between their 10th and 90th percentile
	SD       float64   `json:"sd_p95_ms"`        // their standard deviation
	Shed     float64   `json:"shed"`             // share of the requests not let in
	ShedCalm float64   `json:"shed_in_calm"`     // the same, of those outside of bursts
	Seen     []float64 `json:"seen_after_ms"`    // of each burst that was seen while it lasted
	On       int       `json:"on_already"`       // bursts that found the estimate over the target
	Bursts   int       `json:"bursts"`           // how many there were
	Alarms   float64   `json:"false_per_minute"` // of the time that is watched for them: times that the estimate rose over the target
}

// places is when each place of the server is free again, the first one first.
type places []time.Duration

func (p places) Len() int           { return len(p) }
func (p places) Less(i, j int) bool { return p[i] < p[j] }
func (p places) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p places) Push(any)           {}
func (p places) Pop() any           { return nil }

// replayer is a limiter in front of a server, and the books.
type replayer struct {
	trace  *trace
	target float64
	// The limiter: it lets in the share target/estimate of the requests, evenly
	// rather than by chance. credit adds the share up; 1 of it is a request.
	credit float64
	above  bool // the estimate was over the target at the last request
	// The server: who finds no free place waits in order.
	busy places
	// Books.
	out            outcome
	intervals      [][]float64 // latencies, ms
	burst          int         // the last one, -1 for none
	waits          bool        // it has not been seen
	n, calm        float64     // requests, and those outside of bursts
	shed, shedCalm float64
}

// replay sends a trace through the limiter of a model to the server.
func replay(x *trace, m rateModel) outcome {
	r := &replayer{trace: x, target: x.load.target(), busy: make(places, x.load.Places), burst: -1}
	for i, now := range x.arrival {
		before := r.above
		in := r.admit(m, now)
		latency := time.Duration(0)
		if in {
			latency = r.serve(now, x.service[i])
		}
		if i >= x.first {
			r.book(now, in, latency)
			r.watch(now, before)
		}
	}
	return r.finish()
}

// admit decides on a request.
func (r *replayer) admit(m rateModel, now time.Duration) bool {
	if r.trace.load.Hard {
		r.above = m.rate(now) > r.target
		if !r.above {
			m.arrive(now)
		}
		return !r.above
	}
	m.arrive(now)
	estimate := m.rate(now)
	r.above = estimate > r.target
	r.credit += min(1, r.target/estimate)
	if r.credit < 1 {
		return false
	}
	r.credit--
	return true
}

// serve returns how long a request let in takes with its wait.
func (r *replayer) serve(now, service time.Duration) time.Duration {
	done := max(now, r.busy[0]) + service
	r.busy[0] = done
	heap.Fix(&r.busy, 0)
	return done - now
}

// book writes down what became of a request.
func (r *replayer) book(now time.Duration, in bool, latency time.Duration) {
	l := r.trace.load
	burst := l.inBurst(now)
	r.n++
	if burst < 0 {
		r.calm++
	}
	if !in {
		r.shed++
		if burst < 0 {
			r.shedCalm++
		}
	} else {
		k := int((now - l.WarmUp) / time.Second)
		for len(r.intervals) <= k {
			r.intervals = append(r.intervals, nil)
		}
		r.intervals[k] = append(r.intervals[k], float64(latency)/1e6)
	}
}

// afterBurst is how long after a burst a rise of the estimate is its doing, and no
// false alarm.
const afterBurst = time.Second

// watch writes down when the estimate rises over the target. before says whether
// it was over it at the request before.
func (r *replayer) watch(now time.Duration, before bool) {
	l := r.trace.load
	burst := l.inBurst(now)
	switch {
	case burst < 0:
		if r.above && !before && !l.burstSince(now, afterBurst) {
			r.out.Alarms++
		}
	case burst != r.burst: // its first request
		r.burst, r.waits = burst, !before
		if before {
			r.out.On++
		}
	}
	if burst >= 0 && r.waits && r.above {
		r.waits = false
		r.out.Seen = append(r.out.Seen, rounded(float64(now-l.burst(burst))/1e6))
	}
}

// finish makes the numbers out of the books.
func (r *replayer) finish() outcome {
	l, o := r.trace.load, r.out
	last := r.trace.arrival[len(r.trace.arrival)-1]
	// The last interval is not whole.
	for k, v := range r.intervals[:max(len(r.intervals)-1, 0)] {
		if len(v) > 0 {
			slices.Sort(v)
			o.Seconds = append(o.Seconds, float64(k))
			o.P95 = append(o.P95, rounded(quantile(v, 0.95)))
		}
	}
	sorted := slices.Sorted(slices.Values(o.P95))
	o.Jitter = (quantile(sorted, 0.9) - quantile(sorted, 0.1)) / 2
	o.Mean, o.SD = meanAndSD(o.P95)
	o.Shed, o.ShedCalm = r.shed/r.n, r.shedCalm/max(r.calm, 1)
	for o.Bursts = 0; l.Factor != 1 && l.burst(o.Bursts) < last; o.Bursts++ {
	}
	if watched := l.calm(last, afterBurst); watched > 0 {
		o.Alarms /= watched.Minutes()
	}
	return o
}

// rounded keeps raw results short: to 10 us, in ms.
func rounded(ms float64) float64 { return math.Round(ms*100) / 100 }

// quantile returns the smallest of the ascending v of which a share p is not
// larger, 0 of none.
func quantile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return v[min(max(int(math.Ceil(p*float64(len(v))))-1, 0), len(v)-1)]
}

// meanAndSD returns the mean and the standard deviation.
func meanAndSD(v []float64) (mean, sd float64) {
	if len(v) == 0 {
		return 0, 0
	}
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		sd += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(sd)
}
