package decay

import (
	"errors"
	"math"
	"time"
)

// What Pipeline and Controller refuse.
var (
	ErrCapacity = errors.New("decay: capacity must be within 1e-6 to 1e6")
	ErrNoNode   = errors.New("decay: no such node: it was removed, or never added")
	ErrFull     = errors.New("decay: 65,535 nodes are the limit")
	ErrTaken    = errors.New("decay: this pipeline has a controller: only that one may make it step")
)

const (
	maxNodes = 65_535
	huge     = 1e15 // values above count as this
)

// Node names a node of one Pipeline. The zero value names none. It stays the
// same until the node is removed, and is not given again.
type Node struct{ slot, generation uint32 }

// Status says why a node's score is what it is.
type Status uint8

// A node's status moves so, at each Step:
//
//	Add ──> Unsampled ──Put──> Blackout ──Settings.Blackout after Add──> Measured
//	             ▲                ▲                                       │   ▲
//	             └───── Rejoin ───┴───────────────────────────────────────┤   │ Put
//	                                                  no sample for Expire▼   │
//	                                                                    Expired
//
// Only Measured nodes count for the others' mean and deviation.
const (
	Absent    Status = iota // not a node
	Unsampled               // no sample yet, or none of a signal that counts
	Blackout                // joined a moment ago: what it reads means nothing yet
	Expired                 // the last sample is too old, or from the future
	Measured                // its own samples decide
)

func (s Status) String() string {
	return [...]string{"absent", "unsampled", "blackout", "expired", "measured"}[min(s, Measured)]
}

// Pipeline makes a weight per node of the samples of all. It belongs to one
// goroutine. Times are durations since an origin that the caller chooses, on a
// monotonic clock.
type Pipeline struct {
	// Static after NewPipeline.
	set     Settings
	taken   bool                // it has a Controller
	inverse [NumSignals]float64 // 1/Scale
	blend   [NumSignals]float64 // weights, 0 for a signal that the form does not know
	used    uint8               // bit per signal with a weight

	// Per slot.
	nodes    []member
	clocks   []clocks
	capacity []float64
	level    [NumSignals][]float64 // smoothed, as a share of a full node; NaN is unknown
	score    []float64             // blended z, or relative score of the other forms
	share    []float64             // relative score after its bounds: weight / capacity
	status   []Status

	// Of the last Step.
	now     time.Duration
	steps   uint64
	counted int // nodes that are Measured
	joiners int // nodes under JoinCap
	stats   [NumSignals]stat
	mean    float64 // see meanShare
	meanOf  uint64  // the step that mean is of
	joinCap float64 // bound of a joiner's share

	free      []uint32
	scratch   []float64
	quantiles [NumSignals]quantiles
	pools     [NumSignals]pool
}

// member is what is known of a node besides its levels.
type member struct {
	name       string
	generation uint32
	last       Sample // as it came

	// For Explain.
	kept uint64 // the step that was is of
	was  seen
}

// seen is what the last Step saw and made of a node, put by before the first
// change after it.
type seen struct {
	sample          Sample
	sampled, joiner bool
	status          Status
	capacity        float64
	score, share    float64
	level           [NumSignals]float64
}

// clocks is what decides a node's status.
type clocks struct {
	at, joined    time.Duration
	used, sampled bool
	known         uint8 // bit per signal that has a level
}

// stat is one signal's population at the last Step.
type stat struct {
	moments
	sigma float64 // after the floors; 0 if no node has this signal
}

// NewPipeline returns a pipeline without nodes, or the error of
// Settings.Validate.
func NewPipeline(set Settings) (*Pipeline, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	p := &Pipeline{set: set.WithDefaults(), mean: 1, steps: 1}
	for s, sig := range p.set.Signals {
		p.inverse[s] = 1 / sig.Scale
		if p.set.Form != Given || Signal(s) <= Connections {
			p.blend[s] = sig.Weight
		}
		if p.blend[s] > 0 {
			p.used |= 1 << s
		}
		p.pools[s].ring = make([]moments, p.set.Window)
	}
	return p, nil
}

// Settings returns the settings in use, defaults filled in.
func (p *Pipeline) Settings() Settings { return p.set }

// Add puts a node in. capacity is its size relative to the others (1 is usual).
// Until its samples count it has the mean score.
func (p *Pipeline) Add(now time.Duration, name string, capacity float64) (Node, error) {
	if !validCapacity(capacity) {
		return Node{}, ErrCapacity
	}
	slot := uint32(len(p.nodes))
	share := p.meanShare()
	if n := len(p.free); n > 0 {
		slot, p.free = p.free[n-1], p.free[:n-1]
	} else {
		if slot >= maxNodes {
			return Node{}, ErrFull
		}
		p.grow()
	}
	m := &p.nodes[slot]
	*m = member{name: name, generation: m.generation + 1}
	p.capacity[slot] = capacity
	p.begin(slot, now)
	p.share[slot] = share
	return Node{slot, m.generation}, nil
}

func validCapacity(c float64) bool { return c >= 1e-6 && c <= 1e6 }

// grow adds a slot, and its room in the scratch.
func (p *Pipeline) grow() {
	p.nodes = append(p.nodes, member{})
	p.clocks = append(p.clocks, clocks{})
	p.score = append(p.score, 0)
	p.share = append(p.share, 1)
	p.status = append(p.status, Absent)
	p.capacity = append(p.capacity, 1)
	p.scratch = append(p.scratch, 0)
	for s := range NumSignals {
		q := &p.quantiles[s]
		p.level[s] = append(p.level[s], math.NaN())
		q.low.in, q.high.in, q.all = append(q.low.in, 0), append(q.high.in, 0), append(q.all, 0)
	}
}

// begin forgets what slot's node was.
func (p *Pipeline) begin(slot uint32, now time.Duration) {
	p.clocks[slot] = clocks{joined: now, used: true}
	p.status[slot] = Unsampled
	p.nodes[slot].last = Sample{}
	for s := range NumSignals {
		p.level[s][slot] = math.NaN()
	}
}

// find returns the slot of n.
func (p *Pipeline) find(n Node) (slot uint32, ok bool) {
	ok = n.generation != 0 && int(n.slot) < len(p.nodes) &&
		p.nodes[n.slot].generation == n.generation && p.clocks[n.slot].used
	return n.slot, ok
}

// Remove takes a node out.
func (p *Pipeline) Remove(n Node) error {
	slot, ok := p.find(n)
	if !ok {
		return ErrNoNode
	}
	p.meanShare()
	p.begin(slot, 0)
	p.clocks[slot].used = false
	p.status[slot] = Absent
	p.nodes[slot].name = ""
	p.free = append(p.free, slot)
	return nil
}

// Rejoin says that the node has begun anew: its samples are forgotten, and it is
// a joiner.
func (p *Pipeline) Rejoin(now time.Duration, n Node) error {
	slot, ok := p.find(n)
	if !ok {
		return ErrNoNode
	}
	mean := p.meanShare()
	p.keep(slot)
	p.begin(slot, now)
	if p.set.Unknown == HoldScore {
		p.share[slot] = mean // what it was before says nothing
	}
	return nil
}

// SetCapacity changes a node's capacity; the levels that are per capacity follow.
func (p *Pipeline) SetCapacity(n Node, capacity float64) error {
	slot, ok := p.find(n)
	switch {
	case !ok:
		return ErrNoNode
	case !validCapacity(capacity):
		return ErrCapacity
	}
	p.meanShare()
	p.keep(slot)
	for s := range NumSignals {
		if signals[s].perNode {
			p.level[s][slot] *= p.capacity[slot] / capacity
		}
	}
	p.capacity[slot] = capacity
	return nil
}

// Put takes a sample: each signal's level moves towards it by 1 - e^(-dt/Tau),
// dt being the time since the node's last sample. One that is not newer than
// that is ignored, unless it is older by more than Settings.Expire: then the
// clock has been set back, and the node begins with this sample.
func (p *Pipeline) Put(n Node, sample Sample) error {
	slot, ok := p.find(n)
	if !ok {
		return ErrNoNode
	}
	c, m := &p.clocks[slot], &p.nodes[slot]
	keep := 0.0 // weight of what was
	if c.sampled {
		dt := since(c.at, sample.At)
		switch {
		case dt <= 0 && !expired(sample.At, c.at, p.set.Expire):
			return nil
		case dt > 0 && p.set.Tau > 0:
			keep = math.Exp(-float64(dt) / float64(p.set.Tau))
		}
	}
	p.keep(slot)
	m.last = sample
	c.at, c.sampled, c.known = sample.At, true, 0
	for s, v := range sample.values() {
		if !(v >= 0 && v <= math.MaxFloat64) {
			p.level[s][slot] = math.NaN()
			continue
		}
		v = min(v+0, huge) * p.inverse[s] // +0 turns -0 into 0: see bitsOf
		if signals[s].perNode {
			v /= p.capacity[slot]
		}
		if old := p.level[s][slot]; keep > 0 && !math.IsNaN(old) {
			v += keep * (old - v)
		}
		p.level[s][slot] = v
		c.known |= 1 << s
	}
	return nil
}

// keep puts by what the last Step saw of a node, once.
func (p *Pipeline) keep(slot uint32) {
	m := &p.nodes[slot]
	if m.kept == p.steps {
		return
	}
	c := &p.clocks[slot]
	m.kept = p.steps
	m.was = seen{m.last, c.sampled, p.joining(since(c.joined, p.now)), p.status[slot], p.capacity[slot], p.score[slot], p.share[slot], m.was.level}
	for s := range NumSignals {
		m.was.level[s] = p.level[s][slot]
	}
}

// expired reports that two times, whichever is the later, are further apart than
// the limit. Their difference may exceed a Duration, but not a uint64.
func expired(a, b, limit time.Duration) bool {
	if a < b {
		a, b = b, a
	}
	return uint64(a)-uint64(b) > uint64(limit)
}

// Weight is the node's weight: its capacity x its relative score of the last
// Step, within [Min, Max] x capacity. A node that was added since has the mean
// score. 0 for no node.
func (p *Pipeline) Weight(n Node) float64 {
	slot, ok := p.find(n)
	if !ok {
		return 0
	}
	return p.share[slot] * p.capacity[slot]
}

// Capacity is the node's capacity, 0 for no node.
func (p *Pipeline) Capacity(n Node) float64 {
	slot, ok := p.find(n)
	if !ok {
		return 0
	}
	return p.capacity[slot]
}

// Status is the node's at the last Step, or Unsampled if it was added or has
// begun anew since.
func (p *Pipeline) Status(n Node) Status {
	slot, ok := p.find(n)
	if !ok {
		return Absent
	}
	return p.status[slot]
}

// Len is the number of nodes.
func (p *Pipeline) Len() int { return len(p.nodes) - len(p.free) }
