package subject

import (
	"github.com/dgryski/go-jump"
	"github.com/zeebo/xxh3"
)

var jumpPeer = Subject{
	Name:   "dgryski/go-jump",
	Module: "github.com/dgryski/go-jump",
	Note:   "no table: a number of nodes; with XXH3; only the last can leave, so it takes the place of the one that does",
	New:    newJump,
	Next:   rebuilt(newJump),
}

type jumpNodes []string

func newJump(nodes []Node) (Table, error) { return jumpNodes(names(nodes)), nil }

func (j jumpNodes) Owner(key string) string { return j[jump.Hash(xxh3.HashString(key), len(j))] }
func (j jumpNodes) Impl() any               { return jump.Hash }

func (j jumpNodes) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(jump.Hash(xxh3.HashString(keys.At(i)), len(j)))
	}
	return sum
}

func (j jumpNodes) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(jump.Hash(xxh3.HashString(keys.after(i, answer)), len(j)))
		sum += uint64(answer)
	}
	return sum
}
