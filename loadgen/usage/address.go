package usage

import (
	"fmt"
	"net"
	"net/netip"
)

// Addresses lists the addresses of all interfaces that are up, aliases and
// loopback too.
func Addresses() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("usage: addresses: %w", err)
	}
	var list []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("usage: addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(n.IP); ok {
					list = append(list, addr.Unmap())
				}
			}
		}
	}
	return list, nil
}
