package publisher

import (
	"sync"
	"time"
)

// call is what one Publish or Send waits for: the results of its messages' items.
type call struct {
	done chan struct{}  // closed when the last is in; nil with over
	over func(r Result) // of Send

	mu        sync.Mutex // covers the following
	results   []Result
	left      int  // items without a result
	abandoned bool // nobody waits any more: results belong to who waited
}

// item is a line of a request: a message, or the part of one with many devices that
// one node gets. It belongs to whoever has it: a lane, then who delivers.
type item struct {
	call     *call
	message  int // of the call
	devices  []int
	count    int    // results that a node gives for it
	line     []byte // of JSON
	hash     uint64 // of the target
	live     bool   // must not be repeated if it may have been taken
	wait     time.Duration
	deadline time.Time
	cost     int64

	failed []string // nodes that did not take it, in this round
	tried  int
	last   error // why the last one did not
}

// gone reports whether nobody waits for the item's result.
func (c *call) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.abandoned
}

// finish takes the result of an item, given as by a node: one for each device, or
// one for all of it.
func (c *call) finish(it *item, rs []Result) {
	c.mu.Lock()
	if c.abandoned {
		c.mu.Unlock()
		return
	}
	m := &c.results[it.message]
	if len(it.devices) == 0 {
		fill(m, &rs[0])
	}
	for i, at := range it.devices {
		fill(&m.Devices[at], &rs[min(i, len(rs)-1)])
	}
	c.left--
	last := c.left == 0
	if last {
		c.abandoned = true
		for i := range c.results {
			c.results[i].sum()
		}
	}
	c.mu.Unlock()
	switch {
	case !last:
	case c.over != nil:
		c.over(c.results[0])
	default:
		close(c.done)
	}
}

// fill takes over what a node said, and leaves what the result is of.
func fill(to, from *Result) {
	from.Device, from.Topic, from.All, from.ID, from.Devices = to.Device, to.Topic, to.All, to.ID, to.Devices
	*to = *from
}

// abandon returns the results as they are, with err where there is none yet.
func (c *call) abandon(err error) []Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abandoned = true
	for i := range c.results {
		r := &c.results[i]
		for j := range r.Devices {
			late(&r.Devices[j], err)
		}
		if len(r.Devices) == 0 {
			late(r, err)
		}
		r.sum()
	}
	return c.results
}

func late(r *Result, err error) {
	if r.Status == "" && r.Err == nil {
		r.Err = err
	}
}

// sum says of a message to many devices what of one: the error of the first that has
// one.
func (r *Result) sum() {
	for i := range r.Devices {
		if d := &r.Devices[i]; r.Err == nil {
			r.Err = d.Err
		}
		r.Tried = max(r.Tried, r.Devices[i].Tried)
	}
}
