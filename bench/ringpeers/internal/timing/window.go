package timing

import (
	"math"
	"time"
)

// Length is how long a window should be.
const Length = 1800 * time.Microsecond

// Loop does an operation n times.
type Loop func(n int)

// Window is one timed loop.
type Window struct {
	Nanos float64 // per operation
	Kept  bool    // the thread was never off its core
}

// one times a loop of n operations on the calling thread.
func one(loop Loop, n int) Window {
	before := switches()
	began := time.Now()
	loop(n)
	took := time.Since(began)
	return Window{float64(took.Nanoseconds()) / float64(n), switches() == before}
}

// Ops returns how many operations fill a window, from short trials.
func Ops(loop Loop) int {
	for n := 16; ; n *= 2 {
		best := math.Inf(1)
		for range 3 {
			best = min(best, one(loop, n).Nanos)
		}
		if took := best * float64(n); took > float64(Length)/8 {
			return max(1, int(float64(Length)/best))
		}
		if n > 1<<30 {
			return n // a loop that takes no time
		}
	}
}

// Windows are those of one subject that were kept.
type Windows struct {
	Nanos []float64 `json:"ns"` // per operation
	Tried int       `json:"tried"`
}

// Take times windows of n operations on the calling thread until want are kept
// or most were tried. One before them brings the subject's memory into the
// caches and is not counted.
func Take(loop Loop, n, want, most int) (w Windows) {
	loop(n)
	for w.Tried < most && len(w.Nanos) < want {
		w.Tried++
		if one := one(loop, n); one.Kept {
			w.Nanos = append(w.Nanos, one.Nanos)
		}
	}
	return w
}
