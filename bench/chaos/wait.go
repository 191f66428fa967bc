package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// awaitConnected waits until every device is.
func (x *trial) awaitConnected(within time.Duration) time.Duration {
	x.Helper()
	return x.await("all devices are connected", within, func() error {
		if n := x.fleet.Connected(); n != x.fleet.Len() {
			return fmt.Errorf("%d of %d are; %s", n, x.fleet.Len(), strings.Join(x.fleet.Faults(), "; "))
		}
		return nil
	})
}

// awaitStill waits until no device has been welcomed anywhere for so long: all are
// where they belong, or nobody moves them.
func (x *trial) awaitStill(still, within time.Duration) {
	x.Helper()
	last, since := -1, x.now()
	x.await("no device moves any more", within, func() error {
		n := 0
		for _, at := range x.fleet.Where() {
			n += at.Welcomes
		}
		if n != last {
			last, since = n, x.now()
		}
		if x.now()-since < still {
			return fmt.Errorf("the last one moved %v ago", (x.now() - since).Round(time.Millisecond))
		}
		return nil
	})
}

// spread says how many devices are on which node.
func (x *trial) spread() string {
	on := map[string]int{}
	for _, at := range x.fleet.Where() {
		if at.Connected {
			on[at.Node]++
		} else {
			on["nowhere"]++
		}
	}
	var words []string
	for _, node := range slices.Sorted(maps.Keys(on)) {
		words = append(words, fmt.Sprintf("%s %d", node, on[node]))
	}
	return strings.Join(words, ", ")
}

// on returns the devices that are connected to a node.
func (x *trial) on(node string) (devices []int) {
	for i, at := range x.fleet.Where() {
		if at.Connected && at.Node == node {
			devices = append(devices, i)
		}
	}
	return devices
}
