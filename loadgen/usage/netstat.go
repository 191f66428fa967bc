package usage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// NetCounters are events of TCP in this network namespace since it began, both
// ends if both are in it.
type NetCounters struct {
	ListenOverflows  int64 // accept queue full
	ListenDrops      int64 // SYN dropped, for that and other reasons
	BacklogDrop      int64 // socket busy and its backlog full
	RcvQDrop         int64 // no room for what arrived
	Retransmitted    int64 // segments
	TimeWaitOverflow int64 // closed without TIME_WAIT: tcp_max_tw_buckets
	ReqQFullDrop     int64 // SYN queue full
	MemoryPressures  int64 // tcp_mem exceeded
	ActiveOpens      int64
	PassiveOpens     int64
	AttemptFails     int64
	EstabResets      int64
}

// netNames says where each counter is.
var netNames = []struct {
	table, name string
	field       func(c *NetCounters) *int64
}{
	{"TcpExt", "ListenOverflows", func(c *NetCounters) *int64 { return &c.ListenOverflows }},
	{"TcpExt", "ListenDrops", func(c *NetCounters) *int64 { return &c.ListenDrops }},
	{"TcpExt", "TCPBacklogDrop", func(c *NetCounters) *int64 { return &c.BacklogDrop }},
	{"TcpExt", "TCPRcvQDrop", func(c *NetCounters) *int64 { return &c.RcvQDrop }},
	{"Tcp", "RetransSegs", func(c *NetCounters) *int64 { return &c.Retransmitted }},
	{"TcpExt", "TCPTimeWaitOverflow", func(c *NetCounters) *int64 { return &c.TimeWaitOverflow }},
	{"TcpExt", "TCPReqQFullDrop", func(c *NetCounters) *int64 { return &c.ReqQFullDrop }},
	{"TcpExt", "TCPMemoryPressures", func(c *NetCounters) *int64 { return &c.MemoryPressures }},
	{"Tcp", "ActiveOpens", func(c *NetCounters) *int64 { return &c.ActiveOpens }},
	{"Tcp", "PassiveOpens", func(c *NetCounters) *int64 { return &c.PassiveOpens }},
	{"Tcp", "AttemptFails", func(c *NetCounters) *int64 { return &c.AttemptFails }},
	{"Tcp", "EstabResets", func(c *NetCounters) *int64 { return &c.EstabResets }},
}

// ReadNetCounters reads /proc/net/netstat and /proc/net/snmp.
func ReadNetCounters() (c NetCounters, err error) {
	tables := map[string]int64{}
	for _, path := range []string{"/proc/self/net/netstat", "/proc/self/net/snmp"} {
		data, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("usage: %w", err)
		}
		parseTables(string(data), tables)
	}
	for _, n := range netNames {
		*n.field(&c) = tables[n.table+" "+n.name]
	}
	return c, nil
}

// Sub returns what has happened since before.
func (c NetCounters) Sub(before NetCounters) NetCounters {
	for _, n := range netNames {
		*n.field(&c) -= *n.field(&before)
	}
	return c
}

// Facts lists the counters that are not 0, by the kernel's names.
func (c NetCounters) Facts() (facts []Fact) {
	for _, n := range netNames {
		if v := *n.field(&c); v != 0 {
			facts = append(facts, Fact{n.name, strconv.FormatInt(v, 10)})
		}
	}
	return facts
}

// parseTables reads pairs of lines, "TcpExt: NameA NameB" and "TcpExt: 1 2",
// into "TcpExt NameA".
func parseTables(data string, into map[string]int64) {
	var head []string
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case len(head) == len(f) && head[0] == f[0]:
			table := strings.TrimSuffix(f[0], ":")
			for i := 1; i < len(f); i++ {
				if v, err := strconv.ParseInt(f[i], 10, 64); err == nil {
					into[table+" "+head[i]] = v
				}
			}
			head = nil
		default:
			head = f
		}
	}
}

// Sockstat is /proc/net/sockstat of TCP. InUse, Orphan and TimeWait are of this
// network namespace, Alloc and Memory of the whole machine.
type Sockstat struct {
	InUse    int64 // with a state other than closed
	Orphan   int64 // no longer anybody's
	TimeWait int64
	Alloc    int64
	Memory   int64 // bytes in buffers: idle sockets have none
}

// ReadSockstat reads it. InUse has the sockets of IPv6 in it.
func ReadSockstat() (s Sockstat, err error) {
	data, err := os.ReadFile("/proc/self/net/sockstat")
	if err != nil {
		return s, fmt.Errorf("usage: %w", err)
	}
	six, _ := os.ReadFile("/proc/self/net/sockstat6") // none without IPv6
	return parseSockstat(string(data)+string(six), int64(os.Getpagesize())), nil
}

// parseSockstat reads "TCP: inuse 2 orphan 0 tw 4 alloc 3 mem 54", mem in
// pages, and "TCP6: inuse 0".
func parseSockstat(data string, page int64) (s Sockstat) {
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "TCP:" && f[0] != "TCP6:" {
			continue
		}
		for i := 1; i+1 < len(f); i += 2 {
			v, _ := strconv.ParseInt(f[i+1], 10, 64)
			switch f[i] {
			case "inuse":
				s.InUse += v
			case "orphan":
				s.Orphan = v
			case "tw":
				s.TimeWait = v
			case "alloc":
				s.Alloc = v
			case "mem":
				s.Memory = v * page
			}
		}
	}
	return s
}
