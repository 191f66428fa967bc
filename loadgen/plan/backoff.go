package plan

import (
	"math/rand/v2"
	"time"
)

// Backoff returns how long to wait before redial n, from 0, or -1 for never.
//
//	none         never
//	fixed        base
//	exponential  min(limit, base x 2^n)
//	full_jitter  random in 0 to that (Brooker 2015: the fewest dials for the same time to restore)
//
// Another policy never redials.
func Backoff(policy string, base, limit time.Duration, n int, random *rand.Rand) time.Duration {
	grown := base
	for range n {
		if grown <= 0 || grown >= limit {
			break
		}
		grown *= 2
		if grown < 0 { // beyond 292 years
			grown = limit
		}
	}
	grown = max(min(grown, limit), 0)
	switch policy {
	case "fixed":
		return max(base, 0)
	case "exponential":
		return grown
	case "full_jitter":
		if grown == 0 {
			return 0
		}
		return time.Duration(random.Int64N(int64(grown)))
	}
	return -1
}
