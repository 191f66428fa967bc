package poller

import "math/bits"

const (
	minClass = 9  // 512 B
	maxClass = 24 // 16 MiB

	// keepBytes is what a class keeps for reuse; beyond it, and above 64 KiB
	// apiece, buffers go to the garbage collector, so that a burst leaves
	// little behind.
	keepBytes   = 64 << 10
	keepLargest = 16 // class of 64 KiB

	// keepEntries is how long the loop's lists may be and yet be kept when they
	// are empty.
	keepEntries = 64

	// keepQueues is how many empty output queues, of up to 2.5 KB, are kept.
	keepQueues = 8
)

// Buffers lends byte slices of power-of-two capacity for what a connection
// holds for a while: input cut in the middle of a message, output that the
// socket did not take. It belongs to one loop and is not safe for concurrent
// use.
//
// What was not needed for a second is given to the garbage collector, by trim:
// a burst leaves nothing behind.
type Buffers struct {
	free [maxClass + 1][][]byte
	low  [maxClass + 1]int // fewest of free since the last trim
	kept int               // slices in free
	lent int
}

// class returns the exponent of the smallest capacity that holds n bytes.
func class(n int) int { return max(minClass, bits.Len(uint(max(n, 1)-1))) }

// Get returns an empty slice with room for at least n bytes.
func (p *Buffers) Get(n int) []byte {
	p.lent++
	c := class(n)
	if c > maxClass {
		return make([]byte, 0, n)
	}
	if k := len(p.free[c]); k > 0 {
		b := p.free[c][k-1]
		p.free[c][k-1] = nil
		p.free[c] = p.free[c][:k-1]
		p.low[c] = min(p.low[c], k-1)
		p.kept--
		return b[:0]
	}
	return make([]byte, 0, 1<<c)
}

// Put takes back a slice that came from Get, which must not be used afterwards.
func (p *Buffers) Put(b []byte) {
	p.lent--
	c := class(cap(b))
	if c > keepLargest || cap(b) != 1<<c || (len(p.free[c])+1)<<c > keepBytes {
		return
	}
	p.free[c] = append(p.free[c], b[:0])
	p.kept++
}

// trim drops the slices that nobody has asked for since the last trim.
func (p *Buffers) trim() {
	for c := range p.free {
		n := len(p.free[c]) - p.low[c]
		clear(p.free[c][n:])
		p.free[c] = p.free[c][:n]
		p.kept -= p.low[c]
		if p.low[c] = n; n == 0 {
			p.free[c] = nil
		}
	}
}

// Lent returns the number of slices that were lent and not given back: 0 when
// every connection is at rest.
func (p *Buffers) Lent() int { return p.lent }
