package plan

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		policy      string
		base, limit time.Duration
		n           int
		want        time.Duration
	}{
		{"none", s, 30 * s, 0, -1},
		{"dialect", s, 30 * s, 0, -1},
		{"fixed", s, 30 * s, 9, s},
		{"exponential", s, 30 * s, 0, s},
		{"exponential", s, 30 * s, 3, 8 * s},
		{"exponential", s, 30 * s, 5, 30 * s},
		{"exponential", s, math.MaxInt64, 1 << 40, math.MaxInt64},
		{"exponential", 3 * s, s, 0, s},
		{"exponential", -s, s, 3, 0},
		{"full_jitter", 0, 0, 3, 0},
	} {
		if got := Backoff(c.policy, c.base, c.limit, c.n, rand.New(rand.NewPCG(1, 2))); got != c.want {
			t.Errorf("%s %v to %v, redial %d: %v, want %v", c.policy, c.base, c.limit, c.n, got, c.want)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var sum time.Duration
	for range 10_000 {
		wait := Backoff("full_jitter", s, 30*s, 4, random)
		if wait < 0 || wait >= 16*s {
			t.Fatalf("waits %v of 0 to 16 s", wait)
		}
		sum += wait
	}
	if mean := sum / 10_000; mean < 7800*time.Millisecond || mean > 8200*time.Millisecond {
		t.Errorf("waits %v on average, want 8 s", mean)
	}
}
