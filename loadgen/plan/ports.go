package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// Ports is a range of ports, first and last. The zero Ports is none: the kernel
// chooses.
type Ports [2]uint16

// Len returns how many ports there are.
func (p Ports) Len() int {
	if p == (Ports{}) {
		return 0
	}
	return int(p[1]) - int(p[0]) + 1
}

// String is "lo-hi", or "" for none.
func (p Ports) String() string {
	if p == (Ports{}) {
		return ""
	}
	return fmt.Sprintf("%d-%d", p[0], p[1])
}

// ParsePorts reads "lo-hi", "auto" for all of system, or "" for none. system is
// net.ipv4.ip_local_port_range: the kernel takes no notice of a bound outside
// of it, and several workers would search the same ports; so that is an error.
func ParsePorts(s string, system Ports) (Ports, error) {
	switch s {
	case "":
		return Ports{}, nil
	case "auto":
		return system, nil
	}
	lo, hi, ok := strings.Cut(s, "-")
	first, err1 := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
	if !ok || err1 != nil || err2 != nil || first == 0 || last < first {
		return Ports{}, fmt.Errorf("port_range %q: want lo-hi with 1 <= lo <= hi <= 65535, or auto", s)
	}
	p := Ports{uint16(first), uint16(last)}
	if p[0] < system[0] || p[1] > system[1] {
		return Ports{}, fmt.Errorf("port_range %s is not within net.ipv4.ip_local_port_range, %s, where alone the kernel looks for ports: sysctl -w net.ipv4.ip_local_port_range=%q",
			p, system, fmt.Sprintf("%d %d", min(p[0], system[0]), max(p[1], system[1])))
	}
	return p, nil
}

// Shard returns the ports of one of several workers: parts of the same size,
// one behind the other. Ports that are left over belong to nobody. With more
// workers than ports, and of no ports, it is none.
func (p Ports) Shard(worker, workers int) Ports {
	size := p.Len() / max(workers, 1)
	if size == 0 || worker < 0 || worker >= workers {
		return Ports{}
	}
	first := int(p[0]) + worker*size
	return Ports{uint16(first), uint16(first + size - 1)}
}
