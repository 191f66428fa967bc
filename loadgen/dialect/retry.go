package dialect

import (
	"math/rand/v2"
	"time"
)

// retry says how long a client waits before it dials again: full jitter, a
// random time from 0 to min(most, base x 2^n), n the dials in a row that were
// not greeted.
type retry struct {
	base, most time.Duration
	rng        *rand.PCG
}

// newRetry gives each worker randomness of its own: names differ.
func newRetry(cfg *Config, base, most time.Duration) retry {
	return retry{base, most, rand.NewPCG(cfg.Seed, nameHash(cfg.Name(0)))}
}

// wait returns the time for a connection that ended so. failures is the
// client's own count.
func (r *retry) wait(failures *uint8, end End) time.Duration {
	if end.Greeted {
		*failures = 0
	}
	limit := r.most
	if n := *failures; n < 32 {
		limit = min(limit, r.base<<n)
	}
	if *failures < 255 {
		*failures++
	}
	return end.RetryAfter + r.random(limit)
}

// random returns a time from 0 to limit.
func (r *retry) random(limit time.Duration) time.Duration {
	return time.Duration(r.rng.Uint64() % (uint64(limit) + 1))
}
