package loadgen

import "roost/loadgen/usage"

// Work is what a stretch of time has cost, in nanoseconds.
type Work struct {
	Wall      int64 `json:"wall"`
	ServerCPU int64 `json:"server_cpu,omitempty"` // its process clock; needs --pid
	Softirq   int64 `json:"ksoftirqd_cpu"`        // of the machine, in steps of 10 ms
	ClientCPU int64 `json:"client_cpu"`           // the generator's, with its publishing
	Busy      int64 `json:"machine_cpu"`          // all work of the machine, in steps of 10 ms
	Steal     int64 `json:"machine_steal"`        // CPU time that the host took
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
	return Work{Wall: w.Wall + o.Wall, ServerCPU: w.ServerCPU + o.ServerCPU, Softirq: w.Softirq + o.Softirq,
		ClientCPU: w.ClientCPU + o.ClientCPU, Busy: w.Busy + o.Busy, Steal: w.Steal + o.Steal}
}

// meter is a reading of all clocks.
type meter struct{ at, server, softirq, client, busy, steal int64 }

// read reads the clocks. A server that has gone reads as 0, which ends up as a
// negative work and is seen.
func (s *swarm) read() meter {
	m := meter{softirq: int64(s.softirq.CPU())}
	if s.server != 0 {
		cpu, _ := s.server.CPU()
		m.server = int64(cpu)
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
		Softirq: m.softirq - from.softirq, ClientCPU: m.client - from.client,
		Busy: m.busy - from.busy, Steal: m.steal - from.steal}
}

// per returns microseconds of CPU per event.
func per(cpu int64, events float64) float64 {
	if events <= 0 {
		return 0
	}
	return float64(cpu) / 1e3 / events
}
