package swarm

import (
	"cmp"
	"slices"
)

// lossKind is how a delivery was lost.
type lossKind uint8

const (
	missing lossKind = iota // while the subscriber was connected
	gap                     // while it was not
	lossKinds
)

// lossAt is a message that some subscribers of a group lack.
type lossAt struct {
	place
	kind lossKind
	seq  uint32
}

// hole is a message that one subscriber lacks.
type hole struct {
	subject
	seq uint32
}

// lossRange are messages lo to hi-1, that one subscriber lacks.
type lossRange struct {
	subject
	kind   lossKind
	lo, hi uint32
}

// ledger keeps what did not come until it is known what was refused, and takes
// back what comes after all. Subscribers of a stream lack the same messages as a
// rule, those that were refused, so messages are counted. Who lacks them is
// kept as well, as far as there is room: without it one that comes twice, more
// than a window late, cannot be told from one that comes late to another
// subscriber. All is bounded: what finds no room is a loss at once, refused or
// not.
type ledger struct {
	single  map[lossAt]uint32 // how many lack it
	holes   map[hole]struct{} // of kind missing, in single
	crowded bool              // holes are not all there
	ranges  []lossRange
	full    [lossKinds]map[uint8]uint64 // by group
}

// Bounds of a ledger: 70 MB at the worst, which only a server reaches that loses
// a million different messages.
const (
	maxSingle = 1 << 20
	maxHoles  = 1 << 18
	maxRanges = 1 << 20
	// shortRange is what is noted as single messages. Losses of many
	// subscribers then are in the same places.
	shortRange = 16
)

// add notes that a subscriber lacks message seq.
func (l *ledger) add(s subject, k lossKind, seq uint32) {
	key := lossAt{s.place, k, seq}
	have, known := l.single[key]
	if !known && len(l.single) >= maxSingle {
		l.overflow(s.group, k, 1)
		return
	}
	if l.single == nil {
		l.single, l.holes = map[lossAt]uint32{}, map[hole]struct{}{}
	}
	l.single[key] = have + 1
	switch {
	case k != missing:
	case len(l.holes) >= maxHoles:
		l.crowded = true
	default:
		l.holes[hole{s, seq}] = struct{}{}
	}
}

// addRange notes that a subscriber lacks messages lo to hi-1.
func (l *ledger) addRange(s subject, k lossKind, lo, hi uint32) {
	switch {
	case lo >= hi:
	case hi-lo <= shortRange:
		for seq := lo; seq < hi; seq++ {
			l.add(s, k, seq)
		}
	case len(l.ranges) >= maxRanges:
		l.overflow(s.group, k, uint64(hi-lo))
	default:
		l.ranges = append(l.ranges, lossRange{s, k, lo, hi})
	}
}

func (l *ledger) overflow(group uint8, k lossKind, n uint64) {
	if l.full[k] == nil {
		l.full[k] = map[uint8]uint64{}
	}
	l.full[k][group] += n
}

// fill takes back that a subscriber lacks a message that has come after all. It
// reports false if it did not lack it.
func (l *ledger) fill(s subject, seq uint32) bool {
	key := lossAt{s.place, missing, seq}
	n := l.single[key]
	_, lacks := l.holes[hole{s, seq}]
	if n > 0 && (lacks || l.crowded) {
		delete(l.holes, hole{s, seq})
		if l.single[key] = n - 1; n == 1 {
			delete(l.single, key)
		}
		return true
	}
	return l.open(s, seq)
}

// lookBack bounds the search for a range in which a message has come after all.
const lookBack = 256

// open makes two of a range that a message is in.
func (l *ledger) open(s subject, seq uint32) bool {
	for i := len(l.ranges) - 1; i >= max(0, len(l.ranges)-lookBack); i-- {
		r := &l.ranges[i]
		if r.subject == s && r.kind == missing && r.lo <= seq && seq < r.hi {
			hi := r.hi
			r.hi = seq
			l.addRange(s, missing, seq+1, hi)
			return true
		}
	}
	return false
}

// settle calls lost with how many deliveries were lost, by group and kind,
// without those that nobody has to expect.
func (l *ledger) settle(r *refused, lost func(group uint8, k lossKind, n uint64)) {
	for key, n := range l.single {
		if r.count(key.publish, key.stream, key.seq, key.seq+1) == 0 {
			lost(key.group, key.kind, uint64(n))
		}
	}
	for _, x := range l.ranges {
		if n := x.hi - x.lo - r.count(x.publish, x.stream, x.lo, x.hi); n > 0 {
			lost(x.group, x.kind, uint64(n))
		}
	}
	for k := range l.full {
		for group, n := range l.full[k] {
			lost(group, lossKind(k), n)
		}
	}
}

// refused are messages that nobody has to expect, by stream.
type refused struct {
	numbers map[streamKey][]uint32 // in the stream, ascending, each once
}

type streamKey struct {
	publish uint16
	stream  uint32
}

func (r *refused) add(publish uint16, stream, seq uint32) {
	if r.numbers == nil {
		r.numbers = map[streamKey][]uint32{}
	}
	k := streamKey{publish, stream}
	r.numbers[k] = append(r.numbers[k], seq)
}

// sort makes r ready for count.
func (r *refused) sort() {
	for k, n := range r.numbers {
		slices.Sort(n)
		r.numbers[k] = slices.Compact(n)
	}
}

// count returns how many of messages lo to hi-1 of a stream are refused.
func (r *refused) count(publish uint16, stream, lo, hi uint32) uint32 {
	n := r.numbers[streamKey{publish, stream}]
	if len(n) == 0 {
		return 0
	}
	from, _ := slices.BinarySearchFunc(n, lo, cmp.Compare[uint32])
	to, _ := slices.BinarySearchFunc(n, hi, cmp.Compare[uint32])
	return uint32(to - from)
}
