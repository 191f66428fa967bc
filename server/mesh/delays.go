package mesh

import (
	"math/bits"
	"sync"
	"time"
)

// delays is a histogram of the last half to whole minute, four buckets an octave.
type delays struct {
	mu         sync.Mutex // covers the following
	young, old [delayBuckets]uint32
	began      time.Time
}

const (
	delayBuckets = 4 * 32 // to 71 minutes in microseconds
	delayTurn    = 30 * time.Second
)

func delayBucket(took time.Duration) int {
	us := uint64(max(took.Microseconds(), 0)) + 4
	octave := bits.Len64(us) - 3 // 4 to 7 is octave 0
	return min(4*octave+int(us>>octave&3), delayBuckets-1)
}

// delayOf is the upper end of a bucket.
func delayOf(bucket int) time.Duration {
	us := (uint64(bucket&3) + 5) << (bucket / 4)
	return time.Duration(us-4) * time.Microsecond
}

func (d *delays) add(took time.Duration, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn(now)
	d.young[delayBucket(took)]++
}

// turn forgets what is too old. d.mu is held.
func (d *delays) turn(now time.Time) {
	age := now.Sub(d.began)
	if age < delayTurn {
		return
	}
	d.old, d.young, d.began = d.young, [delayBuckets]uint32{}, now
	if age >= 2*delayTurn {
		d.old = [delayBuckets]uint32{}
	}
}

// p99 is 0 where nothing is known.
func (d *delays) p99(now time.Time) time.Duration { return d.above(now, 100) }

// p50 is the same for the median.
func (d *delays) p50(now time.Time) time.Duration { return d.above(now, 2) }

// above returns what one in so many is above.
func (d *delays) above(now time.Time, oneIn uint64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn(now)
	total := uint64(0)
	for i := range d.young {
		total += uint64(d.young[i]) + uint64(d.old[i])
	}
	if total == 0 {
		return 0
	}
	above := total / oneIn
	for i := delayBuckets - 1; ; i-- {
		n := uint64(d.young[i]) + uint64(d.old[i])
		if n > above {
			return delayOf(i)
		}
		above -= n
	}
}
