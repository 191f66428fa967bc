package subject

import (
	"encoding/binary"
	"math/bits"
)

// floor is what no ring can be faster than: a hash and one load from a table.
// Nothing about it is a ring; its table is filled with numbers.
type floor struct {
	table []uint16
	shift uint8
}

func newFloor(tableBits int) floor {
	f := floor{make([]uint16, 1<<tableBits), uint8(64 - tableBits)}
	for i := range f.table {
		f.table[i] = uint16(i)
	}
	return f
}

// foldHash is the shortest hash of 16 bytes that passed tests of balance: two
// multiplications.
func foldHash(key string) uint64 {
	b := []byte(key) // not copied
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b)^0x9e3779b97f4a7c15, binary.LittleEndian.Uint64(b[8:])^0xd1b54a32d192ed03)
	return (hi ^ lo) * 0xbf58476d1ce4e5b9
}

// xxhFold is XXH3-64 of exactly 16 bytes, as roost's ring has it, without the
// choice by length.
func xxhFold(key string) uint64 {
	b := []byte(key) // not copied
	low := binary.LittleEndian.Uint64(b) ^ 0x1f67b3b7a4a44072 ^ 0x78e5c0cc4ee679cb
	high := binary.LittleEndian.Uint64(b[8:]) ^ 0x2172ffcc7dd05a82 ^ 0x8e2443f7744608b8
	hi, lo := bits.Mul64(low, high)
	h := KeyLen + bits.ReverseBytes64(low) + high + (hi ^ lo)
	h = (h ^ h>>37) * 0x165667919e3779f9
	return h ^ h>>32
}

// foldFloor is the floor with the shortest hash.
type foldFloor struct{ floor }

func (f foldFloor) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(f.table[foldHash(keys.At(i))>>(f.shift&63)])
	}
	return sum
}

func (f foldFloor) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(f.table[foldHash(keys.after(i, answer))>>(f.shift&63)])
		sum += uint64(answer)
	}
	return sum
}

// xxhFloor is the floor with roost's hash.
type xxhFloor struct{ floor }

func (f xxhFloor) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(f.table[xxhFold(keys.At(i))>>(f.shift&63)])
	}
	return sum
}

func (f xxhFloor) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(f.table[xxhFold(keys.after(i, answer))>>(f.shift&63)])
		sum += uint64(answer)
	}
	return sum
}
