package swarm

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/poller"
)

// targets are where a worker connects to, and from where.
type targets struct {
	urls  []target
	apis  []target
	path  string // of the URLs, with its query
	pool  *plan.Pool
	ports [2]uint16
}

// target is one URL, resolved once: a name server must not be a part of what is
// measured.
type target struct {
	addr netip.AddrPort
	host string // as it stands in the URL
}

// resolveTimeout bounds the look-up of one name.
const resolveTimeout = 5 * time.Second

// resolve reads the URLs of the scenario.
func resolve(cfg *Config) (t targets, err error) {
	s := cfg.Scenario
	if len(s.Target.URLs) == 0 {
		return t, fmt.Errorf("target.urls is empty: want ws://host:port/path")
	}
	for i, raw := range s.Target.URLs {
		u, one, err := parseURL(raw, "ws")
		if err != nil {
			return t, fmt.Errorf("target.urls[%d]: %w", i, err)
		}
		path := u.RequestURI()
		if i > 0 && path != t.path {
			return t, fmt.Errorf("target.urls[%d]: path %s differs from %s: all must have the same", i, path, t.path)
		}
		t.path = path
		t.urls = append(t.urls, one)
	}
	for i, raw := range s.Target.APIs {
		_, one, err := parseURL(raw, "http")
		if err != nil {
			return t, fmt.Errorf("target.apis[%d]: %w", i, err)
		}
		t.apis = append(t.apis, one)
	}
	if n := len(t.apis); n != 0 && n != len(t.urls) {
		return t, fmt.Errorf("target.apis: %d for %d urls: want none, or one each", n, len(t.urls))
	}
	t.pool, t.ports, err = sources(cfg, t.urls)
	return t, err
}

func parseURL(raw, scheme string) (*url.URL, target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != scheme || u.Hostname() == "" {
		return nil, target{}, fmt.Errorf("%q: want %s://host:port", raw, scheme)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil, target{}, fmt.Errorf("%q: %w", raw, err)
	}
	addr := addrs[0].Unmap()
	for _, a := range addrs { // the first of version 4, as servers of "localhost" listen there
		if a = a.Unmap(); a.Is4() {
			addr = a
			break
		}
	}
	ap, err := netip.ParseAddrPort(net.JoinHostPort(addr.String(), port))
	if err != nil {
		return nil, target{}, fmt.Errorf("%q: port: %w", raw, err)
	}
	return u, target{ap, u.Host}, nil
}

// firstAPI is what the dialect reads paths and keys from.
func (t *targets) firstAPI(s *scenario.Scenario) string {
	if len(t.apis) == 0 {
		return ""
	}
	return s.Target.APIs[0]
}

// closing is how long the side that closed first keeps a port: the kernel's
// TIME_WAIT.
const closing = time.Minute

// sources makes the pool of source addresses, and returns this worker's part of
// the ports.
func sources(cfg *Config, urls []target) (*plan.Pool, [2]uint16, error) {
	system := plan.SystemPorts(ipv4("ip_local_port_range"))
	c, err := poolConfig(cfg, system, plan.ReservedWithin(ipv4("ip_local_reserved_ports"), system), poller.HasPortRange())
	if err != nil {
		return nil, [2]uint16{}, err
	}
	for _, u := range urls {
		c.Destinations = append(c.Destinations, u.addr)
	}
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, [2]uint16{}, fmt.Errorf("addresses of interfaces: %w", err)
	}
	for _, a := range ifs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				c.Local = append(c.Local, ip)
			}
		}
	}
	pool, err := plan.NewPool(c)
	if err != nil {
		return nil, [2]uint16{}, err
	}
	index := cfg.Index
	if cfg.Here == 0 {
		index = cfg.Worker
	}
	return pool, pool.Ports(index), nil
}

// poolConfig is what the scenario asks of a kernel with such ports, by the rules
// of package preflight: what has passed there has room here. option says that it
// has IP_LOCAL_PORT_RANGE.
func poolConfig(cfg *Config, system plan.Ports, reserved int, option bool) (plan.PoolConfig, error) {
	s := cfg.Scenario
	ports, err := plan.ParsePorts(s.Clients.PortRange, system, option)
	return plan.PoolConfig{Sources: s.Clients.Sources, Clients: s.Clients.Count, Workers: cfg.Workers, Here: cfg.Here,
		Ports: ports, System: system, Reserved: reserved, Closing: s.Closing(closing)}, err
}

// ipv4 reads net.ipv4.NAME; where it cannot be read it is empty.
func ipv4(name string) string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/" + name)
	return strings.TrimSpace(string(text))
}
