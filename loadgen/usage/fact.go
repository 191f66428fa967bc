package usage

import (
	"os"
	"path/filepath"
	"strings"
)

// Fact is one thing about the machine, by its name.
type Fact struct {
	Name  string
	Value string
}

// facts is a list that leaves out what is not known.
type facts []Fact

func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, Fact{name, value})
	}
}

// sysctls are the settings of the kernel that matter to many sockets.
var sysctls = []string{
	"fs.file-max", "fs.nr_open", "fs.epoll.max_user_watches",
	"kernel.pid_max", "vm.max_map_count", "vm.swappiness",
	"net.core.somaxconn", "net.core.rmem_max", "net.core.wmem_max", "net.core.rmem_default", "net.core.wmem_default",
	"net.core.netdev_max_backlog", "net.core.busy_poll", "net.core.default_qdisc",
	"net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
	"net.ipv4.tcp_mem", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
	"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_abort_on_overflow", "net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_max_orphans",
	"net.ipv4.tcp_congestion_control", "net.ipv4.tcp_notsent_lowat", "net.ipv4.tcp_slow_start_after_idle",
	"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_ehash_entries",
	"net.netfilter.nf_conntrack_max",
}

// Sysctls lists their values; what this kernel has not got is left out.
func Sysctls() []Fact {
	var list facts
	for _, name := range sysctls {
		list.add(name, Sysctl(name))
	}
	return list
}

// Sysctl returns one value with single spaces, "" if there is none.
func Sysctl(name string) string {
	return word(filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/")))
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
