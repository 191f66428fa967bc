package subject

import (
	"math/rand/v2"
	"unsafe"

	"roost/ring"
)

// KeyLen is the length of a key in bytes, the usual one of an id.
const KeyLen = 16

// chainBytes is how much of the keys a chain uses. A chain's key begins at any
// byte, where the last answer says: so 16 KiB hold 16,384 keys and stay in the
// first-level cache, where a key that has just arrived would be. Every fifth of
// them lies across two cache lines, for the floor too.
const chainBytes = 16 << 10

// chainStep is how far a chain's keys are apart without answers: odd, so that
// all bytes are begun at.
const chainStep = KeyLen + 1

// Keys are random keys, one after the other in memory. Four words at most: a
// larger struct is copied for each call that is inlined (2 ns).
type Keys struct {
	text   string
	mask   int       // of a key's first byte
	hashes *[]uint64 // of each key, by roost's hash
}

// NewKeys makes a power of two of keys, at least 1024. The same seed gives the
// same keys.
func NewKeys(n int, seed uint64) Keys {
	if n < chainBytes/KeyLen || n&(n-1) != 0 {
		panic("BUG: the number of keys must be a power of two, at least 1024")
	}
	random := rand.New(rand.NewPCG(seed, 0))
	text := make([]byte, (n+1)*KeyLen)
	for i := range text {
		text[i] = byte(random.Uint32())
	}
	hashes := make([]uint64, n)
	k := Keys{string(text), n*KeyLen - 1, &hashes}
	for i := range hashes {
		hashes[i] = ring.Hash(k.At(i))
	}
	return k
}

// Len returns the number of keys.
func (k Keys) Len() int { return len(*k.hashes) }

// At returns key i, counted round and round.
func (k Keys) At(i int) string {
	at := i * KeyLen & k.mask
	return k.text[at : at+KeyLen]
}

// bytesAt is At as bytes, which must not be changed.
func (k Keys) bytesAt(i int) []byte {
	at := i * KeyLen & k.mask
	return unsafe.Slice(unsafe.StringData(k.text), len(k.text))[at : at+KeyLen]
}

// hashAt returns the hash of key i.
func (k Keys) hashAt(i int) uint64 {
	all := *k.hashes
	return all[i&(len(all)-1)]
}

// after returns key i of a chain, which depends on the last answer.
func (k Keys) after(i, answer int) string {
	at := (i*chainStep + answer) & (chainBytes - 1)
	return k.text[at : at+KeyLen]
}

// bytesAfter is after as bytes, which must not be changed.
func (k Keys) bytesAfter(i, answer int) []byte {
	at := (i*chainStep + answer) & (chainBytes - 1)
	return unsafe.Slice(unsafe.StringData(k.text), len(k.text))[at : at+KeyLen]
}

// hashAfter returns a hash of a chain, which depends on the last answer.
func (k Keys) hashAfter(i, answer int) uint64 {
	return (*k.hashes)[(i+answer)&(chainBytes/KeyLen-1)]
}
