package window

import "sync/atomic"

// Counter counts records by epoch. The zero value is ready; it must not be
// copied. Any number of goroutines may use it at once. 256 bytes.
type Counter struct {
	words [Ring]atomic.Uint64
}

// Inc counts one record at epoch e. It reports false if it came too late: a lap
// of the ring, 32 epochs or a multiple of it, after e has already records in e's
// word. The record is then counted nowhere.
func (c *Counter) Inc(e Epoch) bool {
	w, lap := &c.words[uint64(e)%Ring], lapOf(e)
	v := w.Add(1) // record, by hand: it is too long to be inlined
	return v^lap <= MaxCount || settle(w, v, lap, 1)
}

// Add counts n records at epoch e, as n calls of Inc would, in one step. The
// count of one epoch stops at [MaxCount].
func (c *Counter) Add(e Epoch, n uint32) bool {
	if n == 0 {
		return true
	}
	return record(&c.words[uint64(e)%Ring], lapOf(e), uint64(n))
}

// At returns the count of epoch e, 0 if the ring no longer holds it.
func (c *Counter) At(e Epoch) uint64 {
	return countIn(&c.words[uint64(e)%Ring], lapOf(e))
}

// Sum returns the count of the epochs up to and with e, slots of them (0 to 32;
// more are taken as 32, fewer as 0). It is one look at each word, not at all of
// them at one instant.
func (c *Counter) Sum(e Epoch, slots int) uint64 {
	p := piecesOf(e, slots)
	return p.sum(c)
}

// pieces are the words of some epochs in a row: those of the lap of the last one,
// and before them those of the lap before.
type pieces struct {
	from, to int // words of lap
	before   int // and from here to the end, of the lap before
	lap      uint64
}

// piecesOf returns the words of slots epochs, the last of which is e.
func piecesOf(e Epoch, slots int) pieces {
	slots = min(max(slots, 0), Ring)
	to := int(uint64(e)%Ring) + 1
	return pieces{from: max(to-slots, 0), to: to, before: min(Ring+to-slots, Ring), lap: lapOf(e)}
}

// sum returns what c holds of the pieces.
func (p *pieces) sum(c *Counter) uint64 {
	sum := sumOf(c.words[p.from:p.to], p.lap)
	if p.before < Ring {
		sum += sumOf(c.words[p.before:], p.lap-lapOne)
	}
	return sum
}

// sumOf returns the counts of lap in words. It looks at four words together: as
// a rule all show lap, and one branch in place of four makes it 1.6 times as fast.
func sumOf(words []atomic.Uint64, lap uint64) (sum uint64) {
	for ; len(words) >= 4; words = words[4:] {
		a, b := words[0].Load()^lap, words[1].Load()^lap
		c, d := words[2].Load()^lap, words[3].Load()^lap
		if a|b|c|d < open {
			sum += a + b + c + d
			continue
		}
		sum += ofLap(a) + ofLap(b) + ofLap(c) + ofLap(d)
	}
	for i := range words {
		sum += ofLap(words[i].Load() ^ lap)
	}
	return sum
}

// ofLap returns the count of a word from which lap has been taken by exclusive
// or, 0 if it shows another lap.
func ofLap(x uint64) uint64 {
	if x < open {
		return x
	}
	return 0
}
