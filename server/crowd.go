package server

import (
	"time"

	"roost/server/cluster"
)

// crowd is the devices of all nodes, and what those could take that are there when they come.
type crowd struct {
	devices int     // connected now
	budget  float64 // connects a second that all nodes take
	largest float64 // that the one takes that takes most
}

// add adds a node by what it says of itself.
func (c *crowd) add(w *cluster.Weight, budget float64) {
	if said, err := w.Said(); err == nil && said.Connections != nil {
		c.devices += *said.Connections
	}
	c.budget += budget
	c.largest = max(c.largest, budget)
}

const (
	// crowdRoom is how much longer the window is than the nodes need: devices that dial at a random time of it, again and
	// again while nobody is there, are at it with twice the density of those that dial once (a renewal
	// process: 1 / half of the window each), and a quarter is for chance.
	crowdRoom = 2.5
	// shortestWindow is what devices keep by themselves: their first backoff.
	shortestWindow = time.Second
	longestWindow  = 5 * time.Minute
)

// window is the time over which devices dial that find nobody at all, so that those nodes which are
// there first get no more than they take: all but the largest, as one of them may stay away. 0 is none: their
// backoff is as wide.
func (c *crowd) window() time.Duration {
	left := c.budget - c.largest
	if left <= 0 {
		left = c.budget // it is the only one
	}
	w := time.Duration(crowdRoom * float64(c.devices) / left * float64(time.Second))
	if w <= shortestWindow {
		return 0
	}
	return min(w, longestWindow)
}
