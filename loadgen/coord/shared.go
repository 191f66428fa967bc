package coord

import (
	"net/netip"
	"net/url"
	"slices"

	"roost/loadgen/scenario"
	"roost/loadgen/usage"
)

// sharesProcessors reports whether a server may run on a processor of a worker:
// one is on this machine, and it is not known that they are kept apart.
func (r *run) sharesProcessors() bool {
	here := serversHere(r.s)
	if here == 0 {
		return false
	}
	var workers []int
	for _, m := range r.members {
		if m.Hello.Boot == r.hello.Boot {
			workers = append(workers, m.Hello.PID)
		}
	}
	return len(r.s.Server.PIDs) < here || !apart(r.s.Server.PIDs, workers)
}

// apart reports whether no process of a may run where one of b may, as far as
// the kernel says.
func apart(a, b []int) bool {
	taken := map[int]bool{}
	for _, pid := range a {
		cpus, err := usage.Process(pid).Processors()
		if err != nil {
			return false
		}
		for _, cpu := range cpus {
			taken[cpu] = true
		}
	}
	for _, pid := range b {
		cpus, err := usage.Process(pid).Processors()
		if err != nil || slices.ContainsFunc(cpus, func(cpu int) bool { return taken[cpu] }) {
			return false
		}
	}
	return true
}

// serversHere counts the servers on this machine, by their addresses.
func serversHere(s *scenario.Scenario) int {
	own, err := usage.Addresses()
	if err != nil {
		own = nil
	}
	hosts := map[string]bool{}
	for _, text := range s.Target.URLs {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		a, err := netip.ParseAddr(u.Hostname())
		if u.Hostname() == "localhost" || err == nil && (a.IsLoopback() || slices.Contains(own, a)) {
			hosts[u.Host] = true
		}
	}
	return len(hosts)
}
