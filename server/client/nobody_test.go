package client

import (
	"testing"
	"time"

	"roost/server/wire"
)

// TestRule6WhereNobodyIs: where nobody takes a dial, all devices of all nodes come at once when somebody does again: they dial over
// wide, as the last node that was heard has said, two thirds of it at first, until full jitter is wider than that.
func TestRule6WhereNobodyIs(t *testing.T) {
	widest := func(n int) time.Duration {
		if n == 0 {
			return 4 * time.Second // one refusal is not yet nobody
		}
		return max(6*time.Second, time.Second<<(n-1))
	}
	var most [7]time.Duration
	for seed := range uint64(200) {
		r := newRig(t, Saved{})
		r.s.random = seed
		w := defaultWelcome("e", 0)
		w.Wide = 3_000
		c := r.welcome(w)
		r.on(c, wire.AppendHeartbeat(nil, r.form, 7_500, 6_000, wire.Ring{}))
		r.s.OnLost(c, r.now)
		for n := range most {
			next := r.s.OnDialRefused(r.s.Begin(), r.now)
			r.wantBetween(next, 0, widest(n))
			most[n] = max(most[n], next.After)
		}
	}
	for n, d := range most {
		if limit := widest(n); d < limit*9/10 {
			t.Errorf("after %d failures at most %v of %v in 200 trials", n, d, limit)
		}
	}
	r := newRig(t, Saved{})
	r.wantBetween(r.s.OnDialRefused(r.s.Begin(), r.now), 0, time.Second) // nobody has said anything yet
	w := defaultWelcome("e", 0)
	w.Wide = 1 << 30
	r.s.OnLost(r.welcome(w), r.now)
	r.s.OnDialRefused(r.s.Begin(), r.now)
	r.wantBetween(r.s.OnDialRefused(r.s.Begin(), r.now), 0, 5*time.Minute)
	if next := r.s.OnDialRefused(r.s.Begin()+1, r.now); next.Do != Wait {
		t.Errorf("of a connection that is not dialed: %+v", next)
	}
}

// TestRule6ElsewhereNobodyIs: that one node is not there, to which the device was sent, says nothing of all of them.
func TestRule6ElsewhereNobodyIs(t *testing.T) {
	for seed := range uint64(50) {
		r := newRig(t, Saved{})
		r.s.random = seed
		w := defaultWelcome("e", 0)
		w.Wide = 3_600_000
		c := r.welcome(w)
		r.on(c, wire.AppendAway(nil, r.form, 4002, 0, "ws://n2"))
		r.wake()
		r.s.failures = 1
		r.s.OnDialRefused(r.s.Begin(), r.now)
		if !r.s.is(waiting) || r.s.dialAt > r.now+2*time.Second {
			t.Fatalf("dials after %v", r.s.dialAt-r.now)
		}
		if r.s.target() != "" {
			t.Errorf("to %q", r.s.target())
		}
	}
}
