package server

import (
	"time"

	"roost/server/cluster"
)

// spreadMost is the longest time, in ms, over which devices come back for the case that other nodes have
// gone with theirs: mostly one goes alone, and 99 % of its devices are to be back within 10 s.
const spreadMost = 5_000

// spreadOver is the time in ms over which devices come back to nodes that take so many connects a second together: 1.6 times what
// those need, for how many come in one second varies, and who finds a node gone dials once more, or is sent to another (in the worst
// second of 5,101 devices 5,010 for a budget of 4,287 with 1, bench/results/chaos-2026-11-27; 3,570 for 3,397 with 1.25, chaos-2026-11-28-b).
func spreadOver(devices int, absorb float64) int { return max(1000, int(float64(devices)*1600/absorb)) }

// spreadAmong is the same for a node with own devices among others, which have elsewhere devices and take absorb connects a
// second, all together: as long as is needed if it goes, and up to spreadMost as long as is needed if half of the
// nodes go, itself among them.
func spreadAmong(own, elsewhere, others int, absorb float64) int {
	one := spreadOver(own, absorb)
	gone := (others + 1) / 2
	if gone < 2 {
		return one
	}
	lost := own + elsewhere*(gone-1)/others
	left := absorb * float64(others+1-gone) / float64(others)
	return max(one, min(spreadOver(lost, left), spreadMost))
}

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
	// again while nobody is there, are at any instant twice as dense as those that dial once (a renewal process: 1 / half of the
	// window each), and a tenth is for chance.
	crowdRoom = 2.2
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
