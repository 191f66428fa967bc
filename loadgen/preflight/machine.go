package preflight

import (
	"net/netip"

	"roost/loadgen/plan"
)

// Machine is what this machine has, as far as connections need it. A limit that
// is 0 is none, or is not known.
type Machine struct {
	Cores int // that this process may use

	// Descriptors. The soft limit does not count: Go's runtime raises it to the
	// hard one when a process starts.
	FilesHard int64 // RLIMIT_NOFILE
	RaiseHard bool  // CAP_SYS_RESOURCE: we may raise it
	NrOpen    int64 // fs.nr_open: RLIMIT_NOFILE cannot be raised beyond
	FileMax   int64 // fs.file-max, of the whole machine
	FilesUsed int64 // of those
	Exempt    bool  // CAP_SYS_ADMIN: fs.file-max does not hold for us
	Watches   int64 // fs.epoll.max_user_watches, of one user

	// Source addresses and ports.
	Ports        plan.Ports // net.ipv4.ip_local_port_range
	Reserved     int        // of it, in net.ipv4.ip_local_reserved_ports
	RangeOption  bool       // the kernel has IP_LOCAL_PORT_RANGE
	TimeWait     int        // closed connections
	MaxTimeWait  int        // net.ipv4.tcp_max_tw_buckets: more are closed without
	Reuse        int64      // net.ipv4.tcp_tw_reuse: 1, their ports are to be had after a second; 2, on loopback
	Local        []netip.Addr
	Destinations []netip.AddrPort // of target.urls, in order
	Unusable     []Unusable       // sources that cannot be bound

	// Connection tracking: every connection takes an entry, if there is a rule
	// that wants it.
	TrackUsed int64 // 0: not active
	TrackMax  int64

	// Memory, in bytes.
	MemoryFree  int64 // MemFree + Cached - Shmem
	CgroupLimit int64 // of this process's group
	CgroupUsed  int64 // of it, not to be had back: without the page cache
	TCPMem      int64 // net.ipv4.tcp_mem, the maximum: of all socket buffers
	RcvBuf      int64 // default receive buffer, net.ipv4.tcp_rmem
	PIDsLeft    int64 // processes and threads that may still be started; -1: no limit
}

// Unusable is a source that no socket can be bound to.
type Unusable struct {
	Addr netip.Addr
	Why  string
}

// ServerHere reports whether the server is on this machine: its half of every
// connection is in the same kernel.
func (m *Machine) ServerHere() bool {
	for _, d := range m.Destinations {
		if m.isLocal(d.Addr()) {
			return true
		}
	}
	return false
}

// reuses reports whether the port of a connection that was closed is soon to be
// had again. Of a range that was full of them none was after half a second, and
// all were after 1.1 s.
func (m *Machine) reuses() bool {
	loopback := true
	for _, d := range m.Destinations {
		loopback = loopback && d.Addr().Unmap().IsLoopback()
	}
	return m.Reuse == 1 || m.Reuse == 2 && loopback
}

func (m *Machine) isLocal(a netip.Addr) bool {
	if a.Unmap().IsLoopback() {
		return true
	}
	for _, l := range m.Local {
		if l == a.Unmap() {
			return true
		}
	}
	return false
}
