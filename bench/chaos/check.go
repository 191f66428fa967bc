package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roost/bench/chaos/fleet"
	"roost/bench/chaos/rig"
)

// Bounds of what is checked. Presence is true within what server/presence says of
// its settings (Options.Bounds): a node that dies is gone when lease and beat are,
// its devices are offline after a grace.
const (
	presenceTime = 60 * time.Second
	ringTime     = 30 * time.Second
	levelTime    = 20 * time.Second
)

// spare is how much above its level before a node may be. Go's HTTP client keeps
// some connections, with two goroutines each, and tables of a store grow.
const (
	spareGoroutines  = 40
	spareDescriptors = 30
)

// check looks at everything that must hold.
func (x *trial) check() {
	x.checkLedger()
	x.checkRing()
	x.checkPresence()
	x.checkLevels()
}

// checkLedger is about messages and devices.
func (x *trial) checkLedger() {
	x.result.Ledger = x.ledger.Account()
	x.result.Reasons = x.publisher.Reasons()
	x.result.Faults = append(x.result.Faults, x.result.Ledger.Faults(x.s.Streams)...)
	x.result.Faults = append(x.result.Faults, x.fleet.Faults()...)
	if n := x.fleet.Connected(); n != x.fleet.Len() {
		x.fault("%d of %d devices are connected at the end", n, x.fleet.Len())
	}
}

// checkRing waits until all nodes hold the same.
func (x *trial) checkRing() {
	var err error
	for end := x.now() + ringTime; x.now() < end; time.Sleep(100 * time.Millisecond) {
		if x.result.Ring, err = x.cluster.Agreed(x.cluster.Living()); err == nil {
			return
		}
	}
	x.fault("nodes disagree about the ring after %v: %v", ringTime, err)
}

// checkPresence asks for all devices, each at any node, until what is said is what
// the devices say. Before that some devices are switched off, so that there is
// something else than online to be said.
func (x *trial) checkPresence() {
	off := max(x.fleet.Len()/50, 1)
	x.fleet.Stop(0, off)
	began := x.now()
	open := make([]int, x.fleet.Len())
	for i := range open {
		open[i] = i
	}
	x.result.Presence.Asked = len(open)
	var example string
	for end := began + presenceTime; len(open) > 0 && x.now() < end; time.Sleep(50 * time.Millisecond) {
		open, example = x.disagreeing(open)
	}
	x.result.Presence.Agreed, x.result.Presence.Wrong = x.now()-began, len(open)
	if len(open) > 0 {
		x.fault("presence is wrong of %d of %d devices after %v: %s", len(open), x.fleet.Len(), presenceTime, example)
	}
}

// disagreeing returns the devices of whom a node says something else than they, and
// one of them in words.
func (x *trial) disagreeing(devices []int) (wrong []int, example string) {
	nodes := x.cluster.Living()
	at := x.fleet.Where()
	var next atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(devices); i = next.Add(1) - 1 {
				d := devices[i]
				if said := disagreement(nodes[d%len(nodes)], x.fleet.Name(d), at[d]); said != "" {
					mu.Lock()
					wrong, example = append(wrong, d), said
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(wrong)
	return wrong, example
}

// disagreement says how a node's word differs from a device's, nothing if it does not.
func disagreement(n *rig.Node, id string, at fleet.At) string {
	d, err := n.Device(id)
	if err != nil {
		return err.Error()
	}
	want := ""
	if at.Connected {
		want = at.Node
	}
	if got := d.Where(); got != want {
		return fmt.Sprintf("node %s says that %s is %s, and it is %s", n.ID, id, place(got), place(want))
	}
	return ""
}

func place(node string) string {
	if node == "" {
		return "offline"
	}
	return "at " + node
}

// levels reads them of all nodes that run.
func (x *trial) levels() map[string]rig.Level {
	levels := map[string]rig.Level{}
	for _, n := range x.cluster.Living() {
		l, err := n.Level()
		if err != nil {
			x.Fatalf("%v", err)
		}
		levels[n.ID] = l
	}
	return levels
}

// checkLevels waits until goroutines and descriptors are where they were. A node
// that was not there before is held against the highest of those that were.
func (x *trial) checkLevels() {
	var highest rig.Level
	for _, l := range x.before {
		highest.Goroutines, highest.Descriptors = max(highest.Goroutines, l.Goroutines), max(highest.Descriptors, l.Descriptors)
	}
	var wrong []string
	for end := x.now() + levelTime; x.now() < end; time.Sleep(250 * time.Millisecond) {
		x.result.Before, x.result.After = x.before, x.levels()
		if wrong = above(x.before, x.result.After, highest); len(wrong) == 0 {
			return
		}
	}
	x.fault("not back to their level after %v: %s", levelTime, strings.Join(wrong, "; "))
}

// above says which nodes use more than they may.
func above(before, after map[string]rig.Level, highest rig.Level) (wrong []string) {
	for id, l := range after {
		was, known := before[id]
		if !known {
			was = highest
		}
		if l.Goroutines > was.Goroutines+spareGoroutines {
			wrong = append(wrong, fmt.Sprintf("%s has %d goroutines, before %d", id, l.Goroutines, was.Goroutines))
		}
		if l.Descriptors > was.Descriptors+spareDescriptors {
			wrong = append(wrong, fmt.Sprintf("%s has %d descriptors besides those of devices, before %d", id, l.Descriptors, was.Descriptors))
		}
	}
	slices.Sort(wrong)
	return wrong
}
