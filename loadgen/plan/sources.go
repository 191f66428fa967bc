package plan

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// PerSource is how many connections one source address makes to one
// destination. connect() first searches the ports of one parity (14,116 with
// the default range); from there on it was measured to fall from 40,000/s to
// 1,400/s, so we stay well below.
const PerSource = 10_000

// Sources is a block of local addresses to connect from.
type Sources struct {
	prefix netip.Prefix
	n      int
}

// ParseSources reads addr/bits or a single address; "" leaves the address to
// the kernel.
func ParseSources(cidr string) (Sources, error) {
	if cidr == "" {
		return Sources{}, nil
	}
	prefix, err := netip.ParsePrefix(cidr)
	if addr, aerr := netip.ParseAddr(cidr); aerr == nil {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return Sources{}, fmt.Errorf("sources %q: want addresses like 127.0.0.0/8", cidr)
	}
	prefix = prefix.Masked()
	return Sources{prefix: prefix, n: countHosts(prefix)}, nil
}

// countHosts counts the addresses that At hands out: those of an IPv4 block
// whose last byte is not 0 or 255, which may be network and broadcast
// addresses.
func countHosts(p netip.Prefix) int {
	host := p.Addr().BitLen() - p.Bits()
	switch {
	case host <= 1:
		return 1 << host
	case !p.Addr().Is4() || host >= 32:
		return 1<<min(host, 24) - 1
	case host >= 8:
		return 254 << (host - 8)
	}
	first := int(p.Addr().As4()[3])
	n := 1 << host
	if first == 0 {
		n--
	}
	if first+1<<host == 256 {
		n--
	}
	return n
}

// Len returns the number of addresses, 0 if the kernel chooses.
func (s Sources) Len() int { return s.n }

// At returns address i, counted from 0.
func (s Sources) At(i int) netip.Addr {
	base := s.prefix.Addr()
	host := base.BitLen() - s.prefix.Bits()
	if base.Is4() {
		b := base.As4()
		off := uint32(i)
		switch {
		case host >= 8:
			off = uint32(i/254)*256 + 1 + uint32(i%254)
		case host > 1 && b[3] == 0:
			off++
		}
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+off)
		return netip.AddrFrom4(b)
	}
	b := base.As16()
	if host > 1 {
		i++
	}
	binary.BigEndian.PutUint32(b[12:], binary.BigEndian.Uint32(b[12:])+uint32(i))
	return netip.AddrFrom16(b)
}

// For returns the source of each of n connections to one destination, spread
// evenly over as few addresses as PerSource allows.
func (s Sources) For(n int) (func(i int) netip.AddrPort, error) {
	need := max((n+PerSource-1)/PerSource, 1)
	if s.n == 0 {
		if need > 1 {
			return nil, fmt.Errorf("%d connections to one destination need %d source addresses (%d each): give --sources",
				n, need, PerSource)
		}
		return func(int) netip.AddrPort { return netip.AddrPort{} }, nil
	}
	if need > s.n {
		return nil, fmt.Errorf("%d connections to one destination need %d source addresses (%d each): %v has %d",
			n, need, PerSource, s.prefix, s.n)
	}
	return func(i int) netip.AddrPort { return netip.AddrPortFrom(s.At(i%need), 0) }, nil
}
