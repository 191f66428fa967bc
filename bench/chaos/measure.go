package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"roost/bench/chaos/fleet"
	"roost/server/metrics"
)

// mostGaps is how many times without a connection are told, the longest.
const mostGaps = 10

// measure enters what there is to measure of every scenario.
func (x *trial) measure(hurt, mended time.Duration) {
	now := x.now()
	x.result.Delivery = spreadOf(x.ledger.Latencies(0, now))
	x.result.Hurt = spreadOf(x.ledger.Latencies(hurt, mended))
	x.result.Dials = x.balancer.Dials(hurt, now)
	x.result.Late = x.publisher.Late()
	longest := make([]time.Duration, x.fleet.Len()) // of each device
	var gaps []time.Duration
	all := x.fleet.Gaps(hurt, now)
	slices.SortFunc(all, func(a, b fleet.Gap) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
	for _, g := range all[:min(len(all), mostGaps)] {
		x.result.Gaps = append(x.result.Gaps, fmt.Sprintf("%s for %v from %.2f s on, at %s before, then %s", x.fleet.Name(g.Device), (g.To-g.From).Round(time.Millisecond), g.From.Seconds(), g.Node, place(g.Then)))
	}
	for _, g := range all {
		longest[g.Device] = max(longest[g.Device], g.To-g.From)
	}
	for _, d := range longest {
		if d > 0 {
			gaps = append(gaps, d)
		}
	}
	slices.Sort(gaps)
	slices.Sort(longest)
	x.result.Without = spreadOf(gaps)
	x.result.WithoutAll = spreadOf(longest)
}

// recoverFrom measures how devices come back that lose their node at an instant, which
// is before now: it waits until all are connected, and counts when each had caught
// up. lost are the devices, budget what the nodes that are left take a second, putOff how
// many those had put off before.
func (x *trial) recoverFrom(lost []int, at time.Duration, budget float64, putOff int) {
	back := map[int]time.Duration{}
	x.await("the devices of the node are back", 60*time.Second, func() error {
		where := x.fleet.Where()
		for _, d := range lost {
			if _, is := back[d]; !is && where[d].Connected && where[d].Since > at {
				back[d] = where[d].Since
			}
		}
		if n := len(lost) - len(back); n > 0 {
			return fmt.Errorf("%d of %d are not", n, len(lost))
		}
		return nil
	})
	// What was due before they were back is handled shortly after.
	var caught map[int]time.Duration
	var lacking []int
	for end := x.now() + 30*time.Second; x.now() < end; {
		x.pause(500 * time.Millisecond)
		if caught, lacking = x.ledger.CaughtUp(back); len(lacking) == 0 {
			break
		}
	}
	r := Recovery{Devices: len(lost), Lacking: len(lacking), Budget: budget}
	r.Back, r.Caught = spreadOf(since(back, at)), spreadOf(since(caught, at))
	rate := x.balancer.Dials(at, at+r.Back.Max+time.Second)
	r.Peak, r.Refused, r.PutOff = rate.Peak, rate.Refused, x.putOff()-putOff
	r.Taken = fleet.MostWithin(since(back, at), time.Second)
	x.result.Recovery = &r
	x.say("%d devices back and caught up: 50 %% in %.2f s, 90 %% in %.2f s, 99 %% in %.2f s, all in %.2f s; at most %d dials in a second",
		len(caught), r.Caught.P50.Seconds(), r.Caught.P90.Seconds(), r.Caught.P99.Seconds(), r.Caught.Max.Seconds(), r.Peak)
}

// putOff returns how many connects the nodes that live, but some, have refused with a slot since
// they were started.
func (x *trial) putOff(without ...string) (sum int) {
	for _, n := range x.cluster.Living() {
		if slices.Contains(without, n.ID) {
			continue
		}
		m, err := n.Metrics()
		if err != nil {
			x.Fatalf("%v", err)
		}
		sum += int(m[metrics.PutOff.Name])
	}
	return sum
}

// since returns how long after an instant others were, in order.
func since(at map[int]time.Duration, begin time.Duration) []time.Duration {
	took := make([]time.Duration, 0, len(at))
	for t := range maps.Values(at) {
		took = append(took, t-begin)
	}
	slices.Sort(took)
	return took
}
