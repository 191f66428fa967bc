package verify

import "math/bits"

// distinct is a set of ids by their hash, of at most most ids. When it is full, it
// keeps the half whose mixed hash has one more zero bit, and from then on takes
// only such: a sample of the ids in which every one is either there with all its
// lines from the first on, or not at all (Wegman's adaptive sampling, analysed by
// Flajolet, Computing 43, 1990). So what is repeated is known exactly up to most
// ids, and without bias beyond.
type distinct struct {
	most  int  // at least smallSet/2
	level uint // an id in 2^level is in the sample
	n     int
	shift uint // 64 - log2(len(keys))

	// By place, which is found from the mixed hash; the next free place is taken.
	keys  []uint64  // ring.Hash; 0 is free
	alt   []uint64  // the seed preset's hash; nil if nobody asks
	load  []float64 // sum
	lines []uint32  // stops at the largest
}

const smallSet = 1 << 10

func newDistinct(most int, alt bool) *distinct {
	d := &distinct{most: max(most, smallSet/2)}
	d.grow(smallSet, alt)
	return d
}

// mix is the output function of SplitMix64. Ids that collide in some bits of the
// hash do not in the same bits of this.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// sampled reports whether an id with this mixed hash is in the sample.
func (d *distinct) sampled(mixed uint64) bool { return mixed<<(64-d.level) == 0 }

// add counts a line. fresh is how many ids it stands for that have not been there:
// 2^level for a new one of the sample, else 0.
func (d *distinct) add(hash, alt uint64, load float64) (fresh float64) {
	if hash == 0 {
		hash = 1 // one in 2^64
	}
	m := mix(hash)
	if !d.sampled(m) {
		return 0
	}
	at := d.place(hash, m)
	if d.keys[at] == 0 {
		if d.n == d.most {
			d.halve()
			return d.add(hash, alt, load)
		}
		if d.n >= len(d.keys)/4*3 {
			d.grow(2*len(d.keys), d.alt != nil)
			at = d.place(hash, m)
		}
		d.n++
		d.keys[at] = hash
		if d.alt != nil {
			d.alt[at] = alt
		}
		fresh = float64(uint64(1) << d.level)
	}
	d.load[at] += load
	if d.lines[at]++; d.lines[at] == 0 {
		d.lines[at]--
	}
	return fresh
}

// place returns where a hash is or belongs.
func (d *distinct) place(hash, mixed uint64) int {
	at := int(mixed >> d.shift)
	for d.keys[at] != 0 && d.keys[at] != hash {
		at = (at + 1) & (len(d.keys) - 1)
	}
	return at
}

// halve raises the level until there is room, in place. It begins after a free
// place and goes round once: so an entry only meets such as have been seen to when
// it is put back.
func (d *distinct) halve() {
	for d.n == d.most {
		d.level++
		begin := 0
		for d.keys[begin] != 0 {
			begin++
		}
		d.n = 0
		for i := range d.keys {
			at := (begin + i) & (len(d.keys) - 1)
			if d.keys[at] != 0 {
				e := d.take(at)
				if d.sampled(mix(e.hash)) {
					d.put(e)
				}
			}
		}
	}
}

// entry is an id of the set.
type entry struct {
	hash, alt uint64
	load      float64
	lines     uint32
}

// take frees a place.
func (d *distinct) take(at int) entry {
	e := entry{hash: d.keys[at], load: d.load[at], lines: d.lines[at]}
	if d.alt != nil {
		e.alt = d.alt[at]
	}
	d.keys[at], d.load[at], d.lines[at] = 0, 0, 0
	return e
}

// put adds what is not there.
func (d *distinct) put(e entry) {
	at := d.place(e.hash, mix(e.hash))
	d.keys[at], d.load[at], d.lines[at] = e.hash, e.load, e.lines
	if d.alt != nil {
		d.alt[at] = e.alt
	}
	d.n++
}

// grow puts all into a larger table.
func (d *distinct) grow(size int, alt bool) {
	old := *d
	d.keys, d.load, d.lines = make([]uint64, size), make([]float64, size), make([]uint32, size)
	if alt {
		d.alt = make([]uint64, size)
	}
	d.shift, d.n = uint(64-bits.TrailingZeros(uint(size))), 0
	for i, hash := range old.keys {
		if hash != 0 {
			d.put(old.take(i))
		}
	}
}
