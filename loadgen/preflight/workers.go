package preflight

import (
	"fmt"
	"math"

	"roost/loadgen/scenario"
)

// What one worker, which has one loop, does at ease. Measured on two cores that
// generator and server shared: 128,000 deliveries and 42,000 dials a second for
// both together.
const (
	deliveriesPerWorker = 100_000
	dialsPerWorker      = 30_000
)

// AutoWorkers returns how many workers a scenario wants on this machine: as many
// as descriptors need, and as the busiest second has work for, but of those no
// more than there are cores; one is left to a server that is here.
func AutoWorkers(s *scenario.Scenario, m *Machine) int {
	p := s.Plan()
	cores := max(m.Cores, 1)
	if m.ServerHere() && cores > 1 {
		cores--
	}
	n := max(1, min(int(math.Min(math.Ceil(work(&p)), 1<<20)), cores))
	return max(n, workersByFiles(s, int64(p.MaxConnections), m))
}

// work is how many workers the busiest second keeps busy.
func work(p *scenario.Plan) float64 {
	return p.PeakDeliveryRate/deliveriesPerWorker + p.PeakDialRate/dialsPerWorker
}

// work: what the plan's busiest second asks of processors. It is advice: what a
// worker does here nobody knows before it has been measured (the ceiling).
func (n *need) work() []Shortfall {
	want := work(&n.plan) * float64(n.workers.Here) / float64(n.workers.All)
	have := min(n.workers.Here, max(n.m.Cores, 1))
	if want <= float64(have) {
		return nil
	}
	f := Shortfall{What: "work of the busiest second", Advice: true,
		Need: fmt.Sprintf("%.0f deliveries and %.0f dials, which is work for %.0f workers with a processor each,", n.plan.PeakDeliveryRate, n.plan.PeakDialRate, math.Ceil(want)),
		Have: fmt.Sprintf("%d workers on %d processors", n.workers.Here, n.m.Cores), Mend: []string{"a lower rate, or more machines: loadgen worker"}}
	if n.workers.Here < n.m.Cores {
		f.Mend = append(f.Mend, fmt.Sprintf("--workers %d", min(n.m.Cores, int(math.Min(math.Ceil(want), 1<<20)))))
	}
	return []Shortfall{f}
}

// workersByFiles returns how many workers have descriptors for so many
// connections, 0 if no number has.
func workersByFiles(s *scenario.Scenario, connections int64, m *Machine) int {
	if m.FilesHard == 0 {
		return 1
	}
	window := int64(s.Clients.Window)
	each := m.FilesHard - others(s)
	if each <= 0 {
		return 0
	}
	w := max(ceil(connections+window, each), 1)
	for ceil(connections, w)+ceil(window, w) > each { // rounded up twice
		if w > connections+window {
			return 0
		}
		w++
	}
	return int(w)
}
