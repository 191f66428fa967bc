package window

import "sync/atomic"

// Ring is the number of epochs that a ring holds.
const Ring = 1 << ringBits

const ringBits = 5

// MaxCount is where the count of one epoch stops: 2^30, 21 billion a second with
// epochs of 50 ms. It stays there rather than run into the lap. Up to it counts
// are exact; at it they are a lower bound.
const MaxCount = 1 << 30

// maxQuick is the first n that does not take the quick way. A word has room for
// 2^30 above MaxCount, so 2^18 goroutines may stand at the same instant between
// their addition and the look at what it did before the lap is in danger.
const maxQuick = 1 << 12

// A word is
//
//	lap (32 bits) | open (1 bit) | count (31 bits)
//
// and goes from lap to later lap, never back. A word of zero is not open: it has
// no lap yet, so that any time may be the first, times before the origin too.
//
//	          add                  add
//	        ,-----.              ,-----.
//	zero -> | lap L | -- turn -> | lap M | -- turn -> ...      L < M
//	        `-------'            `-------'
//	                 a record for L that comes now is refused
//
// All changes but one are a compare-and-swap of the whole word: if it succeeds,
// nothing has happened since the look. The one is the quick addition, which adds
// to a word it has not looked at, and learns from what comes back where its
// addition went. It is the usual case, and the cheapest atomic step there is: no
// load before it, no second try after it.
//
//	what comes back    what it means            what is done
//	my lap             recorded                 nothing
//	an older lap, or   the first of my lap      turn: the old count is dropped,
//	none                                        with n in it
//	a later lap        late                     take back n
//	over MaxCount      full                     take back n, stop at MaxCount
//
// A reader may see n in a later lap before it is taken back.
//
// Taking back must not be a plain subtraction, because a goroutine may sleep for
// a whole lap before it gets to it:
//
//	G1 (for lap 1)                the word         G2, G3 (for laps 2, 3)
//	                              2|1              turn to lap 2
//	add n: lap 2 comes back       2|1+n
//	   (sleeps)                   3|1              turn to lap 3 drops n with lap 2
//	subtract n                    2|2^32+1-n       a borrow: the lap itself is hurt
//
// so takeBack subtracts only while the word still shows the lap that was hit. If
// that lap is over it has taken n with it.

const (
	open      = 1 << 31
	countMask = open - 1
	lapOne    = 1 << 32
)

// lapOf returns the lap of e, where a word keeps it, open.
func lapOf(e Epoch) uint64 { return uint64(e)>>ringBits<<32 | open }

// in reports whether word v shows lap.
func in(v, lap uint64) bool { return v^lap < open }

// later reports whether word v shows a later lap than the given one. Laps are
// numbers modulo 2^32, less than 2^31 apart.
func later(v, lap uint64) bool { return v&open != 0 && int32(v>>32-lap>>32) > 0 }

// record adds n to the count of lap in w, and reports false if a later lap has
// begun.
func record(w *atomic.Uint64, lap, n uint64) bool {
	if n < maxQuick {
		v := w.Add(n)
		return v^lap <= MaxCount || settle(w, v, lap, n)
	}
	return recordSlowly(w, lap, n)
}

// settle ends a quick addition of n for lap that made the word v, which is not
// what was hoped for.
func settle(w *atomic.Uint64, v, lap, n uint64) bool {
	if in(v, lap) || later(v, lap) {
		takeBack(w, v, n)
	}
	// An older lap keeps its n: the turn drops both.
	return recordSlowly(w, lap, n)
}

// takeBack undoes an addition of n that made the word v, unless the lap it went
// to is over.
func takeBack(w *atomic.Uint64, v, n uint64) {
	for !w.CompareAndSwap(v, v-n) {
		now := w.Load()
		if !in(now, v&^countMask) {
			return
		}
		v = now
	}
}

// recordSlowly is record by compare-and-swap alone: it turns the word over, and
// stops at MaxCount.
func recordSlowly(w *atomic.Uint64, lap, n uint64) bool {
	for {
		v := w.Load()
		if later(v, lap) {
			return false
		}
		next := lap | min(n, MaxCount)
		if in(v, lap) {
			count := v & countMask
			next = lap | max(count, min(count+n, MaxCount))
		}
		if w.CompareAndSwap(v, next) {
			return true
		}
	}
}

// countIn returns the count of lap in w, 0 if w shows another lap.
func countIn(w *atomic.Uint64, lap uint64) uint64 {
	if v := w.Load(); in(v, lap) {
		return v & countMask
	}
	return 0
}
