package window

import "sync/atomic"

// MaxValue is the largest value that a Meter takes, and where the sum of one
// epoch stops: 2^40 - 1. As microseconds that is 12 days of summed latency in one
// epoch, as bytes 1.1 TB.
const MaxValue = 1<<valueBits - 1

const valueBits = 40

// Meter keeps count, sum and maximum of values by epoch. The unit of a value is
// the caller's: bytes, microseconds. The zero value is ready; it must not be
// copied. Any number of goroutines may use it at once. 768 bytes.
//
// Each of the three is exact at rest, over the same set of records. In flight a
// record is counted first, then summed, then compared with the maximum, and a
// reader looks the other way round. It therefore sees the count of every record
// whose value it sees, and may see counts without their values: of the records
// in flight and of those that come while it reads the epoch. So a mean may read
// low by these few and never reads high, until a sum reaches MaxValue.
type Meter struct {
	slots [Ring]meterSlot
}

// meterSlot is one epoch's words. The count has the whole lap and decides for
// all three whether a record is in time; sum and max carry the lower bits of the
// lap and 40 bits of value:
//
//	count = lap (32 bits) | open (1 bit) | count (31 bits)
//	sum   = lap (24 bits) | sum (40 bits)
//	max   = lap (24 bits) | max (40 bits)
type meterSlot struct {
	count, sum, max atomic.Uint64
}

// 24 bits of lap come again after 310 days of 50 ms epochs. Two words that show
// different laps are therefore never asked which is the later one: the count is.
// Each writer turns the count over before it touches sum or max, so
//
//	look at the sum: another lap than mine
//	look at the count: still my lap
//
// means that at the first look no later writer had come to the sum, and what it
// showed was an older lap. If one comes after, the compare-and-swap fails.
// If the count shows a later lap, mine is over, with my count in it.
//
// What remains: a slot that nobody has used for exactly a multiple of 310 days,
// to the lap of 1.6 s, adds to the sum of then.

// valueLap returns the lower bits of a lap where sum and max keep them.
func valueLap(lap uint64) uint64 { return lap >> 32 << valueBits }

// Observe records one value at epoch e; a value above MaxValue is taken as
// MaxValue. It reports false if it came too late, as Counter.Inc does: it is then
// in none of the three. A goroutine that is held up within Observe for so long
// that its slot turns over has its record dropped with the old lap, whole.
func (m *Meter) Observe(e Epoch, v uint64) bool {
	return m.Merge(e, 1, v, v)
}

// Merge records n values at once, by their sum and maximum, as if each had been
// observed. Nothing is recorded if n is 0. Sum and maximum above MaxValue are
// taken as MaxValue.
func (m *Meter) Merge(e Epoch, n uint32, sum, max uint64) bool {
	if n == 0 {
		return true
	}
	s, lap := &m.slots[uint64(e)%Ring], lapOf(e)
	if !record(&s.count, lap, uint64(n)) {
		return false
	}
	s.addSum(lap, min(sum, MaxValue))
	s.raiseMax(lap, min(max, MaxValue))
	return true
}

// addSum adds v to the sum of lap, unless lap is over.
func (s *meterSlot) addSum(lap, v uint64) {
	for {
		old := s.sum.Load()
		next := valueLap(lap) | v
		if (old^valueLap(lap))>>valueBits == 0 {
			next = valueLap(lap) | min(old&MaxValue+v, MaxValue)
		} else if !in(s.count.Load(), lap) {
			return
		}
		if s.sum.CompareAndSwap(old, next) {
			return
		}
	}
}

// raiseMax makes v the maximum of lap if it is larger, unless lap is over.
func (s *meterSlot) raiseMax(lap, v uint64) {
	for {
		old := s.max.Load()
		if (old^valueLap(lap))>>valueBits == 0 {
			if old&MaxValue >= v {
				return
			}
		} else if !in(s.count.Load(), lap) {
			return
		}
		if s.max.CompareAndSwap(old, valueLap(lap)|v) {
			return
		}
	}
}

// stats returns what slot e holds for e. The order of the loads is the promise at
// Meter.
func (m *Meter) stats(e Epoch) Stats {
	s, lap := &m.slots[uint64(e)%Ring], lapOf(e)
	highest, sum := valueIn(&s.max, lap), valueIn(&s.sum, lap)
	n := countIn(&s.count, lap)
	if n == 0 {
		return Stats{}
	}
	return Stats{Count: n, Sum: sum, Max: highest}
}

// valueIn returns the value of lap in w, 0 if w shows another lap.
func valueIn(w *atomic.Uint64, lap uint64) uint64 {
	v := w.Load()
	if (v^valueLap(lap))>>valueBits != 0 {
		return 0
	}
	return v & MaxValue
}
