package result

import (
	"slices"
	"strings"
	"time"
)

const needsProbe = "no server was probed, or it does not say: give its --pid or --metrics-url"

// serverFamilies are of the probed processes of the server, all together. Bytes
// per connection are taken at the end of the phase with the most connections.
var serverFamilies = []family{
	{name: "server.cpu_per_msg", unit: "ns/msg", better: lower, needs: needsProbe, value: perMessage(serverCPU)},
	{name: "server.cpu_to_loadgen", unit: "ratio", better: lower, needs: "no server was probed on this machine: give its --pid", value: toLoadgen},
	{name: "server.user_cpu_per_msg", unit: "ns/msg", better: lower, needs: needsProbe, value: perMessage(serverUser)},
	{name: "server.cpu_cores", unit: "cores", better: lower, needs: needsProbe, value: cores(serverCPU)},
	{name: "server.rss_b_per_conn", unit: "B/conn", better: lower, needs: needsProbe, value: perConn(rss)},
	{name: "server.pss_b_per_conn", unit: "B/conn", better: lower, needs: needsProbe, value: perConn(pss)},
	grown("server.user_b_per_conn", memory{"rss", rss, false}),
	grown("server.heap_b_per_conn", memory{"heap", func(u *ServerUse) int64 { return u.Heap }, false}),
	grown("server.stack_b_per_conn", memory{"stacks", func(u *ServerUse) int64 { return u.Stacks }, false}),
	grown("server.kernel_b_per_conn", memory{"slab", func(u *ServerUse) int64 { return u.Slab }, true}, sock),
	grown("server.sock_b_per_conn", sock),
	{name: "server.goroutines", unit: "1", better: lower, needs: needsProbe, value: level(func(u *ServerUse) int64 { return int64(u.Goroutines) })},
	{name: "server.files", unit: "1", better: lower, needs: needsProbe, value: level(func(u *ServerUse) int64 { return int64(u.Files) })},
	{name: "server.gc_pause_max", unit: "ns", better: lower, needs: needsProbe, value: gcPause},
	{name: "system.cpu_per_msg", unit: "ns/msg", better: lower, needs: needsProbe, value: perMessage(systemCPU)},
}

// memory is a kind of memory: its name in Server.Slope, and its level.
type memory struct {
	slope   string
	level   func(*ServerUse) int64
	machine bool // each server says what the whole machine has, unless a cgroup is asked
}

var sock = memory{"sock", func(u *ServerUse) int64 { return u.Sock }, true}

// add adds what a server has to what others have.
func (k memory) add(sum, v float64, s *Server) float64 {
	if k.machine && !strings.Contains(s.Source, "cgroup") {
		return max(sum, v)
	}
	return sum + v
}

func rss(u *ServerUse) int64 { return u.RSS }
func pss(u *ServerUse) int64 { return u.PSS }

func serverCPU(p *Phase) (sum time.Duration) {
	for i := range p.Servers {
		sum += p.Servers[i].CPU
	}
	return sum
}

func serverUser(p *Phase) (sum time.Duration) {
	for i := range p.Servers {
		sum += p.Servers[i].User
	}
	return sum
}

// systemCPU is what server, workers and the kernel's own threads used. The
// softirq time is the machine's, so each server has all of it.
func systemCPU(p *Phase) time.Duration {
	softirq := time.Duration(0)
	for i := range p.Servers {
		softirq = max(softirq, p.Servers[i].Softirq)
	}
	return serverCPU(p) + softirq + time.Duration(p.Workers.Cores*float64(p.Length))
}

// toLoadgen is the server's CPU time over that of the workers, in the phases with
// deliveries. The workers do the same for every server, so that what makes the
// machine slower for a while (its other guests, its clock) makes both slower and
// falls out: of ten pairs of one server's runs per-message times differed by up to
// 22 %, and this by 4.
func toLoadgen(s *scope) (float64, string, bool) {
	var server, workers float64
	for i := range s.run.Servers {
		if s.run.Servers[i].Source == "metrics" { // it may be another machine's, and then nothing falls out
			return 0, "", false
		}
	}
	for _, p := range s.phases {
		if len(p.Servers) > 0 && s.countsOf(p, false).Delivered > 0 {
			server += serverCPU(p).Seconds()
			workers += p.Workers.Cores * p.Length.Seconds()
		}
	}
	return server / workers, "", server > 0 && workers > 0
}

// perMessage is CPU time per delivered message, over the phases with
// deliveries; without any, per established connection.
func perMessage(cpu func(*Phase) time.Duration) func(*scope) (float64, string, bool) {
	return func(s *scope) (float64, string, bool) {
		var delivered, established uint64
		var forDelivered, forEstablished time.Duration
		for _, p := range s.phases {
			c := s.countsOf(p, false)
			if len(p.Servers) == 0 {
				continue
			}
			if c.Delivered > 0 {
				delivered += c.Delivered
				forDelivered += cpu(p)
			} else if c.Established > 0 {
				established += c.Established
				forEstablished += cpu(p)
			}
		}
		switch {
		case delivered > 0 && forDelivered > 0:
			return float64(forDelivered) / float64(delivered), "per delivered message", true
		case delivered == 0 && established > 0 && forEstablished > 0:
			return float64(forEstablished) / float64(established), "per established connection: nothing was delivered", true
		}
		return 0, "", false
	}
}

// cores is CPU time over time, of the phases in which a server was probed.
func cores(cpu func(*Phase) time.Duration) func(*scope) (float64, string, bool) {
	return func(s *scope) (float64, string, bool) {
		var used, length time.Duration
		for _, p := range s.phases {
			if len(p.Servers) > 0 {
				used += cpu(p)
				length += p.Length
			}
		}
		return float64(used) / float64(length), "", used > 0 && length > 0
	}
}

// anyPhase takes every phase.
func anyPhase(*Phase) bool { return true }

// fullest is the phase with the most connections at its end, of those that take
// takes; of equal ones the later, nil if no server was probed.
func (s *scope) fullest(take func(*Phase) bool) (most *Phase) {
	for _, p := range s.phases {
		if len(p.Servers) > 0 && take(p) && (most == nil || p.Connected >= most.Connected) {
			most = p
		}
	}
	return most
}

// sumLevel adds a level up over servers. -1, and 0, which no process has, are
// levels that were not read.
func sumLevel(uses []ServerUse, of func(*ServerUse) int64) (sum int64, ok bool) {
	for i := range uses {
		v := of(&uses[i])
		if v <= 0 {
			return 0, false
		}
		sum += v
	}
	return sum, len(uses) > 0
}

func level(of func(*ServerUse) int64) func(*scope) (float64, string, bool) {
	return func(s *scope) (float64, string, bool) {
		p := s.fullest(anyPhase)
		if p == nil {
			return 0, "", false
		}
		sum, ok := sumLevel(p.Servers, of)
		return float64(sum), "", ok
	}
}

// perConn is a whole level per connection: what a server needs without any is
// in it.
func perConn(of func(*ServerUse) int64) func(*scope) (float64, string, bool) {
	return func(s *scope) (float64, string, bool) {
		p := s.fullest(anyPhase)
		if p == nil || p.Connected <= 0 {
			return 0, "", false
		}
		sum, ok := sumLevel(p.Servers, of)
		return float64(sum) / float64(p.Connected), "the whole of it per connection", ok
	}
}

// grown is what memory grew by per connection: the slope over the counts that
// were seen if every server has one, else the difference to before the first
// connection.
func grown(name string, kinds ...memory) family {
	return family{name: name, unit: "B/conn", better: lower, needs: needsProbe + "; or it was restarted, and is not the process of before the first connection", value: func(s *scope) (float64, string, bool) {
		if v, ok := s.slope(kinds); ok {
			return v, "slope over the numbers of connections", true
		}
		v, ok := s.difference(kinds)
		return v, "difference to before the first connection", ok
	}}
}

// slope is the sum of the servers' slopes, each of which is over the connections
// of all.
func (s *scope) slope(kinds []memory) (all float64, ok bool) {
	servers := s.run.Servers
	if s.phase != "" { // a slope is the run's
		return 0, false
	}
	for _, k := range kinds {
		sum := 0.0
		for i := range servers {
			v, has := servers[i].Slope[k.slope]
			if !has {
				return 0, false
			}
			sum = k.add(sum, v, &servers[i])
		}
		all += sum
	}
	return all, len(servers) > 0
}

// difference is how much larger a level was at the end of the fullest phase
// than before, per connection.
func (s *scope) difference(kinds []memory) (float64, bool) {
	p := s.fullest(func(p *Phase) bool { return !slices.ContainsFunc(p.Servers, func(u ServerUse) bool { return u.Moved }) })
	if p == nil || p.Connected <= 0 {
		return 0, false
	}
	all := 0.0
	for _, k := range kinds {
		sum := 0.0
		for i := range p.Servers {
			if i >= len(s.run.Servers) || s.run.Servers[i].Before == nil {
				return 0, false
			}
			before, after := k.level(s.run.Servers[i].Before), k.level(&p.Servers[i])
			if before < 0 || after < 0 {
				return 0, false
			}
			sum = k.add(sum, float64(after-before), &s.run.Servers[i])
		}
		all += sum
	}
	return all / float64(p.Connected), true
}

func gcPause(s *scope) (float64, string, bool) {
	longest := time.Duration(0)
	for _, p := range s.phases {
		for i := range p.Servers {
			longest = max(longest, p.Servers[i].GCPauseMax)
		}
	}
	return float64(longest), "", longest > 0
}

// generatorFamilies are of the workers, all together.
var generatorFamilies = []family{
	{name: "loadgen.cores", unit: "cores", better: lower, needs: "no phase was run", value: generatorCores},
	{name: "loadgen.run_delay", unit: "share", better: lower, needs: "no phase was run", value: generatorDelay},
	{name: "loadgen.rss", unit: "B", better: lower, needs: "the workers' memory was not read", value: generatorRSS},
	{name: "loadgen.user_b_per_conn", unit: "B/conn", better: lower, needs: "the workers' memory was not read, or it is asked for in one phase: it is the run's", value: generatorMemory},
}

func generatorCores(s *scope) (float64, string, bool) {
	var used float64
	var length time.Duration
	for _, p := range s.phases {
		used += p.Workers.Cores * float64(p.Length)
		length += p.Length
	}
	return used / float64(length), "", length > 0
}

func generatorDelay(s *scope) (most float64, _ string, _ bool) {
	for _, p := range s.phases {
		most = max(most, p.Workers.RunDelay)
	}
	return most, "", len(s.phases) > 0
}

func generatorRSS(s *scope) (float64, string, bool) {
	most := int64(0)
	for _, p := range s.phases {
		most = max(most, p.Workers.RSS)
	}
	return float64(most), "", most > 0
}

func generatorMemory(s *scope) (float64, string, bool) {
	var bytes float64
	clients := 0
	for _, w := range s.run.Workers {
		bytes += w.UserPerConn * float64(w.Clients)
		clients += w.Clients
	}
	return bytes / float64(clients), "", s.phase == "" && bytes > 0
}
