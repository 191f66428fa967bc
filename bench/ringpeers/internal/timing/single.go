package timing

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Single is one run of something that takes longer than a window may.
type Single struct {
	CPU  float64 `json:"cpu_ns"`  // what the thread has run: the figure to compare
	Wall float64 `json:"wall_ns"` // what passed meanwhile, with other work on the core
	Kept bool    `json:"kept"`    // the thread was never off its core, so both are the same
}

// Once times f on the calling thread.
func Once(f func()) Single {
	before, cpu, began := switches(), cpuTime(), time.Now()
	f()
	took, used := time.Since(began), cpuTime()-cpu
	return Single{float64(used), float64(took.Nanoseconds()), switches() == before}
}

// WithoutGC runs f while the collector sleeps: what f makes stays until it is
// done, and no collector's work is in its time. That favours what allocates much.
func WithoutGC(f func()) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	f()
}

// Allocated returns how many bytes and objects f allocates.
func Allocated(f func()) (bytes, objects uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// Retained returns what build returns and how many bytes of heap stay for it.
func Retained[T any](build func() T) (made T, bytes uint64) {
	before := heap()
	made = build()
	after := heap()
	if after < before {
		return made, 0
	}
	return made, after - before
}

// heap returns the live heap after collections: two, so that what finalizers
// and pools hold back is gone too.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
