package subject

import "github.com/zeebo/xxh3"

// maglev is the table of Eisenbud et al., Maglev: A Fast and Reliable Software
// Network Load Balancer, NSDI 2016, 3.4, with the size that is usual. No library
// of it is to be had, so it is written here.
var maglev = Subject{
	Name: "Maglev 65537 (own)",
	Note: "written here after the paper, with XXH3; no weights; filled anew for every change",
	New:  newMaglev,
	Next: rebuilt(newMaglev),
}

const maglevSize = 65537 // a prime

type maglevTable struct {
	table []uint16
	names []string
}

func newMaglev(nodes []Node) (Table, error) {
	m := maglevTable{make([]uint16, maglevSize), names(nodes)}
	next, step := make([]uint32, len(nodes)), make([]uint32, len(nodes))
	for i, name := range m.names {
		next[i] = uint32(xxh3.HashString(name) % maglevSize)
		step[i] = uint32(xxh3.HashStringSeed(name, 1)%(maglevSize-1)) + 1
	}
	taken := make([]bool, maglevSize)
	for filled := 0; len(nodes) > 0; {
		for i := range m.names {
			at := next[i]
			for taken[at] {
				at = (at + step[i]) % maglevSize
			}
			taken[at], m.table[at] = true, uint16(i)
			next[i] = (at + step[i]) % maglevSize
			if filled++; filled == maglevSize {
				return m, nil
			}
		}
	}
	return m, nil
}

func (m maglevTable) Owner(key string) string {
	return m.names[m.table[xxh3.HashString(key)%maglevSize]]
}

func (m maglevTable) Impl() any { return m }

func (m maglevTable) Lookups(keys Keys, n int) (sum uint64) {
	for i := range n {
		sum += uint64(m.table[xxh3.HashString(keys.At(i))%maglevSize])
	}
	return sum
}

func (m maglevTable) Chain(keys Keys, n int) (sum uint64) {
	answer := 0
	for i := range n {
		answer = int(m.table[xxh3.HashString(keys.after(i, answer))%maglevSize])
		sum += uint64(answer)
	}
	return sum
}
