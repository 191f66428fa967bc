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

// SystemPorts reads the text of net.ipv4.ip_local_port_range, two numbers; of
// what is none it returns Linux's default.
func SystemPorts(text string) Ports {
	f := strings.Fields(text)
	if len(f) == 2 {
		first, err1 := strconv.ParseUint(f[0], 10, 16)
		last, err2 := strconv.ParseUint(f[1], 10, 16)
		if err1 == nil && err2 == nil && 0 < first && first <= last {
			return Ports{uint16(first), uint16(last)}
		}
	}
	return Ports{32768, 60999}
}

// ParsePorts reads "lo-hi", "auto" for all of system, or "none" or "" for none.
// system is net.ipv4.ip_local_port_range: the kernel takes no notice of a bound
// outside of it, and several workers would search the same ports; so that is an
// error. option says that the kernel has IP_LOCAL_PORT_RANGE: without it auto is
// none, and a range an error.
func ParsePorts(s string, system Ports, option bool) (Ports, error) {
	switch {
	case s == "", s == "none", s == "auto" && !option:
		return Ports{}, nil
	case s == "auto":
		return system, nil
	case !option:
		return Ports{}, fmt.Errorf("port_range %q: this kernel has no IP_LOCAL_PORT_RANGE, Linux has it since 6.3: want none, the kernel's choice", s)
	}
	lo, hi, ok := strings.Cut(s, "-")
	first, err1 := strconv.ParseUint(strings.TrimSpace(lo), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(hi), 10, 16)
	if !ok || err1 != nil || err2 != nil || first == 0 || last < first {
		return Ports{}, fmt.Errorf("port_range %q: want lo-hi with 1 <= lo <= hi <= 65535, auto or none", s)
	}
	p := Ports{uint16(first), uint16(last)}
	if p[0] < 1024 { // sysctl could, and then clients would take the ports of services
		return Ports{}, fmt.Errorf("port_range %s has ports of services, below 1024: want ports within net.ipv4.ip_local_port_range, %s", p, system)
	}
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

// ReservedWithin counts the ports of a list such as "8080,9000-9100", as
// net.ipv4.ip_local_reserved_ports is one, that are in a range.
func ReservedWithin(list string, in Ports) (n int) {
	for part := range strings.SplitSeq(list, ",") {
		lo, hi, ok := strings.Cut(strings.TrimSpace(part), "-")
		if !ok {
			hi = lo
		}
		first, err1 := strconv.Atoi(lo)
		last, err2 := strconv.Atoi(hi)
		if err1 != nil || err2 != nil {
			continue
		}
		n += max(min(last, int(in[1]))-max(first, int(in[0]))+1, 0)
	}
	return n
}
