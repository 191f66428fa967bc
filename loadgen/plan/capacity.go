package plan

import (
	"fmt"
	"sort"
)

// Capacity is the arithmetic of source ports: a connection is a source address,
// a source port, and a destination, and no two may be alike.
type Capacity struct {
	Clients      int
	Destinations int   // different ones
	Sources      int   // addresses that can be used
	Ports        int   // of one of the needed sources towards one destination; of one worker, if workers have ranges
	Sharded      bool  // workers have ranges of their own
	Needed       int   // sources that Clients need; more than Clients: no number would do
	Most         int64 // clients that there is room for
}

// OK reports whether there is room.
func (c Capacity) OK() bool { return int64(c.Clients) <= c.Most }

// String is the arithmetic in words.
func (c Capacity) String() string {
	per := "ports"
	if c.Sharded {
		per = "ports a worker"
	}
	return fmt.Sprintf("%d sources x %d destinations x %d %s: at most %d connections", c.Sources, c.Destinations, c.Ports, per, c.Most)
}

// Capacity returns the arithmetic of the pool.
func (p *Pool) Capacity() Capacity {
	c := Capacity{Clients: p.c.Clients, Sharded: p.c.Ports != (Ports{})}
	for _, f := range []*family{&p.v4, &p.v6} {
		if len(f.clients) == 0 {
			continue
		}
		c.Destinations += len(f.dests)
		c.Sources += max(f.n, 1)
		c.Needed += p.need(f)
		if ports := p.perSource(f, min(p.need(f), max(f.n, 1))); c.Ports == 0 || ports < c.Ports {
			c.Ports = ports
		}
	}
	c.Most = p.most()
	return c
}

// free returns how many ports one of so many sources has towards one destination
// (of one worker, if workers have ranges), when so many are held by closed
// connections: those are taken to be on the sources that are used, as after an
// earlier run.
func (p *Pool) free(f *family, sources, held int) int {
	all := p.c.System.Len()
	if p.c.Ports != (Ports{}) {
		all = p.c.Ports.Len() / p.c.Here // the reserved and the held ones may all be one worker's
	}
	pairs := sources * max(len(f.dests), 1)
	return max(all-p.c.Reserved-(held+pairs-1)/pairs, 0)
}

// atMost bounds what a source may have.
//
// Where the kernel chooses, it first searches the ports of one parity, and is
// slow in the other: see PerSource. With IP_LOCAL_PORT_RANGE it searches all
// alike since Linux 6.8: 18,000 of 28,232 ports, and 18,200 of 18,232, were
// taken at the same rate throughout, where without it 14,000 connections were
// made at 8,000/s and the next 4,000 at 480/s.
func (p *Pool) atMost(ports int) int {
	if p.c.Ports == (Ports{}) {
		return min(ports, PerSource)
	}
	return ports
}

// perSource returns how many connections one of so many sources makes to one
// destination.
func (p *Pool) perSource(f *family, sources int) int {
	return p.atMost(p.free(f, sources, p.c.TimeWait))
}

// spare is the share of a source's ports that is kept free where there are enough
// sources: for what else may use the address.
const spare = .3

// spread returns how many of the sources are used: as few as have room to spare,
// also for connections that are closed and made anew.
func (p *Pool) spread(f *family) int {
	return sort.Search(f.n-1, func(i int) bool {
		room := (1 - spare) * float64(p.free(f, i+1, p.c.TimeWait+p.c.Closing))
		return p.busiest(f, p.c.Clients, i+1) <= p.atMost(int(room))
	}) + 1
}

// need returns how many sources the clients of a family need; more than clients
// if no number would do, because there are hardly any ports.
func (p *Pool) need(f *family) int {
	return sort.Search(max(p.c.Clients, 1), func(i int) bool { return p.busiest(f, p.c.Clients, i+1) <= p.perSource(f, i+1) }) + 1
}

// busiest returns the most connections that anything which shares ports gets
// when clients are spread over so many sources. Class r has every client that
// is r modulo classes, and its k-th is from source k mod sources, so the first
// source has most.
func (p *Pool) busiest(f *family, clients, sources int) (most int) {
	for _, classes := range f.load {
		n := 0
		for _, r := range classes {
			if clients > r {
				inClass := (clients - r + p.classes - 1) / p.classes
				n += (inClass + sources - 1) / sources
			}
		}
		most = max(most, n)
	}
	return most
}

// most returns the largest number of clients that fits.
func (p *Pool) most() int64 {
	const beyond = 1 << 40
	return int64(sort.Search(beyond, func(n int) bool {
		for _, f := range []*family{&p.v4, &p.v6} {
			if len(f.clients) > 0 && p.busiest(f, n+1, max(f.n, 1)) > p.perSource(f, max(f.n, 1)) {
				return true
			}
		}
		return false
	}))
}
