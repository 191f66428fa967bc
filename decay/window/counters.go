package window

// Counters is a Counter for each event loop, read as one. A shard is four cache
// lines of its own, so that loops on different cores do not take each other's.
type Counters struct {
	shards []Counter
}

// NewCounters returns counters with a shard for each of the given number of
// loops, at least one.
func NewCounters(shards int) *Counters {
	return &Counters{make([]Counter, max(shards, 1))}
}

// Shards returns the number of shards.
func (c *Counters) Shards() int { return len(c.shards) }

// Shard returns shard i, 0 to Shards()-1. Any goroutine may record in any shard:
// to share one only costs time.
func (c *Counters) Shard(i int) *Counter { return &c.shards[i] }

// At returns the count of epoch e over all shards.
func (c *Counters) At(e Epoch) (sum uint64) {
	for i := range c.shards {
		sum += c.shards[i].At(e)
	}
	return sum
}

// Sum returns the count of slots epochs, the last of which is e, over all
// shards.
func (c *Counters) Sum(e Epoch, slots int) (sum uint64) {
	p := piecesOf(e, slots)
	for i := range c.shards {
		sum += p.sum(&c.shards[i])
	}
	return sum
}
