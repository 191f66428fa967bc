package window

import (
	"math"
	"sync"
	"time"
)

// twin is the slow twin of Counter and Meter: a lock, and a list of all that was
// ever recorded. It knows the ring only in that a record refuses and hides what
// lies a multiple of 32 epochs before it.
type twin struct {
	mu   sync.Mutex
	seen []twinRecord
}

type twinRecord struct {
	epoch Epoch
	n     uint64
	sum   uint64
	max   uint64
}

// overtaken reports whether a later lap of e's word has a record.
func (w *twin) overtaken(e Epoch) bool {
	for _, r := range w.seen {
		if r.epoch > e && (r.epoch-e)%Ring == 0 {
			return true
		}
	}
	return false
}

func (w *twin) record(r twinRecord) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.n == 0 {
		return true
	}
	if w.overtaken(r.epoch) {
		return false
	}
	w.seen = append(w.seen, r)
	return true
}

// stats returns what was recorded in the epochs of [from, to].
func (w *twin) stats(from, to Epoch) (s Stats) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.seen {
		if r.epoch >= from && r.epoch <= to && !w.overtaken(r.epoch) {
			s.add(Stats{Count: r.n, Sum: r.sum, Max: r.max})
		}
	}
	return s
}

// alike reports whether the records have laps that differ and look alike in the 24
// bits that sums and maxima keep, which Meter does not tell apart.
func (w *twin) alike() bool {
	for _, a := range w.seen {
		for _, b := range w.seen {
			if a.epoch != b.epoch && (a.epoch-b.epoch)%(Ring<<24) == 0 {
				return true
			}
		}
	}
	return false
}

// rate is Span.Rate by its definition.
func (w *twin) rate(s Span, t time.Duration) float64 {
	e := Epoch(math.Floor(float64(t) / float64(s.Width())))
	p := float64(t)/float64(s.Width()) - float64(e)
	n := Epoch(s.Slots())
	sum := float64(w.stats(e-n+1, e).Count) + (1-p)*float64(w.stats(e-n, e-n).Count)
	return sum / (float64(n) * s.Width().Seconds())
}

// decayed is Decay.Sum by its definition: the records of an epoch lie evenly in it
// (of the present one, in the part that has passed), and count e^(-lambda x age) if
// they are younger than the window.
func (w *twin) decayed(s Span, lambda float64, t time.Duration) (sum float64) {
	const parts = 300
	width := s.Width().Seconds()
	e := s.Epoch(t)
	for a := Epoch(0); a <= Epoch(s.Slots()); a++ {
		n := float64(w.stats(e-a, e-a).Count)
		if n == 0 {
			continue
		}
		// The epoch lies from oldest to newest seconds ago, and counts from cut on.
		oldest := (t - time.Duration(e-a)*s.Width()).Seconds()
		newest := max(oldest-width, 0)
		cut := min(oldest, width*float64(s.Slots()))
		share := 1.0
		if oldest > newest {
			share = (cut - newest) / (oldest - newest)
		}
		for i := range parts {
			age := newest + (cut-newest)*(float64(i)+0.5)/parts
			sum += share * n / parts * math.Exp(-lambda*age)
		}
	}
	return sum
}
