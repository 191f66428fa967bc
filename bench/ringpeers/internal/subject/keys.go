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

// Keys are random keys, one after the other in memory.
type Keys struct {
	text   string
	bytes  []byte // the same memory
	hashes []uint64
	mask   int // of a key's first byte
}

// NewKeys makes a power of two of keys, at least 1024. The same seed gives the
// same keys.
func NewKeys(n int, seed uint64) Keys {
	if n < chainBytes/KeyLen || n&(n-1) != 0 {
		panic("BUG: the number of keys must be a power of two, at least 1024")
	}
	random := rand.New(rand.NewPCG(seed, 0))
	k := Keys{bytes: make([]byte, (n+1)*KeyLen), hashes: make([]uint64, n), mask: n*KeyLen - 1}
	for i := range k.bytes {
		k.bytes[i] = byte(random.Uint32())
	}
	k.text = unsafe.String(&k.bytes[0], len(k.bytes)) // nobody writes to it any more
	for i := range k.hashes {
		k.hashes[i] = ring.Hash(k.At(i))
	}
	return k
}

// Len returns the number of keys.
func (k Keys) Len() int { return len(k.hashes) }

// At returns key i, counted round and round.
func (k Keys) At(i int) string {
	at := i * KeyLen & k.mask
	return k.text[at : at+KeyLen]
}

// bytesAt is At as bytes.
func (k Keys) bytesAt(i int) []byte {
	at := i * KeyLen & k.mask
	return k.bytes[at : at+KeyLen]
}

// hashAt returns the hash of key i.
func (k Keys) hashAt(i int) uint64 { return k.hashes[i&(len(k.hashes)-1)] }

// after returns key i of a chain, which depends on the last answer.
func (k Keys) after(i, answer int) string {
	at := (i*chainStep + answer) & (chainBytes - 1)
	return k.text[at : at+KeyLen]
}

// bytesAfter is after as bytes.
func (k Keys) bytesAfter(i, answer int) []byte {
	at := (i*chainStep + answer) & (chainBytes - 1)
	return k.bytes[at : at+KeyLen]
}

// hashAfter returns a hash of a chain, which depends on the last answer.
func (k Keys) hashAfter(i, answer int) uint64 {
	return k.hashes[(i+answer)&(chainBytes/KeyLen-1)]
}
