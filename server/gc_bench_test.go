package server

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"

	"roost/poller"
	"roost/server/inbox"
	"roost/server/session"
)

// BenchmarkCollect charges one garbage collection with the user-space state of
// that many idle devices in memory: registry, connection state, and records of
// the size of the reactor's, on two loops. Sockets are left out: the kernel's
// are not Go memory, and no device has a Go object of its own.
func BenchmarkCollect(b *testing.B) {
	for _, n := range []int{15_000, 1_000_000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			before := heapBytes()
			store, registry := inbox.NewMemory(inbox.Limits{}, nil), session.NewRegistry()
			var states [2]poller.Slab[connState]
			var records [2]poller.Slab[[8]uint32] // poller.conn and its timer node
			for i := range n {
				loop, slot := i%2, uint32(i/2)
				id := fmt.Appendf(nil, "device-%07d", i)
				known, err := store.Open(id, inbox.Resume{})
				if err != nil {
					b.Fatal(err)
				}
				registry.Register(uint32(known.Ref), 0, uint64(i+1), uint64(i+1), known.Fence)
				states[loop].At(slot).peer.Ref = known.Ref
				records[loop].At(slot)[0] = 1
			}
			runtime.GC()
			heap := heapBytes() - before
			mark := markSeconds()
			b.ResetTimer()
			for b.Loop() {
				runtime.GC()
			}
			b.ReportMetric(float64(heap)/float64(n), "heapB/device")
			b.ReportMetric((markSeconds()-mark)/float64(b.N)*1e3, "mark-cpu-ms/gc")
			runtime.KeepAlive(store)
			runtime.KeepAlive(registry)
			runtime.KeepAlive(&states)
			runtime.KeepAlive(&records)
		})
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// markSeconds is the CPU time that marking has taken so far.
func markSeconds() float64 {
	samples := []metrics.Sample{{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"}}
	metrics.Read(samples)
	sum := 0.0
	for _, s := range samples {
		sum += s.Value.Float64()
	}
	return sum
}
