package preflight

import (
	"fmt"
	"net/netip"
	"time"

	"roost/loadgen/plan"
)

// widest is what net.ipv4.ip_local_port_range can be set to without ports that
// only root may listen on.
var widest = plan.Ports{1024, 65535}

// sources: addresses that cannot be bound.
func (n *need) sources() (list []Shortfall) {
	const shown = 3
	for i, u := range n.m.Unusable {
		if i == shown {
			list[shown-1].What += fmt.Sprintf(" (and %d more)", len(n.m.Unusable)-shown)
			break
		}
		list = append(list, Shortfall{What: fmt.Sprintf("source address %v", u.Addr), Need: "an address of this machine", Have: "none (" + u.Why + ")",
			Mend: []string{fmt.Sprintf("ip addr add %v/%d dev DEVICE", u.Addr, u.Addr.BitLen()), "--source all (clients.sources)"}})
	}
	return list
}

// ports: source addresses x ports x destinations.
func (n *need) ports() (list []Shortfall) {
	if len(n.m.Destinations) == 0 {
		return nil
	}
	c, err := n.pool(n.m.Ports)
	if err != nil {
		return []Shortfall{{What: "source ports", Need: "a range (clients.port_range) that can be used is", Have: "none: " + err.Error(),
			Mend: []string{"--ports auto (clients.port_range)"}}}
	}
	if n.s.Clients.PortRange == "auto" && !n.m.RangeOption {
		list = append(list, Shortfall{What: "source ports of each worker", Need: "IP_LOCAL_PORT_RANGE (Linux 6.3)", Have: "none in this kernel", Advice: true,
			Mend: []string{fmt.Sprintf("nothing: the kernel chooses, and a source has %d connections at most (clients.port_range: none)", plan.PerSource), "a newer kernel"}})
	}
	size, err := plan.Size(c)
	if err != nil {
		return []Shortfall{{What: "source addresses", Need: "such as reach every target.urls", Have: err.Error()}}
	}
	if size.OK() {
		return list
	}
	f := Shortfall{What: "source addresses and ports", Need: fmt.Sprintf("%d connections, %d sources", size.Clients, size.Needed), Have: size.String()}
	if waiting := n.waiting(); waiting > 0 {
		f.Have += fmt.Sprintf(" (%d closed ones may hold a port, for 60 s)", waiting)
	}
	if size.Needed <= size.Clients {
		f.Mend = append(f.Mend, n.moreSources(size.Needed)...)
	}
	if line, ok := n.widen(); ok {
		f.Mend = append(f.Mend, line)
	}
	if len(f.Mend) == 0 {
		f.Mend = []string{fmt.Sprintf("--count %d (clients.count)", size.Most)}
	}
	return append(list, f)
}

// moreSources names a block that has so many addresses, and how they come to be
// addresses of this machine.
func (n *need) moreSources(count int) []string {
	first := n.m.Destinations[0].Addr().Unmap()
	switch {
	case first.IsLoopback() && first.Is4():
		return []string{"--source 127/8 (clients.sources)"}
	case first.Is6():
		return []string{fmt.Sprintf("--source PREFIX/%d (clients.sources) with ip addr add for each of its addresses", 128-log2(count+1))}
	}
	block := example(n.m.Local, max(32-log2(count+2), 16))
	return []string{fmt.Sprintf("--source %v (clients.sources) with, for each of its addresses: ip addr add ADDRESS/32 dev DEVICE", block)}
}

// example is a block of a network that this machine is in.
func example(local []netip.Addr, bits int) netip.Prefix {
	for _, a := range local {
		if a.Is4() && !a.IsLoopback() {
			return netip.PrefixFrom(a, bits).Masked()
		}
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, 0}), bits)
}

// log2 returns how many bits count up to n.
func log2(n int) (bits int) {
	for 1<<bits < n {
		bits++
	}
	return bits
}

// widen says whether a wider range of ports would do. What is given by
// clients.port_range stays as it is.
func (n *need) widen() (line string, ok bool) {
	c, err := n.pool(widest)
	if err != nil || n.m.Ports == widest {
		return "", false
	}
	size, err := plan.Size(c)
	if err != nil || !size.OK() {
		return "", false
	}
	return fmt.Sprintf("sysctl -w net.ipv4.ip_local_port_range=%q", fmt.Sprintf("%d %d", widest[0], widest[1])), true
}

// timeWait is how long the side that closed first keeps a connection's addresses
// and ports; reuse is how long where the kernel reuses them.
const (
	timeWait = 60 * time.Second
	reuse    = time.Second
)

// waiting is how many closed connections hold a port that is not to be had: those
// that there are, and those that the plan's busiest phase adds.
func (n *need) waiting() int {
	waiting := n.m.TimeWait + n.s.Closing(timeWait)
	if n.m.reuses() {
		waiting = n.s.Closing(reuse)
	}
	if n.m.MaxTimeWait > 0 {
		waiting = min(waiting, n.m.MaxTimeWait)
	}
	return waiting
}
