package window

// Stats is what a Meter holds of one epoch or of several.
type Stats struct {
	Count, Sum uint64
	Max        uint64 // 0 if Count is
}

// Mean returns Sum/Count, 0 if nothing was recorded.
func (s Stats) Mean() float64 {
	if s.Count == 0 {
		return 0
	}
	return float64(s.Sum) / float64(s.Count)
}

// add makes s the stats of both.
func (s *Stats) add(t Stats) {
	s.Count += t.Count
	s.Sum += t.Sum
	s.Max = max(s.Max, t.Max)
}

// Stats returns the stats of slots epochs, the last of which is e (0 to 32
// slots; more are taken as 32, fewer as 0).
func (m *Meter) Stats(e Epoch, slots int) (out Stats) {
	for range min(slots, Ring) {
		out.add(m.stats(e))
		e--
	}
	return out
}

// Counts returns the counts of m as a Source.
func (m *Meter) Counts() Source { return (*meterCounts)(m) }

// Sums returns the sums of m as a Source: its rate is values per second, bytes
// per second for one.
func (m *Meter) Sums() Source { return (*meterSums)(m) }

type meterCounts Meter

func (m *meterCounts) At(e Epoch) uint64 { return (*Meter)(m).stats(e).Count }

func (m *meterCounts) Sum(e Epoch, slots int) uint64 { return (*Meter)(m).Stats(e, slots).Count }

type meterSums Meter

func (m *meterSums) At(e Epoch) uint64 { return (*Meter)(m).stats(e).Sum }

func (m *meterSums) Sum(e Epoch, slots int) uint64 { return (*Meter)(m).Stats(e, slots).Sum }

// Meters is a Meter for each event loop, read as one.
type Meters struct {
	shards []Meter
}

// NewMeters returns meters with a shard for each of the given number of loops,
// at least one.
func NewMeters(shards int) *Meters { return &Meters{make([]Meter, max(shards, 1))} }

// Shards returns the number of shards.
func (m *Meters) Shards() int { return len(m.shards) }

// Shard returns shard i, 0 to Shards()-1.
func (m *Meters) Shard(i int) *Meter { return &m.shards[i] }

// Stats returns the stats of slots epochs, the last of which is e, over all
// shards.
func (m *Meters) Stats(e Epoch, slots int) (out Stats) {
	for i := range m.shards {
		out.add(m.shards[i].Stats(e, slots))
	}
	return out
}

// Counts returns the counts over all shards as a Source.
func (m *Meters) Counts() Source { return (*metersCounts)(m) }

// Sums returns the sums over all shards as a Source.
func (m *Meters) Sums() Source { return (*metersSums)(m) }

type metersCounts Meters

func (m *metersCounts) At(e Epoch) uint64 { return (*Meters)(m).Stats(e, 1).Count }

func (m *metersCounts) Sum(e Epoch, slots int) uint64 { return (*Meters)(m).Stats(e, slots).Count }

type metersSums Meters

func (m *metersSums) At(e Epoch) uint64 { return (*Meters)(m).Stats(e, 1).Sum }

func (m *metersSums) Sum(e Epoch, slots int) uint64 { return (*Meters)(m).Stats(e, slots).Sum }
