package ring

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// The constants of XXH3-64 with seed 0 for keys of 9 to 16 bytes: xors of two
// words each of its default secret, and its last multiplier.
// Source: doc/xxhash_spec.md of the xxHash project.
const (
	flipLow  = 0x1f67b3b7a4a44072 ^ 0x78e5c0cc4ee679cb // words at 24 and 32
	flipHigh = 0x2172ffcc7dd05a82 ^ 0x8e2443f7744608b8 // words at 40 and 48
	lastMul  = 0x165667919e3779f9
)

// Hash returns the 64-bit hash of a key: XXH3-64 with seed 0. It allocates
// nothing. The top bits choose the place on the ring, the low 32 the canary.
func Hash(key string) uint64 {
	if n := len(key); n >= 9 && n <= 16 {
		return hash16([]byte(key)) // the compiler does not copy it
	}
	return xxh3.HashString(key)
}

// HashBytes is Hash for bytes: the same value for the same bytes.
func HashBytes(key []byte) uint64 {
	if n := len(key); n >= 9 && n <= 16 {
		return hash16(key)
	}
	return xxh3.Hash(key)
}

// hash16 is XXH3-64 of 9 to 16 bytes, the usual length of ids. It is here
// because the compiler inlines it: 2.4 ns against 3.2 of a call into the
// library (16 bytes, two shared cores). hash_test.go holds it to the library.
func hash16(b []byte) uint64 {
	n := len(b)
	low := binary.LittleEndian.Uint64(b) ^ flipLow
	high := binary.LittleEndian.Uint64(b[n-8:]) ^ flipHigh
	hi, lo := bits.Mul64(low, high)
	h := uint64(n) + bits.ReverseBytes64(low) + high + (hi ^ lo)
	h = (h ^ h>>37) * lastMul
	return h ^ h>>32
}

// Hash16 is Hash of exactly 16 bytes, for who has ids of that length as arrays:
// the compiler inlines it and Owner, which leaves no call in a lookup (1 ns of 4).
func Hash16(key *[16]byte) uint64 {
	low := binary.LittleEndian.Uint64(key[:8]) ^ flipLow
	high := binary.LittleEndian.Uint64(key[8:]) ^ flipHigh
	hi, lo := bits.Mul64(low, high)
	h := 16 + bits.ReverseBytes64(low) + high + (hi ^ lo)
	h = (h ^ h>>37) * lastMul
	return h ^ h>>32
}

// golden is 2^64 divided by the golden ratio, the increment of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// pointHash returns where replica i of a node lies: the i-th output of
// SplitMix64 seeded with the hash of the node's id. It depends on nothing
// else, so a node that gets more weight adds points and moves none.
// Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, 2014.
func pointHash(seed uint64, i uint32) uint64 {
	z := seed + (uint64(i)+1)*golden
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
