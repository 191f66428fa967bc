package client

import (
	"hash/maphash"
	"slices"
)

// remembered is how many ids a client keeps (rule 3).
const remembered = 1000

// memory is the ids of the last kept messages, as hashes: 8 KB at most, and
// less while there were fewer. Two of 1,000 ids are taken for the same once in
// 2^54 messages; with a seed of the process nobody can aim at it.
type memory struct {
	hashes []uint64
	oldest int // index, once all places are taken
}

var idSeed = maphash.MakeSeed()

// seen reports whether id is among the last that were new, and keeps it.
func (m *memory) seen(id []byte) bool {
	h := maphash.Bytes(idSeed, id)
	if slices.Contains(m.hashes, h) {
		return true
	}
	if len(m.hashes) < remembered {
		m.hashes = append(m.hashes, h)
		return false
	}
	m.hashes[m.oldest] = h
	m.oldest = (m.oldest + 1) % remembered
	return false
}
