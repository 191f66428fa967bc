package server

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestLatency: the P95 of what was counted is that of a sorted list, to a bucket's width, and
// what is old counts less and less.
func TestLatency(t *testing.T) {
	now := time.Now()
	for range 50 {
		var l latency
		if got := l.p95(now); got >= 0 {
			t.Fatalf("nothing was counted: %v", got)
		}
		list := make([]time.Duration, 20+rand.IntN(2000))
		for i := range list {
			list[i] = time.Duration(1+rand.ExpFloat64()*float64(rand.IntN(1_000_000))) * time.Microsecond
			l.took(list[i])
		}
		slices.Sort(list)
		want, got := list[len(list)-1-int(float64(len(list))*0.05)], l.p95(now)
		if ratio := float64(got) / float64(want); ratio < 0.999 || ratio > 1.26 {
			t.Fatalf("of %d: %v, sorted %v", len(list), got, want)
		}
	}
	var l latency
	for range 1000 {
		l.took(time.Second)
	}
	if got := l.p95(now); got < time.Second || got > 1300*time.Millisecond {
		t.Errorf("all took a second: %v", got)
	}
	for i := range 60 {
		for range 100 {
			l.took(time.Millisecond)
		}
		now = now.Add(time.Second)
		if got := l.p95(now); i == 59 && got > 1300*time.Microsecond {
			t.Errorf("a minute later: %v", got)
		}
	}
	if got := l.p95(now.Add(time.Hour)); got >= 0 {
		t.Errorf("an hour without any: %v", got)
	}
	for _, d := range []time.Duration{-1, 0, time.Microsecond, 24 * time.Hour} {
		if b := latencyBucket(d); b < 0 || b >= latencyBuckets {
			t.Errorf("%v is in bucket %d", d, b)
		}
	}
}
