package preflight

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// holding is a scenario that brings up so many connections.
func holding(n int) *scenario.Scenario {
	return &scenario.Scenario{
		Target:  scenario.Target{URLs: []string{"ws://127.0.0.1:80/x"}},
		Clients: scenario.Clients{Count: n, Window: 100, PortRange: "auto"},
		Groups:  []scenario.Group{{Name: "all", Share: 1, Read: scenario.Read{Mode: scenario.ReadDrain}}},
		Phases: []scenario.Phase{{Name: "ramp", Until: scenario.Until{Kind: scenario.UntilConnected, Share: 1}, Timeout: 60e9,
			Ramp: &scenario.Ramp{To: n, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 10_000}}}},
	}
}

// plenty is a machine that lacks nothing, with the server on it.
func plenty() *Machine {
	return &Machine{Cores: 8, FilesHard: 1 << 20, RaiseHard: true, NrOpen: 1 << 20, FileMax: 1 << 24, Watches: 1 << 24,
		Ports: plan.Ports{32768, 60999}, RangeOption: true, Local: addrs("127.0.0.1", "10.0.0.5"),
		Destinations: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")},
		MemoryFree:   64 << 30, TCPMem: 8 << 30, RcvBuf: 131072, PIDsLeft: -1}
}

func addrs(list ...string) (a []netip.Addr) {
	for _, s := range list {
		a = append(a, netip.MustParseAddr(s))
	}
	return a
}

// far is a server on another machine.
var far = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:80")}

// shortfalls are scenarios on a machine that has plenty, changed in one point.
var shortfalls = []struct {
	name    string
	n       int
	workers Workers
	change  func(m *Machine, s *scenario.Scenario)
	want    []string // parts of the one shortfall; none: nothing is short
}{
	{"plenty", 1_000_000, Workers{1, 1}, func(*Machine, *scenario.Scenario) {}, nil},
	{"descriptors", 100_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.FilesHard = 20_000 },
		[]string{"descriptors of each worker", "100300", "20000", "--workers 6", "ulimit -n 131072"}},
	{"descriptors of somebody", 100_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.FilesHard, m.RaiseHard = 20_000, false },
		[]string{"--workers 6", "LimitNOFILE=131072", "/etc/security/limits.conf"}},
	{"descriptors of more workers", 100_000, Workers{6, 6}, func(m *Machine, _ *scenario.Scenario) { m.FilesHard = 20_000 }, nil},
	{"descriptors beyond nr_open", 2_000_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) {},
		[]string{"sysctl -w fs.nr_open=2097152 && ulimit -n 2097152", "--workers 2"}},
	{"hardly any descriptors", 10, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.FilesHard = 100 }, []string{"ulimit -n 512"}},
	{"descriptors of the machine", 100_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.FileMax, m.FilesUsed = 150_000, 1000 },
		[]string{"201200", "sysctl -w fs.file-max=262144"}},
	{"descriptors of the machine do not bind us", 100_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.FileMax, m.Exempt = 150_000, true }, nil},
	{"the server elsewhere", 100_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		m.FileMax, m.Destinations, s.Clients.Sources = 150_000, far, []string{"10.0.0.0/24"}
	}, nil},
	{"watches", 100_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.Watches = 150_000 }, []string{"fs.epoll.max_user_watches=262144"}},
	{"tracking", 300_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.TrackUsed, m.TrackMax = 5, 262_144 },
		[]string{"300005", "sysctl -w net.netfilter.nf_conntrack_max=524288"}},
	{"no tracking", 300_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.TrackMax = 262_144 }, nil},
	{"memory", 1_000_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.MemoryFree = 4 << 30 }, []string{"8336 MiB", "4096 MiB", "--count 49"}},
	{"memory, the server elsewhere", 1_000_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		m.MemoryFree, m.Destinations, s.Clients.Sources = 5<<30, far, []string{"10.0.0.0/24"}
	}, nil},
	{"a cgroup", 1_000_000, Workers{1, 1}, func(m *Machine, _ *scenario.Scenario) { m.CgroupLimit, m.CgroupUsed = 4<<30, 1<<30 },
		[]string{"memory of this cgroup", "3072 MiB of 4096 MiB", "memory.max"}},
	{"ports of one address", 20_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		s.Clients.Sources, s.Clients.PortRange = []string{"127.0.0.1"}, "40000-49999"
	}, []string{"20000 connections, 2 sources", "1 sources x 1 destinations x 10000 ports a worker: at most 10000", "--source 127/8"}},
	{"ports towards elsewhere", 60_000, Workers{2, 2}, func(m *Machine, s *scenario.Scenario) { m.Destinations = far },
		[]string{"60000 connections, 3 sources", "--source 10.0.0.0/29", "ip addr add", `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`}},
	{"ports, closed ones", 28_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.Destinations, m.TimeWait = far, 1000 },
		[]string{"1000 closed ones"}},
	{"ports, closed ones that are reused", 28_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.Destinations, m.TimeWait, m.Reuse = far, 1000, 1 }, nil},
	{"ports, closed ones on loopback", 28_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		s.Clients.Sources, m.TimeWait, m.Reuse = []string{"127.0.0.1"}, 1000, 2
	}, nil},
	{"ports, closed ones not reused elsewhere", 28_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.Destinations, m.TimeWait, m.Reuse = far, 1000, 2 },
		[]string{"1000 closed ones"}},
	{"ports of a storm", 20_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		m.Destinations, s.Reconnect.Policy = far, scenario.PolicyFixed
		s.Phases = append(s.Phases, scenario.Phase{Name: "storm", For: 60e9, Storm: &scenario.Storm{Share: 1, How: scenario.CloseFIN}})
	}, []string{"20000 connections, 2 sources", "20000 closed ones"}},
	{"ports of a storm of resets", 20_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		m.Destinations, s.Reconnect.Policy = far, scenario.PolicyFixed
		s.Phases = append(s.Phases, scenario.Phase{Name: "storm", For: 60e9, Storm: &scenario.Storm{Share: 1, How: scenario.CloseRST}})
	}, nil},
	{"ports, not within the range", 100, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { s.Clients.PortRange = "1024-65535" },
		[]string{"clients.port_range", `ip_local_port_range="1024 65535"`}},
	{"an old kernel", 100, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.RangeOption, s.Clients.PortRange = false, "auto" }, []string{"Linux 6.3", "the kernel chooses"}},
	{"an old kernel, and a range", 100, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.RangeOption, s.Clients.PortRange = false, "40000-50000" },
		[]string{"clients.port_range", "since 6.3: want none"}},
	{"an old kernel, and none", 100, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.RangeOption, s.Clients.PortRange = false, "none" }, nil},
	{"loopback to elsewhere", 100, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) { m.Destinations, s.Clients.Sources = far, []string{"127/8"} },
		[]string{"cannot be reached"}},
	{"a source of somebody else", 100, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		m.Unusable = []Unusable{{netip.MustParseAddr("10.0.0.77"), "cannot assign requested address"}}
	}, []string{"source address 10.0.0.77", "ip addr add 10.0.0.77/32 dev DEVICE"}},
	{"pids", 100, Workers{4, 4}, func(m *Machine, _ *scenario.Scenario) { m.PIDsLeft = 50 }, []string{"80 needed, 50", "--workers 2"}},
	{"ghosts", 100_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		s.Groups = []scenario.Group{{Share: .9, Read: scenario.Read{Mode: scenario.ReadDrain}}, {Share: .1, Read: scenario.Read{Mode: scenario.ReadNever}}}
		m.TCPMem = 1 << 30
	}, []string{"up to 1250 MiB", `net.ipv4.tcp_mem="262144 393216 524288"`}},
	{"ghosts with small buffers", 100_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		s.Groups = []scenario.Group{{Share: 1, RcvBuf: 4096, Read: scenario.Read{Mode: scenario.ReadRate}}}
		m.TCPMem = 1 << 30
	}, nil},
	{"slow for a while", 100_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		s.Phases[0].Slow, m.TCPMem = &scenario.Slow{Share: .5}, 1<<30
	}, []string{"up to 6250 MiB"}},
	{"too much work", 1000, Workers{2, 2}, func(m *Machine, s *scenario.Scenario) {
		s.Phases = append(s.Phases, scenario.Phase{Name: "hold", For: 10e9, Publish: []scenario.Publish{{To: scenario.ToAll,
			Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 1, Burst: 500}}}})
	}, []string{"500000 deliveries", "work for 6 workers", "2 workers on 8 processors", "--workers 6"}},
	{"two names of one server", 60_000, Workers{1, 1}, func(m *Machine, s *scenario.Scenario) {
		m.Destinations = append(m.Destinations, m.Destinations[0])
		s.Target.URLs, s.Clients.Sources = append(s.Target.URLs, "ws://127.0.0.1:80/y"), []string{"127.0.0.1"}
	}, []string{"1 sources x 1 destinations", "at most 28232"}},
	{"part of the workers is elsewhere", 100_000, Workers{1, 10}, func(m *Machine, s *scenario.Scenario) { m.FilesHard = 20_000 }, nil},
}

func TestCheck(t *testing.T) {
	for _, c := range shortfalls {
		m, s := plenty(), holding(c.n)
		c.change(m, s)
		got := Check(s, c.workers, m)
		if len(c.want) == 0 {
			if len(got) != 0 {
				t.Errorf("%s: %v", c.name, got)
			}
			continue
		}
		if len(got) != 1 {
			t.Errorf("%s: %d shortfalls: %v", c.name, len(got), got)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(got[0].String(), part) {
				t.Errorf("%s: %q does not say %q", c.name, got[0], part)
			}
		}
		if advice := strings.HasPrefix(got[0].What, "buffers") || got[0].What == "source ports of each worker" || strings.HasPrefix(got[0].What, "work of"); got[0].Advice != advice {
			t.Errorf("%s: advice %v", c.name, got[0].Advice)
		}
	}
}

// TestManyUnusableSources are counted, not listed.
func TestManyUnusableSources(t *testing.T) {
	m := plenty()
	for range 500 {
		m.Unusable = append(m.Unusable, Unusable{netip.MustParseAddr("10.0.0.77"), "no"})
	}
	if got := Check(holding(1), Workers{}, m); len(got) != 3 || !strings.Contains(got[2].What, "497 more") {
		t.Errorf("%v", got)
	}
}

func TestAutoWorkers(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      int
		change func(m *Machine, s *scenario.Scenario)
		want   int
	}{
		{"little to do", 1000, func(*Machine, *scenario.Scenario) {}, 1},
		{"descriptors", 1_000_000, func(m *Machine, _ *scenario.Scenario) { m.FilesHard, m.Cores = 20_000, 2 }, 51},
		{"no limit", 1_000_000, func(m *Machine, _ *scenario.Scenario) { m.FilesHard = 0 }, 1},
		{"no number will do", 1000, func(m *Machine, _ *scenario.Scenario) { m.FilesHard = 150 }, 1},
		{"deliveries", 1000, messages(450), 5},
		{"deliveries, few cores", 1000, func(m *Machine, s *scenario.Scenario) { messages(450)(m, s); m.Cores = 3 }, 2},
		{"deliveries, the server elsewhere", 1000, func(m *Machine, s *scenario.Scenario) {
			messages(450)(m, s)
			m.Cores, m.Destinations = 3, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.9:80")}
		}, 3},
		{"one core", 1000, func(m *Machine, s *scenario.Scenario) { messages(450)(m, s); m.Cores = 1 }, 1},
	} {
		m, s := plenty(), holding(c.n)
		c.change(m, s)
		if got := AutoWorkers(s, m); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// messages publishes so many a second to all.
func messages(rate float64) func(*Machine, *scenario.Scenario) {
	return func(_ *Machine, s *scenario.Scenario) {
		s.Phases = append(s.Phases, scenario.Phase{Name: "hold", For: 10e9,
			Publish: []scenario.Publish{{To: scenario.ToAll, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: rate}}}})
	}
}

// TestWorkersByFilesIsLeast: that many have room, one fewer has not.
func TestWorkersByFilesIsLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Machine{FilesHard: rapid.Int64Range(201, 2000).Draw(t, "limit")}
		connections, window := rapid.Int64Range(0, 50_000).Draw(t, "connections"), rapid.Int64Range(1, 2000).Draw(t, "window")
		s := &scenario.Scenario{Clients: scenario.Clients{Window: int(window)}}
		for range rapid.IntRange(0, 4).Draw(t, "apis") {
			s.Target.APIs = append(s.Target.APIs, "http://127.0.0.1:81")
		}
		fits := func(w int64) bool { return ceil(connections, w)+ceil(window, w)+others(s) <= m.FilesHard }
		w := int64(workersByFiles(s, connections, m))
		if w == 0 {
			if fits(connections + window) {
				t.Fatal("a number was not found")
			}
			return
		}
		if !fits(w) || w > 1 && fits(w-1) {
			t.Fatalf("%d workers: %v, one fewer: %v", w, fits(w), fits(w-1))
		}
	})
}
