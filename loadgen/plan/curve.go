package plan

import (
	"math"
	"time"
)

// curve is a rate over time, made of pieces along which it is linear. Due time
// k is where the integral of the rate reaches k: it is computed, not added up,
// so nothing drifts. The zero curve has no due times.
type curve struct {
	pieces []piece
	last   int // piece of the due time that was asked for last
}

// piece is a part of a curve. Times are seconds, rates are a second.
type piece struct {
	start    float64
	from, to float64 // rates at its ends
	length   float64
	before   float64 // integral of the rate up to start
}

func (p *piece) area() float64 { return (p.from + p.to) / 2 * p.length }

// add appends a piece. Those that have no length are left out.
func (c *curve) add(length time.Duration, from, to float64) {
	if length <= 0 {
		return
	}
	p := piece{from: cleanRate(from), to: cleanRate(to), length: length.Seconds()}
	if n := len(c.pieces); n > 0 {
		prev := &c.pieces[n-1]
		p.start, p.before = prev.start+prev.length, prev.before+prev.area()
	}
	c.pieces = append(c.pieces, p)
}

// steps gives each rate an equal part of the length; without an end, the first
// has it all.
func steps(length time.Duration, rates ...float64) (c curve) {
	if length == forever {
		rates = rates[:min(len(rates), 1)]
	}
	n := time.Duration(len(rates))
	for i, r := range rates {
		i := time.Duration(i)
		part := length / n
		if i < length%n { // what does not divide goes to the first ones, 1 ns each
			part++
		}
		c.add(part, r, r)
	}
	return c
}

func line(length time.Duration, from, to float64) (c curve) {
	if length == forever {
		to = from
	}
	c.add(length, from, to)
	return c
}

func spike(length time.Duration, base, top float64, at, lasts time.Duration) (c curve) {
	at = min(max(at, 0), length)
	lasts = min(max(lasts, 0), length-at)
	c.add(at, base, base)
	c.add(lasts, top, top)
	c.add(length-at-lasts, base, base)
	return c
}

// at returns due time k, and whether the rate's integral gets there.
func (c *curve) at(k uint64) (time.Duration, bool) {
	x := float64(k) // exact below 2^53
	if c.last > 0 && x < c.pieces[c.last].before {
		c.last = 0
	}
	for ; c.last < len(c.pieces); c.last++ {
		p := &c.pieces[c.last]
		if y := x - p.before; y < p.area() {
			return nanoseconds((p.start + p.reach(max(y, 0))) * 1e9), true
		}
	}
	c.last = max(len(c.pieces)-1, 0)
	return 0, false
}

// reach returns how many seconds into the piece the integral reaches y, which
// is less than its area. The root of y = from*t + slope*t^2/2 is taken in the
// form that does not subtract near-equals.
func (p *piece) reach(y float64) float64 {
	if y == 0 {
		return 0
	}
	if p.from == p.to {
		return y / p.from
	}
	slope := (p.to - p.from) / p.length
	root := math.Sqrt(max(p.from*p.from+2*slope*y, 0))
	return min(2*y/(p.from+root), p.length)
}

func (c *curve) peak() (rate float64) {
	for _, p := range c.pieces {
		rate = max(rate, p.from, p.to)
	}
	return rate
}

// cleanRate is a rate that can be calculated with: due times are whole ns.
func cleanRate(r float64) float64 {
	if !(r > 0) { // NaN as well
		return 0
	}
	return min(r, 1e9)
}

// nanoseconds rounds to whole ns: cutting would let the event that is due at
// the end of a phase slip into it.
func nanoseconds(ns float64) time.Duration {
	if ns >= float64(forever) {
		return forever
	}
	return time.Duration(math.Round(ns))
}
