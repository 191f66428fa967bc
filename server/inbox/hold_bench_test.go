package inbox

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// BenchmarkHold says how long others wait for a store of a million devices at most
// while something large is done to it: "hold-ms" is the longest that one of many
// short questions took, "commit-ms" a small commit. On a machine that is not quiet
// that is the scheduler's.
func BenchmarkHold(b *testing.B) {
	const devices = 1_000_000
	s := NewMemory(Limits{Total: 1 << 40, Messages: 100}, nil)
	for i := range devices {
		if _, err := s.Open(fmt.Appendf(nil, "device-%07d", i), Resume{}); err != nil {
			b.Fatal(err)
		}
	}
	s.Tick()
	for i := range 50_000 {
		commit(b, s, &Latest{Topic: fmt.Sprint("t", i), Message: &Message{TTL: 3600}})
	}
	for i := range devices / 2 {
		commit(b, s, &Subscription{Ref: Ref(i + 1), Topic: "half", On: true})
	}
	puts := func() (ops []Op) {
		for i := range 10_000 {
			ops = append(ops, &Put{Device: fmt.Sprintf("device-%07d", i*17), Message: &Message{TTL: 3600}})
		}
		return ops
	}
	spread := func(topic string) func() {
		return func() { commit(b, s, &Spread{Topic: topic, Message: &Message{TTL: 3600}}) }
	}
	for _, row := range []struct {
		name string
		do   func()
	}{
		{"check", func() { s.Check() }},
		{"spread", spread("")},
		{"spread to a topic", spread("half")},
		{"puts", func() { commit(b, s, puts()...) }},
		{"topics", func() { s.Topics("", 100) }},
		{"sweep", func() { s.Tick() }},
	} {
		b.Run(row.name, func(b *testing.B) {
			var hold, small time.Duration
			for b.Loop() {
				done := make(chan struct{})
				go func() { defer close(done); row.do() }()
				var asking sync.WaitGroup
				asking.Go(func() { hold = max(hold, longest(done, func() { s.Current(1, 1) })) })
				asking.Go(func() {
					small = max(small, longest(done, func() { commit(b, s, &Subscription{Ref: 1, Topic: "x"}) }))
				})
				asking.Wait()
			}
			b.ReportMetric(hold.Seconds()*1000, "hold-ms")
			b.ReportMetric(small.Seconds()*1000, "commit-ms")
		})
	}
}

// longest asks until something is done and returns how long the longest answer took.
func longest(done chan struct{}, ask func()) (longest time.Duration) {
	for {
		began := time.Now()
		ask()
		longest = max(longest, time.Since(began))
		select {
		case <-done:
			return longest
		case <-time.After(50 * time.Microsecond): // others than those who ask need the processors
		}
	}
}
