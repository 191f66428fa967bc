package server

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Load is what a node measures of itself, for its weight in a cluster.
type Load struct {
	Devices  int           // connected now
	Accepted uint64        // devices' upgrades since the start
	Latency  time.Duration // P95 of publish to written, of late; negative: not known
}

// Load returns what the node measures of itself now.
func (s *Server) Load() Load {
	return Load{
		Devices:  s.registry.Len(),
		Accepted: uint64(s.loops(func(n *loopCounters) uint64 { return n.upgraded.Load() })),
		Latency:  s.latency.p95(time.Now()),
	}
}

// latency tells how long deliveries took of late: counts by size, of which a tenth is
// forgotten each second. Recording is one addition.
type latency struct {
	counts [latencyBuckets]atomic.Uint32 // since the last look

	mu   sync.Mutex // covers the following
	at   time.Time
	kept [latencyBuckets]float64
}

// Buckets are quarters of powers of two, of microseconds: 19 % wide, up to 70 minutes.
const latencyBuckets = 4 * 32

func latencyBucket(took time.Duration) int {
	us := uint64(max(took.Microseconds(), 1))
	top := bits.Len64(us) - 1
	return min(4*top+int(us<<2>>top&3), latencyBuckets-1)
}

// latencyOf is the upper end of a bucket.
func latencyOf(bucket int) time.Duration {
	return time.Duration(float64(uint64(1)<<(bucket/4)) * (1 + float64(bucket%4+1)/4) * float64(time.Microsecond))
}

// took takes note of a delivery.
func (l *latency) took(d time.Duration) { l.counts[latencyBucket(d)].Add(1) }

// forget is the part of counts that is left after a second.
const forget = 0.9

// p95 looks at now; negative is that there is nothing to look at.
func (l *latency) p95(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := math.Pow(forget, max(now.Sub(l.at).Seconds(), 0))
	l.at = now
	total := 0.0
	for i := range l.kept {
		l.kept[i] = l.kept[i]*keep + float64(l.counts[i].Swap(0))
		total += l.kept[i]
	}
	if total < 1 {
		return -1
	}
	above := total * 0.05
	for i := len(l.kept) - 1; i >= 0; i-- {
		if above -= l.kept[i]; above < 0 {
			return latencyOf(i)
		}
	}
	return latencyOf(0)
}
