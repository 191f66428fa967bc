package loadgen

import "roost/loadgen/usage"

// Work is what a stretch of time has cost, in nanoseconds.
type Work struct {
	Wall      int64 `json:"wall"`
	ServerCPU int64 `json:"server_cpu,omitempty"` // its process clock; needs --pid
	// The kernel's division of the server's CPU, in steps of 10 ms; the sum is
	// ServerCPU's to measure.
	ServerUser   int64 `json:"server_user,omitempty"`
	ServerSystem int64 `json:"server_system,omitempty"`
	Softirq      int64 `json:"ksoftirqd_cpu"` // of the machine, in steps of 10 ms
	ClientCPU    int64 `json:"client_cpu"`    // the generator's, with its publishing
	Busy         int64 `json:"machine_cpu"`   // all work of the machine, in steps of 10 ms
	Steal        int64 `json:"machine_steal"` // CPU time that the host took
}

// Other returns the cores that were busy with neither server, generator nor
// ksoftirqd, or stolen by the host: above some tenths the numbers are noise.
// Without --pid the server is in it.
func (w Work) Other() float64 {
	return max(0, float64(w.Busy+w.Steal-w.ServerCPU-w.Softirq-w.ClientCPU)/max(float64(w.Wall), 1))
}

// serverSum is the server's CPU with that of ksoftirqd.
func (w Work) serverSum() int64 { return w.ServerCPU + w.Softirq }

// plus adds the work of another stretch of time.
func (w Work) plus(o Work) Work {
	return Work{Wall: w.Wall + o.Wall, ServerCPU: w.ServerCPU + o.ServerCPU,
		ServerUser: w.ServerUser + o.ServerUser, ServerSystem: w.ServerSystem + o.ServerSystem, Softirq: w.Softirq + o.Softirq,
		ClientCPU: w.ClientCPU + o.ClientCPU, Busy: w.Busy + o.Busy, Steal: w.Steal + o.Steal}
}

// meter is a reading of all clocks.
type meter struct{ at, server, user, system, softirq, client, busy, steal int64 }

// read reads the clocks. A server that has gone reads as 0, which ends up as a
// negative work and is seen.
func (s *swarm) read() meter {
	m := meter{softirq: int64(s.softirq.CPU())}
	if s.server != 0 {
		cpu, _ := s.server.CPU()
		m.server = int64(cpu)
		user, system, _ := s.server.Times()
		m.user, m.system = int64(user), int64(system)
	}
	busy, steal := usage.Machine()
	m.busy, m.steal = int64(busy), int64(steal)
	own, _ := usage.Process(0).CPU()
	m.client = int64(own)
	m.at = s.clock.now()
	return m
}

// since returns the work between two readings.
func (m meter) since(from meter) Work {
	return Work{Wall: m.at - from.at, ServerCPU: m.server - from.server,
		ServerUser: m.user - from.user, ServerSystem: m.system - from.system,
		Softirq: m.softirq - from.softirq, ClientCPU: m.client - from.client,
		Busy: m.busy - from.busy, Steal: m.steal - from.steal}
}

// UserShare returns the share of the server's CPU that was its own, not the
// kernel's.
func (w Work) UserShare() float64 {
	return float64(w.ServerUser) / max(float64(w.ServerUser+w.ServerSystem), 1)
}

// per returns microseconds of CPU per event.
func per(cpu int64, events float64) float64 {
	if events <= 0 {
		return 0
	}
	return float64(cpu) / 1e3 / events
}
