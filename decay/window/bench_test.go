package window

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// perEpoch is how many records the benchmarks make before the epoch changes: at
// 3 ns a record 50 ms would hold 16 million, and every word would stay warm; this
// is the 60,000 of a loop at 1.2 million records a second.
const perEpoch = 60000

// epochs calls f for n records, with their epochs.
func epochs(n int, f func(e Epoch, n int)) {
	for e := Epoch(0); n > 0; e++ {
		f(e, min(n, perEpoch))
		n -= perEpoch
	}
}

// BenchmarkRecord is one record, the changes of epoch included; the clock is not
// read. floor is an atomic addition alone, below which no shared count goes: compare
// the others with it, not with numbers of another machine.
func BenchmarkRecord(b *testing.B) { benchmarkRecord(b, 1) }

// BenchmarkRecordTwo is one record on each of two threads at once: ns/op is what
// each of them needs.
func BenchmarkRecordTwo(b *testing.B) { benchmarkRecord(b, 2) }

func benchmarkRecord(b *testing.B, threads int) {
	// f makes what one thread does, out of what all have.
	run := func(name string, make func() (f func(thread int) func(e Epoch, n int))) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			f := make()
			var wg sync.WaitGroup
			b.ResetTimer()
			for thread := range threads {
				wg.Go(func() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					epochs(b.N, f(thread))
				})
			}
			wg.Wait()
		})
	}
	run("floor", func() func(int) func(Epoch, int) {
		words := new([2][16]atomic.Uint64)
		return func(thread int) func(Epoch, int) { return addAlone(&words[thread][0]) }
	})
	run("sharded", func() func(int) func(Epoch, int) {
		c := NewCounters(threads)
		return func(thread int) func(Epoch, int) { return incAlone(c.Shard(thread)) }
	})
	run("batch", func() func(int) func(Epoch, int) {
		c := NewCounters(threads)
		return func(thread int) func(Epoch, int) {
			batch := NewBatch(c.Shard(thread), 0)
			return func(e Epoch, n int) {
				for range n {
					batch.Inc(e)
				}
			}
		}
	})
	run("meter", func() func(int) func(Epoch, int) {
		m := NewMeters(threads)
		return func(thread int) func(Epoch, int) {
			meter := m.Shard(thread)
			return func(e Epoch, n int) {
				for i := range n {
					meter.Observe(e, uint64(i&1023))
				}
			}
		}
	})
	run("meter-batch", func() func(int) func(Epoch, int) {
		m := NewMeters(threads)
		return func(thread int) func(Epoch, int) {
			batch := NewMeterBatch(m.Shard(thread), 0)
			return func(e Epoch, n int) {
				for i := range n {
					batch.Observe(e, uint64(i&1023))
				}
			}
		}
	})
	run("and-clock", func() func(int) func(Epoch, int) {
		c, clock := NewCounters(threads), NewClock(Span{})
		return func(thread int) func(Epoch, int) {
			shard := c.Shard(thread)
			return func(_ Epoch, n int) {
				for range n {
					shard.Inc(clock.NowEpoch())
				}
			}
		}
	})
	if threads > 1 {
		run("shared", func() func(int) func(Epoch, int) {
			c := new(Counter)
			return func(int) func(Epoch, int) { return incAlone(c) }
		})
	}
}

func addAlone(word *atomic.Uint64) func(Epoch, int) {
	return func(_ Epoch, n int) {
		for range n {
			word.Add(1)
		}
	}
}

func incAlone(c *Counter) func(Epoch, int) {
	return func(e Epoch, n int) {
		for range n {
			c.Inc(e)
		}
	}
}

var sink float64

// BenchmarkRead is one reading of the default window.
func BenchmarkRead(b *testing.B) {
	fill := func(c *Counter) {
		for e := Epoch(0); e < Ring; e++ {
			c.Add(e+100, 17)
		}
	}
	const now = 131*DefaultWidth + 20*time.Millisecond
	b.Run("sum/shards=1", func(b *testing.B) {
		var c Counter
		fill(&c)
		b.ReportAllocs()
		for b.Loop() {
			sink = float64(c.Sum(131, DefaultSlots))
		}
	})
	two := NewCounters(2)
	fill(two.Shard(0))
	fill(two.Shard(1))
	b.Run("sum/shards=2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink = float64(two.Sum(131, DefaultSlots))
		}
	})
	b.Run("rate/shards=2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink = Span{}.Rate(two, now)
		}
	})
	b.Run("decay/shards=2", func(b *testing.B) {
		d, err := NewDecay(Span{}, 1)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			sink = d.Sum(two, now)
		}
	})
	b.Run("stats/shards=2", func(b *testing.B) {
		m := NewMeters(2)
		for e := Epoch(0); e < Ring; e++ {
			m.Shard(0).Observe(e+100, 5)
			m.Shard(1).Observe(e+100, 6)
		}
		b.ReportAllocs()
		for b.Loop() {
			sink = float64(m.Stats(131, DefaultSlots).Sum)
		}
	})
}
