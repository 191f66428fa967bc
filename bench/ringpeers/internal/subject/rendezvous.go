package subject

import (
	"github.com/dgryski/go-rendezvous"
	"github.com/zeebo/xxh3"
)

var rendezvousPeer = Subject{
	Name:   "dgryski/go-rendezvous",
	Module: "github.com/dgryski/go-rendezvous",
	Note:   "looks at every node; with XXH3; no weights; its Remove reads behind its slice and panics, so it is built anew",
	New:    newRendezvous,
	Next:   rebuilt(newRendezvous),
}

type rendezvousTable struct{ *rendezvous.Rendezvous }

func newRendezvous(nodes []Node) (Table, error) {
	return rendezvousTable{rendezvous.New(names(nodes), xxh3.HashString)}, nil
}

func (t rendezvousTable) Owner(key string) string { return t.Lookup(key) }
func (t rendezvousTable) Impl() any               { return t.Rendezvous }

func (t rendezvousTable) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(len(t.Lookup(keys.At(i))))
	}
	return sum
}

func (t rendezvousTable) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = len(t.Lookup(keys.after(i, answer)))
		sum += uint64(answer)
	}
	return sum
}
