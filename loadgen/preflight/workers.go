package preflight

import (
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
	work := math.Ceil(p.PeakDeliveryRate/deliveriesPerWorker + p.PeakDialRate/dialsPerWorker)
	n := max(1, min(int(math.Min(work, 1<<20)), cores))
	return max(n, workersByFiles(s, int64(p.MaxConnections), m))
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
