package presence

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"roost/server/testredis"
)

// benchStages are the stores that cost something: memory for the code's part, Redis
// on loopback.
func benchStages(b *testing.B, f func(b *testing.B, s *stage)) {
	b.Run("memory", func(b *testing.B) { f(b, memoryStage()) })
	b.Run("redis", func(b *testing.B) {
		srv := testredis.Start(b)
		f(b, redisStage(b, "redis", "redis://"+srv.Addr(), nil))
	})
}

// BenchmarkClaim is claims of 64 devices that connect at the same time, each waiting
// for its own.
func BenchmarkClaim(b *testing.B) {
	benchStages(b, func(b *testing.B, s *stage) {
		var n atomic.Int64
		b.SetParallelism(64 / runtime.GOMAXPROCS(0))
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				if _, err := s.Claim(context.Background(), n1, "device-"+strconv.FormatInt(i%100_000, 10), 1, i, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkRefresh is refreshes in batches of 512; an operation is one device.
func BenchmarkRefresh(b *testing.B) {
	benchStages(b, func(b *testing.B, s *stage) {
		batch := make([]Refresh, 512)
		for i := range batch {
			batch[i] = Refresh{Device: "device-" + strconv.Itoa(i), Fence: claim(b, s, n1, "device-"+strconv.Itoa(i), 1).Fence}
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := 0; i < b.N; i += len(batch) {
			for j := range batch {
				batch[j].Inbound = int64(i)
			}
			got, err := s.Refresh(context.Background(), n1, batch)
			if err != nil || got[0].Outcome != Applied {
				b.Fatal(got[0], err)
			}
		}
	})
}

// BenchmarkSweep is a dead node's devices; an operation is one device.
func BenchmarkSweep(b *testing.B) {
	benchStages(b, func(b *testing.B, s *stage) {
		const chunk = 1000
		for done := 0; done < b.N; done += chunk {
			b.StopTimer()
			var batch []Assertion
			for i := range chunk {
				batch = append(batch, Assertion{Device: fmt.Sprint("device-", i), Connected: int64(done + 1), Fence: uint32(done + 1), Provisional: true})
			}
			var devices []string
			for _, a := range batch {
				devices = append(devices, a.Device)
			}
			must(b, s.Index(context.Background(), n1, devices))
			if _, err := s.Assert(context.Background(), n1, batch); err != nil {
				b.Fatal(err)
			}
			s.Dead(context.Background(), n1, 1)
			s.SweepTake(context.Background(), n1, "b", time.Minute)
			b.StartTimer()
			for {
				found, err := s.Sweep(context.Background(), n1, int64(done+2), 512)
				if err != nil {
					b.Fatal(err)
				}
				if len(found) == 0 {
					break
				}
			}
		}
	})
}

// BenchmarkTouch is a frame's part in presence.
func BenchmarkTouch(b *testing.B) {
	k := tableOf(b, 100_000)
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		k.Touch("device-000077777", 1, now)
	}
}

// BenchmarkTable reports bytes per device of a keeper's table.
func BenchmarkTable(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		k := tableOf(b, n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/device")
		runtime.KeepAlive(k)
	}
}

// tableOf returns a keeper with n devices, of which the store knows nothing.
func tableOf(b *testing.B, n int) *Keeper {
	b.Helper()
	k, err := New(Options{Self: n1, Store: NewMemory(0, nil)})
	must(b, err)
	for i := range n {
		a := &Arrival{Device: fmt.Sprintf("device-%09d", i), SID: 1, Now: 1, k: k}
		a.Adopt(Claim{Fence: 1})
	}
	return k
}

// BenchmarkRedisMemory reports what a device costs in Redis: the record while it is
// held and after it has left, its place in the index, and all of that as Redis counts
// its whole memory, keys and expiry included.
func BenchmarkRedisMemory(b *testing.B) {
	srv := testredis.Start(b)
	s := redisStage(b, "redis", "redis://"+srv.Addr(), nil)
	usage := func(key string) float64 {
		n, err := strconv.ParseFloat(srv.Text("MEMORY", "USAGE", key, "SAMPLES", "0"), 64)
		must(b, err)
		return n
	}
	total := func() float64 {
		n, _ := s.Store.(*Redis).one(context.Background(), func(l *link) rueidis.Completed {
			return l.client.B().Arbitrary("MEMORY", "STATS").Build()
		})
		m, err := n.AsMap()
		must(b, err)
		used := m["total.allocated"]
		v, err := used.AsInt64()
		must(b, err)
		return float64(v)
	}
	const n = 100_000
	for b.Loop() {
		srv.Text("FLUSHALL")
		empty := total()
		var devices []string
		for i := 0; i < n; i += MaxBatch {
			devices = devices[:0]
			var batch []Assertion
			for j := i; j < min(i+MaxBatch, n); j++ {
				d := fmt.Sprintf("device-%09d", j)
				devices = append(devices, d)
				batch = append(batch, Assertion{Device: d, SID: 1<<62 + uint64(j), Connected: 1_800_000_000_000, Inbound: 1_800_000_100_000, Fence: 9})
			}
			must(b, s.Index(context.Background(), n1, devices))
			if _, err := s.Assert(context.Background(), n1, batch); err != nil {
				b.Fatal(err)
			}
		}
		held := total()
		b.ReportMetric(usage(Key("device-000000001")), "B/held")
		b.ReportMetric(usage(IndexKey(n1))/n, "B/index")
		b.ReportMetric((held-empty)/n, "B/all")
		for i := 0; i < n; i += MaxBatch {
			devices = devices[:0]
			var batch []Release
			for j := i; j < min(i+MaxBatch, n); j++ {
				d := fmt.Sprintf("device-%09d", j)
				devices = append(devices, d)
				batch = append(batch, Release{Device: d, Fence: 9, At: 1_800_000_200_000, Reason: 4103})
			}
			if _, err := s.Release(context.Background(), n1, batch); err != nil {
				b.Fatal(err)
			}
			must(b, s.Unindex(context.Background(), n1, devices))
		}
		b.ReportMetric(usage(Key("device-000000001")), "B/left")
		b.ReportMetric((total()-empty)/n, "B/all-left")
	}
}
