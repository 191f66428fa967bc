package decay

import (
	"math"
	"math/bits"
	"slices"
)

// moments are those of one signal over the nodes, after the cut.
type moments struct {
	n        int
	lo, hi   float64 // quantiles that values are cut to; 0 and infinite without a cut
	mean, m2 float64 // m2 is the sum of squared distances from the mean
}

// Levels are finite and not negative, so that their bits, read as an integer,
// are in the same order as they are. Integers are bounded and counted without
// branches, which here would be mispredicted at every tenth node.
func bitsOf(v float64) int64   { return int64(math.Float64bits(v)) }
func fromBits(b int64) float64 { return math.Float64frombits(uint64(b)) }

// bound returns v within [lo, hi], given as bits.
func bound(v float64, lo, hi int64) float64 { return fromBits(min(max(bitsOf(v), lo), hi)) }

// isLess is 1 if a < b, both of them bits of a level.
func isLess(a, b int64) int { return int(uint64(a-b) >> 63) }

// quantiles finds the moments of one signal, step after step.
//
// The quantiles barely move from one step to the next. So one pass sums what
// lies between a band around the last lower one and a band around the last upper
// one, keeps the few values in the bands, and counts what lies beyond; the new
// quantile is then a rank within its band. If it is not, the bands are made wider,
// then laid anew by quickselect. The result never depends on the bands.
//
//	0 ─── from ══ lo ══ to ───────── sum ───────── from ══ hi ══ to ───
type quantiles struct {
	low, high band
	laid      bool
	all       []float64 // scratch of one value a node
}

// band is the values of [from, to) around a quantile.
type band struct {
	from, to float64
	width    float64   // half of it
	in       []float64 // scratch of one value a node
	n        int       // values in it
	under    int       // values smaller than from
}

// smallest is the number of nodes from which bands pay.
const smallest = 32

// take returns the moments of v. cutLow and cutHigh are in [0, 0.45]; negative
// is no cut. between is whether the quantiles lie between ranks: see places.
func (q *quantiles) take(v []float64, cutLow, cutHigh float64, between bool) moments {
	switch {
	case len(v) == 0:
		return moments{hi: math.Inf(1)}
	case cutLow < 0 && cutHigh < 0:
		return cut(v, 0, math.Inf(1))
	}
	low, high := places(len(v), cutLow, cutHigh, between)
	if len(v) >= smallest && cutLow >= 0 && cutHigh >= 0 {
		for try := 0; try < 2 && q.laid; try++ {
			if m, ok := q.pass(v, low, high); ok {
				return m
			}
			q.widen()
		}
	}
	all := q.all[:len(v)]
	copy(all, v)
	lo, hi := 0.0, math.Inf(1)
	if cutLow >= 0 {
		lo = low.in(all)
	}
	if cutHigh >= 0 {
		hi = high.in(all)
	}
	m := cut(v, lo, hi)
	q.low.width, q.high.width = 0, 0
	q.aim(m)
	return m
}

// place is where a quantile lies among sorted values.
type place struct {
	rank  int     // the value below it
	share float64 // of the way to the next one
}

// last is the rank of the last value that the quantile is made of.
func (p place) last() int {
	if p.share > 0 {
		return p.rank + 1
	}
	return p.rank
}

// places returns where the quantiles of both cuts lie among n values.
//
// The cut is to a value that a node has: (n-1) cutLow nodes lie beyond it, rounded
// up, so that of three nodes and more at least one is cut at either end. Linearly
// between ranks, as most spreadsheets do (type 7 of Hyndman and Fan), the largest
// of up to 20 values would have a part in the 95 % quantile that it is cut to: of
// 8 nodes one that goes bad would move the weights of all others by a quarter.
//
// So it lies only where between asks for it, and where no node lies between the
// cuts: of two nodes.
func places(n int, cutLow, cutHigh float64, between bool) (low, high place) {
	below, above := float64(n-1)*max(cutLow, 0), float64(n-1)*max(cutHigh, 0)
	const rounding = 1e-9 // 20 x 0.05 is one node, not two
	low.rank, high.rank = int(math.Ceil(below-rounding)), n-1-int(math.Ceil(above-rounding))
	if !between && low.rank <= high.rank {
		return low, high
	}
	return placeAt(n, below), placeAt(n, float64(n-1)-above)
}

// placeAt is the place h ranks above the smallest of n values.
func placeAt(n int, h float64) place {
	rank := max(min(int(h), n-2), 0)
	return place{rank, h - float64(rank)}
}

// in returns the quantile of v, which it reorders.
func (p place) in(v []float64) float64 {
	a := selectRank(v, p.rank)
	if p.share == 0 {
		return a
	}
	b := a
	if p.rank+1 < len(v) {
		b = v[p.rank+1]
		for _, x := range v[p.rank+2:] {
			if x < b {
				b = x
			}
		}
	}
	// Rounding must not lead out of [a, b].
	return min(max(a+p.share*(b-a), a), b)
}

// cut returns the moments of v cut to [lo, hi].
func cut(v []float64, lo, hi float64) moments {
	m := moments{n: len(v), lo: lo, hi: hi}
	zero := min(max(v[0], lo), hi)
	var sum, squares float64
	from, to := bitsOf(lo), bitsOf(hi)
	for _, x := range v {
		d := bound(x, from, to) - zero
		sum += d
		squares += d * d
	}
	m.finish(zero, sum, squares)
	return m
}

// finish turns sums of distances from zero into mean and m2.
func (m *moments) finish(zero, sum, squares float64) {
	mean := sum / float64(m.n)
	m.mean, m.m2 = zero+mean, max(squares-sum*mean, 0)
}

// pass takes the moments by the bands; ok is false if a quantile is not in its
// band.
func (q *quantiles) pass(v []float64, low, high place) (m moments, ok bool) {
	zero := q.low.to
	sum, squares, n := between(v, q.all, zero, q.high.from)
	outside := q.all[:n]
	over := q.sort(outside)
	q.high.under = len(v) - over - q.high.n
	if !q.low.holds(low) || !q.high.holds(high) {
		return m, false
	}
	m.n = len(v)
	m.lo = place{low.rank - q.low.under, low.share}.in(q.low.in[:q.low.n])
	m.hi = place{high.rank - q.high.under, high.share}.in(q.high.in[:q.high.n])
	s, sq := tail(outside, m.lo, m.hi, zero)
	m.finish(zero, sum+s, squares+sq)
	q.aim(m)
	return m, true
}

// between returns the sums of distances from lo of the values in [lo, hi). It
// copies the n others to outside.
func between(v, outside []float64, lo, hi float64) (sum, squares float64, n int) {
	from, size := math.Float64bits(lo), math.Float64bits(hi)-math.Float64bits(lo)
	for _, x := range v {
		_, in := bits.Sub64(math.Float64bits(x)-from, size, 0) // 1 inside, 0 outside
		outside[n] = x
		n += 1 - int(in)
		d := math.Float64frombits(math.Float64bits(x-lo) & -in) // 0 outside
		sum += d
		squares += d * d
	}
	return sum, squares, n
}

// sort puts the values outside into their bands, and returns the number of those
// above the upper one. There are no branches to mispredict.
func (q *quantiles) sort(outside []float64) (over int) {
	nLow, nHigh := 0, 0
	lowIn, highIn := q.low.in[:len(outside)], q.high.in[:len(outside)]
	lowFrom, lowSize := bitsOf(q.low.from), bitsOf(q.low.to)-bitsOf(q.low.from)
	highFrom, highTo := bitsOf(q.high.from), bitsOf(q.high.to)
	under := 0
	for _, x := range outside {
		b := bitsOf(x)
		lowIn[nLow], highIn[nHigh] = x, x
		below, fits := isLess(b, lowFrom), isLess(b-lowFrom, lowSize)
		under += below
		nLow += fits - below
		past := isLess(b, highTo) ^ 1
		over += past
		nHigh += isLess(b, highFrom) ^ 1 - past
	}
	q.low.n, q.low.under = nLow, under
	q.high.n = nHigh
	return over
}

// holds reports whether the values that a quantile is made of are in the band.
func (b *band) holds(p place) bool { return p.rank >= b.under && p.last() < b.under+b.n }

// tail sums distances from zero after the cut.
func tail(v []float64, lo, hi, zero float64) (sum, squares float64) {
	from, to := bitsOf(lo), bitsOf(hi)
	for _, x := range v {
		d := bound(x, from, to) - zero
		sum += d
		squares += d * d
	}
	return sum, squares
}

// inBand is the number of values that a band is meant to hold.
const inBand = 32

// aim lays the bands of the next step around m's quantiles, as wide as they must
// be to hold about inBand values. Bands that would meet, as they do where most
// nodes share one value, are not laid.
func (q *quantiles) aim(m moments) {
	sigma := math.Sqrt(m.m2 / float64(m.n))
	for _, b := range []*band{&q.low, &q.high} {
		if b.width == 0 {
			// Among n values of a normal distribution, near its 5 % quantile.
			b.width = sigma * inBand / (0.2 * float64(m.n))
		} else {
			b.width *= min(max(inBand/float64(max(b.n, 1)), 0.5), 2)
		}
	}
	q.low.around(m.lo)
	q.high.around(m.hi)
	q.laid = q.low.to < q.high.from && q.high.to < math.MaxFloat64
}

// widen makes the bands four times as wide.
func (q *quantiles) widen() {
	for _, b := range []*band{&q.low, &q.high} {
		middle := b.from + (b.to-b.from)/2
		b.width *= 4
		b.around(middle)
	}
	q.laid = q.low.to < q.high.from
}

func (b *band) around(quantile float64) {
	b.from = max(quantile-b.width, 0)
	b.to = math.Nextafter(quantile+b.width, math.Inf(1))
}

// selectRank returns the value of rank k of v, and leaves what is smaller or
// equal before it and what is larger or equal after it: quickselect by the median
// of three, with Lomuto's partition, which needs no branch that is mispredicted.
// Should the pivots be bad for long, it sorts.
func selectRank(v []float64, k int) float64 {
	lo, hi := 0, len(v) // v[lo:hi] is what k may be in
	for round := 0; hi-lo > 1; round++ {
		if round > 64 {
			slices.Sort(v[lo:hi])
			break
		}
		a, b, c := v[lo], v[lo+(hi-lo)/2], v[hi-1]
		pivot := bitsOf(max(min(a, b), min(max(a, b), c)))
		at := lo + partition(v[lo:hi], pivot)
		switch {
		case k < at:
			hi = at
		case at > lo:
			lo = at
		default: // the pivot is the smallest: leave out all that equal it
			lo += partition(v[lo:hi], pivot+1)
			if k < lo {
				return v[k]
			}
		}
	}
	return v[k]
}

// partition moves the values below pivot, given as bits, to the front and
// returns their number.
func partition(v []float64, pivot int64) (n int) {
	for i, x := range v {
		v[i] = v[n]
		v[n] = x
		n += isLess(bitsOf(x), pivot)
	}
	return n
}
