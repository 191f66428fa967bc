package cluster

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	mostBackoff  = 5 * time.Second
)

// backoff returns how long to wait after the nth failure in a row, from 0, with
// r in [0, 1): a quarter to all of 100 ms, twice that, and so on to 5 s. Nodes that
// fail together do not come back together.
func backoff(n int, r float64) time.Duration {
	most := mostBackoff
	if n < 6 {
		most = min(firstBackoff<<n, mostBackoff)
	}
	return most/4 + time.Duration(r*float64(most)*3/4)
}

// retry counts failures in a row.
type retry struct{ n int }

func (r *retry) next() time.Duration {
	d := backoff(r.n, rand.Float64())
	r.n++
	return d
}

// pause waits for d, or for wake, and reports false if ctx has ended. A nil wake
// never comes.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return ctx.Err() == nil
}
