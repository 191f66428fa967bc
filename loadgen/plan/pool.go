package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strings"
)

// PoolConfig is what a Pool is made for.
type PoolConfig struct {
	// Sources are the addresses to connect from: addresses, CIDR blocks, "all"
	// (Local) or "127/8". Empty: 127/8 for IPv4 destinations on loopback, else
	// the kernel's choice, which is one address.
	Sources []string
	// Local are the addresses of all interfaces of this machine.
	Local []netip.Addr
	// Destinations: client c connects to Destinations[c mod len]. At least one;
	// the same one may be named more than once.
	Destinations []netip.AddrPort
	Clients      int // of all workers
	Workers      int // client c belongs to worker c mod Workers; 0 is 1

	// Ports is the range that the workers of one machine divide among them by
	// IP_LOCAL_PORT_RANGE; none: the kernel chooses from System.
	Ports Ports
	Here  int // workers on this machine; 0 is Workers
	// System is net.ipv4.ip_local_port_range.
	System Ports
	// Reserved is how many ports of the range are in
	// net.ipv4.ip_local_reserved_ports, which the kernel leaves out.
	Reserved int
	// TimeWait is how many closed connections of this machine hold a port.
	TimeWait int
	// Closing is how many connections the plan closes and makes anew while their
	// ports are held. Room is left for them where there are sources for it.
	Closing int
}

// ErrCapacity is what a shortage of source ports is.
var ErrCapacity = errors.New("not enough source addresses and ports")

// Pool says which source address each client connects from.
type Pool struct {
	c       PoolConfig
	classes int // clients that are alike modulo this have worker and destination in common
	v4, v6  family
}

// family is the part of a pool for destinations of one address family.
type family struct {
	blocks  []Sources
	n       int          // addresses in blocks; 0: the kernel's choice
	use     []netip.Addr // those that are used; empty: the kernel's choice
	load    []loadedPair // what shares ports
	clients map[int]bool // classes of this family
	dests   map[netip.AddrPort]bool
}

// loadedPair is a destination, or a worker and a destination, with the classes
// of clients that it has.
type loadedPair []int

// NewPool makes the pool, or says what is wrong with the addresses, or wraps
// ErrCapacity. Clients are spread evenly over as few sources as have room to
// spare, if there are so many.
func NewPool(c PoolConfig) (*Pool, error) {
	p, err := newPool(c)
	if err != nil {
		return nil, err
	}
	if size := p.Capacity(); !size.OK() {
		return nil, fmt.Errorf("%w: %d clients need %d source addresses; %s: give more with clients.sources, or a wider clients.port_range",
			ErrCapacity, c.Clients, size.Needed, size)
	}
	for _, f := range []*family{&p.v4, &p.v6} {
		if f.n > 0 && len(f.clients) > 0 {
			for i := range p.spread(f) {
				f.use = append(f.use, f.at(i))
			}
		}
	}
	return p, nil
}

// Size returns the arithmetic without a pool, whether or not there is room.
func Size(c PoolConfig) (Capacity, error) {
	p, err := newPool(c)
	if err != nil {
		return Capacity{}, err
	}
	return p.Capacity(), nil
}

// maxClasses bounds workers x URLs, which the arithmetic walks through.
const maxClasses = 1 << 20

func newPool(c PoolConfig) (*Pool, error) {
	c.Workers = max(c.Workers, 1)
	if c.Here < 1 {
		c.Here = c.Workers
	}
	if len(c.Destinations) == 0 {
		return nil, fmt.Errorf("no destination to connect to")
	}
	if c.Workers > maxClasses/len(c.Destinations) {
		return nil, fmt.Errorf("%d workers and %d URLs are too many", c.Workers, len(c.Destinations))
	}
	if c.Ports != (Ports{}) && c.Ports.Len() < c.Here {
		return nil, fmt.Errorf("%d workers cannot share the %d ports %s", c.Here, c.Ports.Len(), c.Ports)
	}
	p := &Pool{c: c, classes: lcm(c.Workers, len(c.Destinations))}
	p.divide()
	return p, p.parse()
}

// divide sorts the classes of clients by what they share ports with.
func (p *Pool) divide() {
	type pair struct {
		worker int // -1: all
		dest   netip.AddrPort
	}
	index := map[pair]int{}
	for class := range p.classes {
		d := p.c.Destinations[class%len(p.c.Destinations)]
		f := p.family(d.Addr())
		if f.clients == nil {
			f.clients, f.dests = map[int]bool{}, map[netip.AddrPort]bool{}
		}
		f.clients[class], f.dests[d] = true, true
		k := pair{-1, d}
		if p.c.Ports != (Ports{}) {
			k.worker = class % p.c.Workers
		}
		i, known := index[k]
		if !known {
			i = len(f.load)
			index[k] = i
			f.load = append(f.load, nil)
		}
		f.load[i] = append(f.load[i], class)
	}
}

func (p *Pool) family(a netip.Addr) *family {
	if a.Unmap().Is4() {
		return &p.v4
	}
	return &p.v6
}

// parse reads the sources.
func (p *Pool) parse() error {
	specs := p.c.Sources
	if len(specs) == 0 {
		for _, d := range p.c.Destinations {
			if a := d.Addr().Unmap(); a.Is4() && a.IsLoopback() {
				specs = []string{"127/8"}
			}
		}
		if remote := p.remote(); remote.IsValid() {
			specs = nil
		}
	}
	var blocks []Sources
	for _, spec := range specs {
		switch strings.TrimSpace(spec) {
		case "127/8":
			spec = "127.0.0.0/8"
		case "all":
			blocks = append(blocks, p.local()...)
			continue
		case "":
			return fmt.Errorf("sources: one is empty: want addresses, blocks like 10.0.0.0/26, 127/8 or all")
		}
		b, err := ParseSources(strings.TrimSpace(spec))
		if err != nil {
			return err
		}
		blocks = append(blocks, b)
	}
	if err := overlap(blocks); err != nil {
		return err
	}
	return p.assign(blocks, len(specs) > 0)
}

// remote returns a destination that is not on loopback, if there is one.
func (p *Pool) remote() netip.AddrPort {
	for _, d := range p.c.Destinations {
		if !d.Addr().Unmap().IsLoopback() {
			return d
		}
	}
	return netip.AddrPort{}
}

// local returns the machine's addresses that can be a source: for destinations
// elsewhere, those that are not on loopback or valid on one link only.
func (p *Pool) local() (blocks []Sources) {
	seen := map[netip.Addr]bool{}
	away := p.remote().IsValid()
	for _, a := range p.c.Local {
		a = a.Unmap().WithZone("")
		if seen[a] || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() && away {
			continue
		}
		seen[a] = true
		blocks = append(blocks, Sources{netip.PrefixFrom(a, a.BitLen()), 1})
	}
	return blocks
}

// overlap refuses an address that is in two blocks: its ports are there once.
func overlap(blocks []Sources) error {
	sorted := append([]Sources(nil), blocks...)
	sort.Slice(sorted, func(i, j int) bool {
		a, b := sorted[i].prefix, sorted[j].prefix
		return a.Addr().Less(b.Addr()) || a.Addr() == b.Addr() && a.Bits() < b.Bits()
	})
	for i := 1; i < len(sorted); i++ { // of blocks in order, one that overlaps any overlaps its neighbour
		if sorted[i-1].prefix.Overlaps(sorted[i].prefix) {
			return fmt.Errorf("sources %v and %v have addresses in common: give each once", sorted[i-1].prefix, sorted[i].prefix)
		}
	}
	return nil
}

// assign gives each family its blocks. wanted says that sources were given: then
// every destination needs one.
func (p *Pool) assign(blocks []Sources, wanted bool) error {
	away := p.remote()
	for _, b := range blocks {
		a := b.prefix.Addr()
		if a.IsLoopback() && away.IsValid() {
			return fmt.Errorf("sources %v are on loopback, from where %v cannot be reached: give addresses of an interface", b.prefix, away)
		}
		f := p.family(a)
		f.blocks = append(f.blocks, b)
		f.n += b.n
	}
	for _, d := range p.c.Destinations {
		if wanted && len(p.c.Sources) > 0 && p.family(d.Addr()).n == 0 {
			return fmt.Errorf("sources %v: none can reach %v: give addresses of its family, or none for the kernel's choice", p.c.Sources, d)
		}
	}
	return nil
}

// at returns address i of the blocks.
func (f *family) at(i int) netip.Addr {
	for _, b := range f.blocks {
		if i < b.n {
			return b.At(i)
		}
		i -= b.n
	}
	return netip.Addr{}
}

// At returns the source of a client; the zero Addr leaves it to the kernel.
func (p *Pool) At(client int) netip.Addr {
	f := &p.v4
	if len(p.v6.clients) > 0 && p.family(p.c.Destinations[client%len(p.c.Destinations)].Addr()) == &p.v6 {
		f = &p.v6
	}
	if len(f.use) == 0 {
		return netip.Addr{}
	}
	return f.use[client/p.classes%len(f.use)]
}

// Used returns the addresses that At hands out, at most max of them.
func (p *Pool) Used(most int) []netip.Addr {
	all := append(append([]netip.Addr(nil), p.v4.use...), p.v6.use...)
	return all[:min(len(all), most)]
}

// Ports returns the range of the index-th worker of this machine, none if the
// kernel chooses.
func (p *Pool) Ports(index int) Ports { return p.c.Ports.Shard(index, p.c.Here) }

func lcm(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}
