package preflight

import (
	"fmt"
	"math"
	"math/bits"

	"roost/loadgen/plan"
	"roost/loadgen/scenario"
)

// What a connection costs, measured with up to 1.5 million of them.
const (
	// KernelPerEnd is bytes of kernel memory of one end of an idle connection
	// that epoll watches: TCP 2520, inode 862, file 195, dentry 193, epoll 208,
	// bind bucket 128, blobs and tables.
	KernelPerEnd = 4150
	// UserPerClient is bytes of a worker for one client, with some to spare.
	UserPerClient = 400
	// userPerWorker is bytes of a worker without clients.
	userPerWorker = 40 << 20
	// reserveFiles are descriptors of a worker that are no clients: its loop, the
	// coordinator, files, a look at /proc.
	reserveFiles = 72
	// threadsPerWorker is an upper bound of the threads of a worker.
	threadsPerWorker = 20
)

// Workers is who makes the run.
type Workers struct {
	Here int // workers on this machine
	All  int // on all machines
}

// need is what a scenario asks of this machine.
type need struct {
	s         *scenario.Scenario
	workers   Workers
	m         *Machine
	plan      scenario.Plan
	perWorker int64 // connections, and dials under way beside them
	here      int64 // connections that workers of this machine have
	ends      int64 // of connections, in this kernel
}

// Check lists what the machine has not enough of.
func Check(s *scenario.Scenario, workers Workers, m *Machine) (list []Shortfall) {
	workers.All = max(workers.All, workers.Here, 1)
	workers.Here = max(workers.Here, 1)
	n := need{s: s, workers: workers, m: m, plan: s.Plan()}
	most := int64(n.plan.MaxConnections)
	n.perWorker = ceil(most, int64(workers.All)) + ceil(int64(s.Clients.Window), int64(workers.All))
	n.here = min(ceil(most, int64(workers.All))*int64(workers.Here), most)
	n.ends = n.here
	if m.ServerHere() {
		n.ends = n.here + most // clients of other machines end here too
	}
	for _, check := range []func(*need) []Shortfall{(*need).files, (*need).allFiles, (*need).watches, (*need).sources, (*need).ports,
		(*need).tracking, (*need).memory, (*need).cgroup, (*need).buffers, (*need).pids, (*need).work} {
		list = append(list, check(&n)...)
	}
	return list
}

// others returns the descriptors of a worker that are no clients.
func others(s *scenario.Scenario) int64 {
	apis := max(len(s.Target.APIs), 1)
	return reserveFiles + int64(apis*scenario.LeastInFlight(apis))
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

// files: descriptors of one worker.
func (n *need) files() []Shortfall {
	want := n.perWorker + others(n.s)
	if n.m.FilesHard == 0 || want <= n.m.FilesHard {
		return nil
	}
	f := Shortfall{What: "descriptors of each worker", Need: fmt.Sprintf("%d (%d connections and dials, %d others)", want, n.perWorker, others(n.s)),
		Have: fmt.Sprintf("%d (ulimit -Hn)", n.m.FilesHard)}
	raise := fmt.Sprintf("ulimit -n %d", roundUp(want))
	if !n.m.RaiseHard {
		raise = fmt.Sprintf("have root raise the hard limit: LimitNOFILE=%d in the unit of systemd, or \"* hard nofile %[1]d\" in /etc/security/limits.conf and a new login", roundUp(want))
	}
	if n.m.NrOpen > 0 && want > n.m.NrOpen {
		raise = fmt.Sprintf("sysctl -w fs.nr_open=%d && %s", roundUp(want), raise)
	}
	if w := workersByFiles(n.s, int64(n.plan.MaxConnections), n.m); w > 0 {
		f.Mend = append(f.Mend, fmt.Sprintf("--workers %d", w))
	}
	f.Mend = append(f.Mend, raise)
	return []Shortfall{f}
}

// roundUp gives limits that people know again: powers of two.
func roundUp(n int64) int64 {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len64(uint64(n-1))
}

// allFiles: descriptors of the whole machine.
func (n *need) allFiles() []Shortfall {
	want := n.m.FilesUsed + n.ends + int64(n.workers.Here)*others(n.s)
	if n.m.Exempt || n.m.FileMax == 0 || want <= n.m.FileMax {
		return nil
	}
	return []Shortfall{{What: "descriptors of the machine", Need: fmt.Sprint(want), Have: fmt.Sprintf("%d (fs.file-max)", n.m.FileMax),
		Mend: []string{fmt.Sprintf("sysctl -w fs.file-max=%d", roundUp(want))}}}
}

// watches: registrations with epoll. Those that there are cannot be read.
func (n *need) watches() []Shortfall {
	if n.m.Watches == 0 || n.ends <= n.m.Watches {
		return nil
	}
	return []Shortfall{{What: "epoll watches of a user", Need: fmt.Sprint(n.ends), Have: fmt.Sprintf("%d (fs.epoll.max_user_watches)", n.m.Watches),
		Mend: []string{fmt.Sprintf("sysctl -w fs.epoll.max_user_watches=%d", roundUp(n.ends))}}}
}

// tracking: entries of the connection table. Beyond, packets are dropped: a run
// stopped at exactly 262,144.
func (n *need) tracking() []Shortfall {
	want := n.m.TrackUsed + max(n.here, n.ends-n.here)
	if n.m.TrackUsed == 0 || n.m.TrackMax == 0 || want <= n.m.TrackMax {
		return nil
	}
	return []Shortfall{{What: "entries of connection tracking", Need: fmt.Sprint(want), Have: fmt.Sprintf("%d (net.netfilter.nf_conntrack_max)", n.m.TrackMax),
		Mend: []string{fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", roundUp(want))}}}
}

// bytes is what connections and workers occupy here, the server's own memory
// left out: it is not known.
func (n *need) bytes() int64 {
	return n.ends*KernelPerEnd + n.here*UserPerClient + int64(n.workers.Here)*userPerWorker
}

func (n *need) memory() []Shortfall {
	if n.m.MemoryFree == 0 || n.bytes() <= n.m.MemoryFree {
		return nil
	}
	return []Shortfall{{What: "memory", Need: mib(n.bytes()) + " without the server's own", Have: mib(n.m.MemoryFree) + " free",
		Mend: []string{n.fewer(n.m.MemoryFree), "use more machines: loadgen worker"}}}
}

// cgroup: sockets count as memory of the group that made them.
func (n *need) cgroup() []Shortfall {
	want := n.here*(KernelPerEnd+UserPerClient) + int64(n.workers.Here)*userPerWorker
	left := n.m.CgroupLimit - n.m.CgroupUsed
	if n.m.CgroupLimit == 0 || want <= left {
		return nil
	}
	return []Shortfall{{What: "memory of this cgroup", Need: mib(want), Have: fmt.Sprintf("%s of %s", mib(left), mib(n.m.CgroupLimit)),
		Mend: []string{"raise memory.max of the group (container) to " + mib(n.m.CgroupUsed+want), n.fewer(left)}}}
}

// fewer says how many clients would fit into so much memory.
func (n *need) fewer(have int64) string {
	each := float64(n.bytes()) / math.Max(float64(n.plan.MaxConnections), 1)
	return fmt.Sprintf("--count %d (clients.count)", max(int64(float64(have)/each), 0))
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", max(n, 0)>>20) }

// buffers: what clients that do not read leave in the kernel, beside what they
// do by plan. Sends went on beyond the maximum of tcp_mem in trials of one
// burst, so it is advice.
func (n *need) buffers() []Shortfall {
	var slow float64
	for _, g := range n.s.Groups {
		if g.Read.Mode != scenario.ReadDrain {
			slow += g.Share * n.buffer(g.RcvBuf)
		}
	}
	for _, p := range n.s.Phases {
		for _, share := range []float64{slowShare(p.Slow), halfOpenShare(p.HalfOpen)} {
			slow = math.Max(slow, share*n.buffer(0))
		}
	}
	want := int64(slow * float64(n.plan.MaxConnections))
	if n.m.TCPMem == 0 || want <= n.m.TCPMem {
		return nil
	}
	pages := roundUp(want) >> 12
	return []Shortfall{{What: "buffers for input that is not read", Need: "up to " + mib(want), Have: mib(n.m.TCPMem) + " (net.ipv4.tcp_mem)", Advice: true,
		Mend: []string{fmt.Sprintf("sysctl -w net.ipv4.tcp_mem=%q", fmt.Sprintf("%d %d %d", pages/2, pages/4*3, pages)), "clients.rcvbuf: 4096"}}}
}

func slowShare(s *scenario.Slow) float64 {
	if s == nil {
		return 0
	}
	return s.Share
}

func halfOpenShare(h *scenario.HalfOpen) float64 {
	if h == nil {
		return 0
	}
	return h.Share
}

// buffer is how much a client takes that does not read; the kernel doubles what
// is asked for.
func (n *need) buffer(own int) float64 {
	switch {
	case own > 0:
		return 2 * float64(own)
	case n.s.Clients.RcvBuf > 0:
		return 2 * float64(n.s.Clients.RcvBuf)
	}
	return float64(n.m.RcvBuf)
}

func (n *need) pids() []Shortfall {
	want := int64(n.workers.Here) * threadsPerWorker
	if n.m.PIDsLeft < 0 || want <= n.m.PIDsLeft {
		return nil
	}
	return []Shortfall{{What: "processes and threads", Need: fmt.Sprint(want), Have: fmt.Sprintf("%d (pids.max of the cgroup)", n.m.PIDsLeft),
		Mend: []string{"raise pids.max of the group (container)", fmt.Sprintf("--workers %d", max(n.m.PIDsLeft/threadsPerWorker, 1))}}}
}

// pool is the arithmetic of source ports with the machine's range.
func (n *need) pool(system plan.Ports) (plan.PoolConfig, error) {
	ports, err := plan.ParsePorts(n.s.Clients.PortRange, system, n.m.RangeOption)
	return plan.PoolConfig{Sources: n.s.Clients.Sources, Local: n.m.Local, Destinations: n.m.Destinations, Clients: n.s.Clients.Count,
		Workers: n.workers.All, Here: n.workers.Here, Ports: ports, System: system, Reserved: n.m.Reserved, TimeWait: n.waiting(), Closing: n.s.Closing(timeWait)}, err
}
