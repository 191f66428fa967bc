package plant

import (
	"math"
	"time"

	"roost/decay"
)

// Result is what a run came to. Loads are connections per capacity, relative to
// the mean of all nodes; a joiner does not count until it is full.
type Result struct {
	LoadStd     float64 // %, over the nodes, mean over time after the warm-up
	MaxLoad     float64 // largest over the mean, mean over time
	WorstLoad   float64 // the same, at its worst
	Change      float64 // %: mean over nodes of |change of the published weight| an update of 5 s
	Publishes   float64 // an hour: updates at which a weight changed
	Weights     float64 // an hour: changes of single weights
	Moves       float64 // % of all connections an hour
	WorstMoves  float64 // % of all connections in one minute
	Oscillation float64 // minus the least autocorrelation of a node's load in time: near 1 in a cycle
	Swing       float64 // %: deviation of a node's load in time; both are means over the first four nodes

	JoinerPeak float64 // %: largest share of new connections
	JoinerFair float64 // %: its share of capacity
	Fill       float64 // s until 90 % of the fair number, negative if never
	Overshoot  float64 // its largest load over the mean

	Storms   float64 // seconds in the state
	Restored float64 // s after a drop until the deviation is below 5 %, negative if never

	Trace Trace `json:"-"` // the same seed gives it again
}

// Trace is the run at every fifth second.
type Trace struct {
	Minute      []float64
	LoadStd     []float64 // %
	MaxLoad     []float64
	JoinerLoad  []float64    // over the mean; NaN before it is there
	JoinerShare []float64    // % of new connections
	Placements  []float64    // a second
	Moved       []float64    // % of all connections, in the 5 s
	Loads       [4][]float64 // of the first nodes, over the mean
	Weights     [4][]float64 // published, per capacity told
}

// Cycles reports a limit cycle: loads that swing by more than 2 % and come back
// in phase.
func (r *Result) Cycles() bool { return r.Swing > 2 && r.Oscillation > 0.6 }

const every = 5 // seconds of a trace point

// meter measures a run.
type meter struct {
	Result
	points, moved5, moved60 float64
	minute                  []float64 // moved in each of the last 60 s
	changes                 float64
	joinAt                  time.Duration
	joiner                  int // index; -1 none
	full                    bool
}

func (m *meter) begin(s *sim) {
	m.joiner = -1
	m.minute = make([]float64, 60)
	m.Fill, m.Restored = -1, -1
}

// joined notes that the last node has just joined.
func (m *meter) joined(now time.Duration) { m.joinAt, m.joiner = now, -2 }

// second measures the second after now.
func (m *meter) second(s *sim, now time.Duration, r decay.Result, old []float64, moved float64) {
	if m.joiner == -2 {
		m.joiner = len(s.nodes) - 1
		m.JoinerFair = 100 * s.nodes[m.joiner].capacity / s.total
	}
	std, worst, mean := m.spread(s)
	m.join(s, now, mean)
	if r.State == decay.Storm {
		m.Storms++
	}
	if d := s.set.Drop; d.Share > 0 && now > d.At && m.Restored < 0 && std < 5 && s.away < 0.01*s.set.Connections {
		m.Restored = (now - d.At).Seconds()
	}
	share := 100 * moved / s.set.Connections
	m.moved5 += share
	if now >= s.set.Warmup {
		m.points++
		m.LoadStd += std
		m.MaxLoad += worst
		m.WorstLoad = max(m.WorstLoad, worst)
		m.publications(s, old)
		m.Moves += share
		k := int(now/time.Second) % 60
		m.moved60 += share - m.minute[k]
		m.minute[k] = share
		m.WorstMoves = max(m.WorstMoves, m.moved60)
	}
	if now%(every*time.Second) == 0 {
		m.trace(s, now, std, worst, mean)
	}
}

// spread returns the deviation of loads in %, the largest over the mean, and the
// mean.
func (m *meter) spread(s *sim) (std, worst, mean float64) {
	n, sum, squares, most := 0.0, 0.0, 0.0, 0.0
	for i, node := range s.nodes {
		if i == m.joiner && !m.full {
			continue
		}
		l := node.active / node.capacity
		n++
		sum += l
		squares += l * l
		most = max(most, l)
	}
	mean = sum / n
	return 100 * math.Sqrt(max(squares/n-mean*mean, 0)) / mean, most / mean, mean
}

// join follows a joiner.
func (m *meter) join(s *sim, now time.Duration, mean float64) {
	if m.joiner < 0 {
		return
	}
	n := s.nodes[m.joiner]
	m.JoinerPeak = max(m.JoinerPeak, 100*s.share(m.joiner))
	fair := s.set.Connections * n.capacity / s.total
	if !m.full && n.active >= 0.9*fair {
		m.full, m.Fill = true, (now - m.joinAt).Seconds()
	}
	m.Overshoot = max(m.Overshoot, n.active/fair)
}

// publications counts the weights that have changed since old.
func (m *meter) publications(s *sim, old []float64) {
	changed := 0.0
	for i, w := range s.weights {
		if i < len(old) && old[i] > 0 && w != old[i] {
			changed++
			m.changes += math.Abs(w/old[i]-1) / float64(len(old))
		}
	}
	m.Weights += changed
	if changed > 0 {
		m.Publishes++
	}
}

// trace adds a point.
func (m *meter) trace(s *sim, now time.Duration, std, worst, mean float64) {
	t := &m.Trace
	t.Minute = append(t.Minute, now.Minutes())
	t.LoadStd = append(t.LoadStd, std)
	t.MaxLoad = append(t.MaxLoad, worst)
	t.Placements = append(t.Placements, s.placed)
	t.Moved = append(t.Moved, m.moved5)
	m.moved5 = 0
	load, share := math.NaN(), math.NaN()
	if m.joiner >= 0 {
		load = s.nodes[m.joiner].active / s.nodes[m.joiner].capacity / mean
		share = 100 * s.share(m.joiner)
	}
	t.JoinerLoad = append(t.JoinerLoad, load)
	t.JoinerShare = append(t.JoinerShare, share)
	for i := range min(len(t.Loads), len(s.nodes)) {
		t.Loads[i] = append(t.Loads[i], s.nodes[i].active/s.nodes[i].capacity/mean)
		t.Weights[i] = append(t.Weights[i], s.weights[i]/s.nodes[i].told)
	}
}

// result turns sums into means.
func (m *meter) result(s *sim) Result {
	hours := m.points / 3600
	if m.points > 0 {
		m.LoadStd /= m.points
		m.MaxLoad /= m.points
		m.Change = 100 * m.changes / (m.points / every)
		m.Publishes /= hours
		m.Weights /= hours
		m.Moves /= hours
	}
	warm := int(s.set.Warmup/time.Second) / every
	n := 0.0
	for _, l := range m.Trace.Loads {
		if len(l) > warm+8 {
			swing, o := oscillation(l[warm:])
			m.Swing += 100 * swing
			m.Oscillation += o
			n++
		}
	}
	if n > 0 {
		m.Swing /= n
		m.Oscillation /= n
	}
	return m.Result
}

// oscillation returns the deviation of a series in time, and minus its least
// autocorrelation at lags up to a third of it: a cycle has nearly 1, noise with a
// memory little.
func oscillation(v []float64) (std, cycle float64) {
	mean := 0.0
	for _, x := range v {
		mean += x / float64(len(v))
	}
	var power float64
	for _, x := range v {
		power += (x - mean) * (x - mean)
	}
	if power <= 1e-20*mean*mean*float64(len(v)) { // rounding
		return 0, 0
	}
	for lag := 1; lag <= len(v)/3; lag++ {
		sum := 0.0
		for i := lag; i < len(v); i++ {
			sum += (v[i] - mean) * (v[i-lag] - mean)
		}
		r := sum / power * float64(len(v)) / float64(len(v)-lag)
		cycle = max(cycle, -r)
	}
	return math.Sqrt(power / float64(len(v))), min(cycle, 1)
}
