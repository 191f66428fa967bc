package verify

import (
	"errors"
	"fmt"
	"math"

	"roost/ring"
)

const (
	slotBits = 14
	// Slots is the number of slots over which ids are counted: 16,384, as in a Redis
	// Cluster. An id's slot is the top 14 bits of its hash.
	Slots = 1 << slotBits
	// DefaultMostIDs is Options.MostIDs if that is 0.
	DefaultMostIDs = 3 << 19
	// MaxCount is the largest count of one line.
	MaxCount = 1 << 40
)

// Options of New. The zero value is the default.
type Options struct {
	// MostIDs is up to how many different ids are known one by one; beyond, a sample
	// of half to all of as many is. 27 to 56 bytes each, and half as much more while
	// the table grows; DefaultMostIDs, 1,572,864, if 0.
	MostIDs int
}

// Counter counts ids. It is for one goroutine. Its memory is bounded, whatever it
// is given: 130 MB at most with the default options, some MB for a few ids.
type Counter struct {
	placements []*placed
	hashes     []uint64 // of the line at hand, by placement
	ids        *distinct
	hot        hotIDs
	prefixes   *prefixes
	lines      uint64
	load       float64
	unequal    bool // a line had a count that is not 1
}

// placed is where load went under a placement.
type placed struct {
	Placement
	slots  []float64
	nodes  []float64
	nobody float64
}

// New returns a Counter of ids under one placement or several, side by side. It is
// an error to give none, or more than 8.
func New(o Options, placements ...Placement) (*Counter, error) {
	if len(placements) == 0 || len(placements) > 8 {
		return nil, fmt.Errorf("verify: %d placements, want 1 to 8", len(placements))
	}
	if o.MostIDs == 0 {
		o.MostIDs = DefaultMostIDs
	}
	if o.MostIDs < 0 || o.MostIDs > 1<<28 {
		return nil, fmt.Errorf("verify: MostIDs is %d, want 1 to 2^28, or 0", o.MostIDs)
	}
	c := &Counter{hashes: make([]uint64, len(placements)), prefixes: newPrefixes(len(placements))}
	alt := false
	for _, p := range placements {
		c.placements = append(c.placements, &placed{Placement: p, slots: make([]float64, Slots), nodes: make([]float64, len(p.Nodes))})
		alt = alt || p.seed
	}
	c.ids = newDistinct(o.MostIDs, alt)
	return c, nil
}

// ErrCount is a count above MaxCount.
var ErrCount = errors.New("verify: count too large")

// Add counts a line: an id, with how much load it stands for (messages, say); 1 if
// there is nothing to tell apart, 0 for an id that is there but idle. An id may
// come in many lines. It keeps no reference to id. The error is ErrCount.
func (c *Counter) Add(id []byte, count uint64) error {
	if count > MaxCount {
		return fmt.Errorf("%w: %d for id %.40q, at most %d", ErrCount, count, id, int64(MaxCount))
	}
	load := float64(count)
	hash, alt := ring.HashBytes(id), uint64(0)
	if c.ids.alt != nil {
		alt = seedHash(id)
	}
	for i, p := range c.placements {
		h := hash
		if p.seed {
			h = alt
		}
		c.hashes[i] = h
		p.add(h, load)
	}
	fresh := c.ids.add(hash, alt, load)
	c.hot.add(id, hash, load)
	c.prefixes.add(id, fresh, load, c.hashes)
	c.prefixes.shrink()
	c.lines++
	c.load += load
	c.unequal = c.unequal || count != 1
	return nil
}

func (p *placed) add(hash uint64, load float64) {
	p.slots[hash>>(64-slotBits)] += load
	if p.owner == nil {
		return
	}
	if i := p.owner(hash); int(i) < len(p.nodes) {
		p.nodes[i] += load
	} else {
		p.nobody += load
	}
}

// sampleFacts is what the sample of ids says of all.
type sampleFacts struct {
	ids     float64 // different ones: exact, or an estimate
	inUse   float64 // in the sample
	repeats float64 // share of lines that repeat an id
	// effective is the number of ids of equal load that scatter as much as the loads
	// do.
	effective float64
	lumps     lumps
}

func (c *Counter) facts(hot []hotID) (f sampleFacts) {
	scale := float64(uint64(1) << c.ids.level)
	f.inUse = float64(c.ids.n)
	f.ids = f.inUse * scale
	lines, squares, cubes := 0.0, 0.0, 0.0
	for i, hash := range c.ids.keys {
		if hash == 0 {
			continue
		}
		lines += float64(c.ids.lines[i])
		known := false
		for j := range hot {
			known = known || hot[j].hash == hash
		}
		if !known {
			load := c.ids.load[i]
			squares += scale * load * load
			cubes += scale * load * load * load
		}
	}
	for _, h := range hot {
		squares += h.load * h.load
		cubes += h.load * h.load * h.load
	}
	if lines > 0 {
		f.repeats = 1 - f.inUse/lines
	}
	if squares > 0 {
		f.effective = c.load * c.load / squares
		f.lumps = lumps(max(cubes*c.load/(squares*squares), 1))
	}
	return f
}

// idCounts returns the ids of the sample by slot and by node under a placement.
func (c *Counter) idCounts(p *placed) (slots, nodes []float64, nobody float64) {
	ids := &placed{Placement: p.Placement, slots: make([]float64, Slots), nodes: make([]float64, len(p.Nodes))}
	for i, hash := range c.ids.keys {
		if hash == 0 {
			continue
		}
		if p.seed {
			hash = c.ids.alt[i]
		}
		ids.add(hash, 1)
	}
	return ids.slots, ids.nodes, ids.nobody
}

// finite is v, or 0 if JSON has no number for it.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
