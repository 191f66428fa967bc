package preflight

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
	"roost/loadgen/usage"
	"roost/poller"
)

// resolveTimeout bounds the look-up of one name.
const resolveTimeout = 5 * time.Second

// maxBinds bounds how many source addresses are tried.
const maxBinds = 4096

// Read looks at this machine, for a scenario and a workers: it resolves the names in
// target.urls and binds a socket to each source address that would be used. What
// cannot be read counts as no limit. The error is of a URL.
func Read(ctx context.Context, s *scenario.Scenario, workers Workers) (*Machine, error) {
	m := &Machine{Cores: runtime.GOMAXPROCS(0)}
	m.readFiles()
	m.readPorts()
	m.readTracking()
	m.readMemory()
	for i, raw := range s.Target.URLs {
		d, err := resolve(ctx, raw)
		if err != nil {
			return nil, fmt.Errorf("target.urls[%d]: %w", i, err)
		}
		m.Destinations = append(m.Destinations, d)
	}
	m.tryBinds(s, workers)
	return m, nil
}

func (m *Machine) readFiles() {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) == nil && lim.Max != unix.RLIM_INFINITY {
		m.FilesHard = int64(lim.Max)
	}
	m.NrOpen = number(usage.Sysctl("fs.nr_open"), 0)
	m.FileMax = number(usage.Sysctl("fs.file-max"), 0)
	m.FilesUsed = number(usage.Sysctl("fs.file-nr"), 0)
	m.Watches = number(usage.Sysctl("fs.epoll.max_user_watches"), 0)
	m.Exempt = capable(unix.CAP_SYS_ADMIN)
	m.RaiseHard = capable(unix.CAP_SYS_RESOURCE)
}

// number returns field i of a line of numbers, 0 if there is none.
func number(line string, i int) int64 {
	f := strings.Fields(line)
	if i >= len(f) {
		return 0
	}
	n, err := strconv.ParseInt(f[i], 10, 64)
	if err != nil {
		return 0 // 2^63 and more: no limit
	}
	return n
}

// capable reports whether this process has a capability.
func capable(bit uint) bool {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			return err == nil && set>>bit&1 != 0
		}
	}
	return false
}

func (m *Machine) readPorts() {
	m.Ports = plan.SystemPorts(usage.Sysctl("net.ipv4.ip_local_port_range"))
	m.Reserved = plan.ReservedWithin(usage.Sysctl("net.ipv4.ip_local_reserved_ports"), m.Ports)
	m.RangeOption = poller.HasPortRange()
	if s, err := usage.ReadSockstat(); err == nil {
		m.TimeWait = int(s.TimeWait)
	}
	m.MaxTimeWait = int(number(usage.Sysctl("net.ipv4.tcp_max_tw_buckets"), 0))
	m.Reuse = number(usage.Sysctl("net.ipv4.tcp_tw_reuse"), 0)
	m.Local, _ = usage.Addresses()
}

// readTracking: a table without entries is one that nobody asks for.
func (m *Machine) readTracking() {
	m.TrackUsed = number(usage.Sysctl("net.netfilter.nf_conntrack_count"), 0)
	m.TrackMax = number(usage.Sysctl("net.netfilter.nf_conntrack_max"), 0)
}

// readMemory does without MemAvailable, which counts the sockets' inodes and
// directory entries as if they could be had back.
func (m *Machine) readMemory() {
	if info, err := usage.Meminfo(); err == nil {
		m.MemoryFree = info["MemFree"] + info["Cached"] - info["Shmem"]
	}
	m.TCPMem = number(usage.Sysctl("net.ipv4.tcp_mem"), 2) * int64(os.Getpagesize())
	m.RcvBuf = number(usage.Sysctl("net.ipv4.tcp_rmem"), 1)
	m.PIDsLeft = -1
	group, err := usage.FindCgroup(0)
	if err != nil {
		return
	}
	if limit, used, ok := group.MemoryLimit(); ok {
		stat, _ := group.MemoryStat()
		m.CgroupLimit, m.CgroupUsed = limit, max(used-max(stat["file"], stat["cache"]), 0)
	}
	if left, ok := group.PIDLimit(); ok {
		m.PIDsLeft = left
	}
}

// resolve reads one URL as a worker does: the first address of version 4, if
// there is one.
func resolve(ctx context.Context, raw string) (netip.AddrPort, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return netip.AddrPort{}, fmt.Errorf("%q: want ws://host:port/path", raw)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Port() == "" {
		port, err = 80, nil
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q: port: %w", raw, err)
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q: %w", raw, err)
	}
	addr := addrs[0].Unmap()
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			addr = a
			break
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// tryBinds binds each source once that a pool would use. Of too few sources none
// is tried: that is said first.
func (m *Machine) tryBinds(s *scenario.Scenario, workers Workers) {
	n := need{s: s, workers: Workers{Here: max(workers.Here, 1), All: max(workers.All, workers.Here, 1)}, m: m}
	c, err := n.pool(m.Ports)
	if err != nil {
		return
	}
	pool, err := plan.NewPool(c)
	if err != nil {
		return
	}
	for _, a := range pool.Used(maxBinds) {
		if err := tryBind(a); err != nil {
			m.Unusable = append(m.Unusable, Unusable{a, err.Error()})
		}
	}
}

// tryBind binds without taking a port.
func tryBind(a netip.Addr) error {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: a.As16()})
	if a = a.Unmap(); a.Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: a.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // without it, it takes one for a moment
	return unix.Bind(fd, sa)
}
