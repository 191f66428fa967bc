package subject

import "github.com/golang/groupcache/consistenthash"

var groupcache = Subject{
	Name:   "groupcache/consistenthash",
	Module: "github.com/golang/groupcache",
	Note:   "CRC-32; no weights and no removal, so it is built anew for every change",
	Points: PointsPerUnit,
	New:    newGroupcache,
	Next:   rebuilt(newGroupcache),
}

type groupcacheMap struct{ *consistenthash.Map }

func newGroupcache(nodes []Node) (Table, error) {
	m := consistenthash.New(PointsPerUnit, nil)
	m.Add(names(nodes)...)
	return groupcacheMap{m}, nil
}

func (m groupcacheMap) Owner(key string) string { return m.Get(key) }
func (m groupcacheMap) Impl() any               { return m.Map }

func (m groupcacheMap) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(len(m.Get(keys.At(i))))
	}
	return sum
}

func (m groupcacheMap) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = len(m.Get(keys.after(i, answer)))
		sum += uint64(answer)
	}
	return sum
}
