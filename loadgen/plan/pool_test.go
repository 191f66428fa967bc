package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var system = Ports{32768, 60999}

func destinations(s ...string) (d []netip.AddrPort) {
	for _, a := range s {
		d = append(d, netip.MustParseAddrPort(a))
	}
	return d
}

func TestParsePorts(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Ports
		err  string
	}{
		{"", Ports{}, ""},
		{"none", Ports{}, ""},
		{"auto", system, ""},
		{"40000-40009", Ports{40000, 40009}, ""},
		{" 40000 - 40000 ", Ports{40000, 40000}, ""},
		{"5-5", Ports{}, "want ports within net.ipv4.ip_local_port_range, 32768-60999"},
		{"1024-60000", Ports{}, `sysctl -w net.ipv4.ip_local_port_range="1024 60999"`},
		{"40000-65535", Ports{}, `"32768 65535"`},
		{"9-8", Ports{}, "lo-hi"},
		{"0-8", Ports{}, "lo-hi"},
		{"40000", Ports{}, "lo-hi"},
		{"x-y", Ports{}, "lo-hi"},
		{"40000-99999", Ports{}, "lo-hi"},
	} {
		got, err := ParsePorts(c.in, system, true)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v, %v; want %v, %q", c.in, got, err, c.want, c.err)
		}
	}
	// Of a kernel that cannot.
	for in, ok := range map[string]bool{"": true, "none": true, "auto": true, "40000-40009": false} {
		if got, err := ParsePorts(in, system, false); got != (Ports{}) || (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "Linux has it since 6.3") {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestReservedWithin(t *testing.T) {
	for _, c := range []struct {
		list string
		want int
	}{{"", 0}, {"100", 0}, {"150", 1}, {"90-110", 1}, {"199-300,120,130-139", 12}, {"x,5-y,150", 1}, {"300-310", 0}} {
		if got := ReservedWithin(c.list, Ports{110, 199}); got != c.want {
			t.Errorf("%q: %d, want %d", c.list, got, c.want)
		}
	}
}

// TestShards: parts are of one size, within the range, and nobody else's.
func TestShards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Uint16Min(1).Draw(t, "lo")
		p := Ports{lo, rapid.Uint16Min(lo).Draw(t, "hi")}
		workers := rapid.IntRange(1, 200).Draw(t, "workers")
		next := p[0]
		for w := range workers {
			s := p.Shard(w, workers)
			if s.Len() != p.Len()/workers {
				t.Fatalf("%v: worker %d of %d has %v", p, w, workers, s)
			}
			if s == (Ports{}) {
				continue
			}
			if s[0] != next && w > 0 || s[0] < p[0] || s[1] > p[1] {
				t.Fatalf("%v: worker %d of %d has %v, want it from %d", p, w, workers, s, next)
			}
			next = s[1] + 1
		}
		if p.Shard(workers, workers) != (Ports{}) || p.Shard(-1, workers) != (Ports{}) {
			t.Fatal("a worker too many has ports")
		}
	})
}

func TestPoolChoosesSources(t *testing.T) {
	local := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"),
		netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("::1")}
	for _, c := range []struct {
		sources, dests string
		n              int
		want           string // the sources in the order of use, or the error
	}{
		{"", "127.0.0.1:80", 25_000, "127.0.0.1 127.0.0.2 127.0.0.3"},
		{"", "10.0.0.9:80", 10_000, "kernel"},
		{"", "10.0.0.9:80", 10_001, "10001 clients need 2 source addresses"},
		{"", "10.0.0.9:80 10.0.0.9:81", 20_000, "kernel"},
		{"", "10.0.0.9:80 10.0.0.9:80", 20_000, "20000 clients need 2 source"},
		{"", "[::1]:80", 10_000, "kernel"},
		{"", "127.0.0.1:80 10.0.0.9:80", 100, "kernel"},
		{"10.0.0.5", "10.0.0.9:80", 10_000, "10.0.0.5"},
		{"10.0.0.5,10.0.0.7", "10.0.0.9:80", 20_000, "10.0.0.5 10.0.0.7"},
		{"10.0.0.0/26", "10.0.0.9:80", 30_000, "10.0.0.1 10.0.0.2 10.0.0.3"},
		{"all", "10.0.0.9:80", 20_000, "10.0.0.1 10.0.0.2"},
		{"all", "127.0.0.1:80", 30_000, "127.0.0.1 10.0.0.1 10.0.0.2"},
		{"all", "[fd00::9]:80", 10_000, "fd00::1"},
		{"all", "10.0.0.9:80", 20_001, "at most 20000 connections"},
		{"127/8", "127.0.0.1:80", 20_000, "127.0.0.1 127.0.0.2"},
		{"127/8", "10.0.0.9:80", 1, "on loopback, from where 10.0.0.9:80 cannot be reached"},
		{"fd00::/120", "10.0.0.9:80", 1, "none can reach 10.0.0.9:80"},
		{"fd00::/120,10.0.0.0/24", "10.0.0.9:80 [fd00::99]:80", 40_000, "10.0.0.1 10.0.0.2 fd00::1 fd00::2"},
		{"10.0.0.0/24,10.0.0.7", "10.0.0.9:80", 1, "in common"},
		{"10.0.0.7,10.0.0.7", "10.0.0.9:80", 1, "in common"},
		{"10.0.0.8/29,10.0.0.0/24,10.0.0.9", "10.0.0.9:80", 1, "in common"},
		{"10.0.0.7,", "10.0.0.9:80", 1, "one is empty"},
		{"ten", "10.0.0.9:80", 1, "want addresses"},
		{"", "", 1, "no destination"},
	} {
		cfg := PoolConfig{Local: local, Destinations: destinations(strings.Fields(c.dests)...), Clients: c.n, System: system}
		if c.sources != "" {
			cfg.Sources = strings.Split(c.sources, ",")
		}
		name := fmt.Sprintf("%d from %q to %q", c.n, c.sources, c.dests)
		p, err := NewPool(cfg)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
			continue
		}
		got := strings.Trim(fmt.Sprint(p.Used(100)), "[]")
		if got == "" {
			got = "kernel"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestCapacityCountsWhatHoldsPorts(t *testing.T) {
	base := PoolConfig{Sources: []string{"10.0.0.1", "10.0.0.2"}, Destinations: destinations("10.0.0.9:80"), Clients: 1000, Workers: 2, System: system}
	for _, c := range []struct {
		name   string
		change func(c *PoolConfig)
		ports  int
		most   int64
	}{
		{"the kernel's choice", func(*PoolConfig) {}, 10_000, 20_000},
		{"few ports", func(c *PoolConfig) { c.System = Ports{40000, 40999} }, 1000, 2000},
		{"reserved", func(c *PoolConfig) { c.System, c.Reserved = Ports{40000, 40999}, 10 }, 990, 1980},
		{"closed ones that do not matter", func(c *PoolConfig) { c.TimeWait = 10_000 }, 10_000, 20_000},
		{"closed ones that do", func(c *PoolConfig) { c.TimeWait = 50_000 }, 3232, 6464},
		{"none left", func(c *PoolConfig) { c.TimeWait = 100_000 }, 0, 0},
		{"ranges", func(c *PoolConfig) { c.Ports = system }, 14_116, 56_464},
		{"ranges, closed ones", func(c *PoolConfig) { c.Ports, c.TimeWait = system, 3001 }, 11_115, 50_460},
		{"ranges, two destinations", func(c *PoolConfig) { c.Ports, c.Destinations = system, destinations("10.0.0.9:80", "10.0.0.9:81") }, 14_116, 56_464},
		{"ranges, three destinations", func(c *PoolConfig) {
			c.Ports, c.Destinations = system, destinations("10.0.0.9:80", "10.0.0.9:81", "10.0.0.9:82")
		}, 14_116, 6 * 28_232},
	} {
		cfg := base
		c.change(&cfg)
		got, err := Size(cfg)
		if err != nil || got.Ports != c.ports || got.Most != c.most || got.OK() != (c.most >= 1000) || got.OK() != (got.Needed <= got.Sources) {
			t.Errorf("%s: %+v, %v; want %d ports, %d connections", c.name, got, err, c.ports, c.most)
		}
		cfg.Clients = int(c.most) + 1
		if _, err := NewPool(cfg); !errors.Is(err, ErrCapacity) {
			t.Errorf("%s: one too many: %v", c.name, err)
		}
	}
	if _, err := Size(PoolConfig{Destinations: base.Destinations, Workers: 3, Ports: Ports{5, 6}}); err == nil {
		t.Error("three workers share two ports")
	}
}

// TestPoolAgainstCounting counts what each source, destination and worker gets,
// one client after the other, and compares with the arithmetic: a pool that is
// made fits, and one client more than it has room for does not.
func TestPoolAgainstCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := destinations("10.0.0.9:80", "10.0.0.9:81", "10.0.0.8:80", "[fd00::9]:80")
		c := PoolConfig{Sources: []string{"10.0.0.1", "10.0.0.4/30", "fd00::8/126"}, System: Ports{40000, 40059}, Workers: rapid.IntRange(1, 6).Draw(t, "workers")}
		for range rapid.IntRange(1, 5).Draw(t, "urls") {
			c.Destinations = append(c.Destinations, rapid.SampledFrom(all).Draw(t, "url"))
		}
		if rapid.Bool().Draw(t, "ranges") {
			c.Ports = Ports{40000, 40000 + rapid.Uint16Range(5, 59).Draw(t, "ports")}
		}
		c.Clients = rapid.IntRange(0, 800).Draw(t, "clients")
		size, err := Size(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewPool(c)
		if (err == nil) != size.OK() {
			t.Fatalf("%v, but %+v", err, size)
		}
		c.Clients = int(size.Most)
		p, err := NewPool(c)
		if err != nil {
			t.Fatal(err)
		}
		type pair struct {
			worker int
			source netip.Addr
			dest   netip.AddrPort
		}
		got := map[pair]int{}
		used := map[netip.Addr]bool{}
		for client := range c.Clients {
			k := pair{source: p.At(client), dest: c.Destinations[client%len(c.Destinations)]}
			if k.source.Is4() != k.dest.Addr().Is4() {
				t.Fatalf("client %d goes from %v to %v", client, k.source, k.dest)
			}
			if size.Sharded {
				k.worker = client % c.Workers
			}
			used[k.source] = true
			if got[k]++; got[k] > size.Ports {
				t.Fatalf("client %d is number %d of %+v, with %d ports", client, got[k], k, size.Ports)
			}
		}
		if len(used) > len(p.Used(1000)) {
			t.Fatalf("used %v, said %v", used, p.Used(1000))
		}
		c.Clients++
		if _, err := NewPool(c); !errors.Is(err, ErrCapacity) {
			t.Fatalf("room for one more than %+v: %v", size, err)
		}
	})
}

func TestPoolWorkersHaveTheirPorts(t *testing.T) {
	p, err := NewPool(PoolConfig{Destinations: destinations("127.0.0.1:1"), Clients: 10, Workers: 2, Ports: Ports{40000, 40009}, System: system})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := p.Ports(0), p.Ports(1); a != (Ports{40000, 40004}) || b != (Ports{40005, 40009}) {
		t.Errorf("%v and %v", a, b)
	}
	// Workers of other machines take none of this one's.
	c := PoolConfig{Destinations: destinations("127.0.0.1:1"), Clients: 20, Workers: 4, Here: 1, Ports: Ports{40000, 40009}, System: system}
	if p, err = NewPool(c); err != nil {
		t.Fatal(err)
	}
	if got, size := p.Ports(0), p.Capacity(); got != c.Ports || size.Ports != 10 {
		t.Errorf("%v, %d each", got, size.Ports)
	}
}

// TestPoolKeepsPortsFree where there are sources for it, and takes all where
// there are not.
func TestPoolKeepsPortsFree(t *testing.T) {
	for _, c := range []struct {
		sources          string
		clients, closing int
		want             int // sources
	}{
		{"10.0.0.0/24", 19_000, 0, 1},
		{"10.0.0.0/24", 20_000, 0, 2},
		{"10.0.0.0/24", 28_232, 0, 2},
		{"10.0.0.7", 28_232, 0, 1},
		{"10.0.0.0/24", 19_000, 19_000, 2},
		{"10.0.0.0/24", 19_000, 100_000, 5},
		{"10.0.0.0/31", 50_000, 50_000, 2},
	} {
		p, err := NewPool(PoolConfig{Sources: []string{c.sources}, Destinations: destinations("10.0.9.9:80"), Clients: c.clients, Closing: c.closing, Ports: system, System: system})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if got := len(p.Used(100)); got != c.want {
			t.Errorf("%+v: %d sources", c, got)
		}
	}
}

func TestSystemPorts(t *testing.T) {
	for text, want := range map[string]Ports{"32768\t60999\n": system, "1024 65535": {1024, 65535}, "": system, "1": system, "9 5": system, "0 0": system, "1 70000": system} {
		if got := SystemPorts(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
