package coord

import "roost/loadgen/plan"

// memory is what a worker occupies with so many connections, while there are more and
// more. The zero memory has seen nothing.
type memory struct {
	before float64   // bytes without a connection; 0: not seen
	counts []float64 // of connections, each larger than the one before
	bytes  []float64 // with those
}

const (
	// leastCounts is how many numbers a slope needs: two always lie on a line.
	leastCounts = 3
	// step is how much larger than the last a number has to be, so that 900 are
	// the most of the 50 million that a scenario may have.
	step = 1.02
)

// note takes what a worker occupies. Of a number that was there before nothing
// is taken: memory then tells of load, or of what has not come back.
func (m *memory) note(connections int, rss int64) {
	n := len(m.counts)
	switch {
	case rss <= 0:
	case connections == 0 && n == 0:
		m.before = float64(rss)
	case connections > 0 && (n == 0 || float64(connections) > step*m.counts[n-1]):
		m.counts, m.bytes = append(m.counts, float64(connections)), append(m.bytes, float64(rss))
	}
}

// perConnection returns bytes for each connection: the slope over the numbers of
// connections, so that what the first ones bring along (code, the heap's first
// growth: 3 MB of a worker) drops out. Where fewer than three numbers were seen,
// or they are too close to each other to tell growth from chance, it is the
// difference to no connection, which has all that in it. 0: it is not known.
func (m *memory) perConnection() float64 {
	n := len(m.counts)
	if n == 0 {
		return 0
	}
	most := m.counts[n-1]
	if n >= leastCounts && most-m.counts[0] >= most/2 {
		if slope, _, ok := plan.Fit(m.counts, m.bytes); ok && slope > 0 {
			return slope
		}
	}
	if m.before == 0 {
		return 0
	}
	return max(m.bytes[n-1]-m.before, 0) / most
}
