package chaos

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// nodeScenarios hurt nodes.
var nodeScenarios = []Scenario{
	{Name: "node-kill", About: "a node with a third of the devices is killed (SIGKILL), and started again once they are back", Devices: 15_000, Hurt: nodeKill},
	{Name: "node-stop-30s", About: "a node is stopped (SIGSTOP) for 30 s, longer than its leases, and goes on", Hurt: nodeStop},
	{Name: "rolling-restart", About: "each node in turn is asked to end (SIGTERM) and started again", Devices: 3000, Rate: 2000, Hurt: rollingRestart},
	{Name: "both-survivors", About: "all three nodes are killed at once, two come back: 10,000 devices come to them at once", Devices: 10_000, Rate: 200, Hurt: bothSurvivors},
}

// Numbers to reach.
const (
	caughtUpIn      = 10 * time.Second // 99 % of the devices of a node that was killed
	deliveryIn      = time.Second      // P99, through a rolling restart
	withoutIn       = 2 * time.Second  // a device without a connection, p99, through a rolling restart
	defaultAccepted = 2000             // connects a second that a node takes, if it says nothing
)

// budget returns how many connects a second all nodes but some say they take.
func (x *trial) budget(without ...string) (sum float64) {
	budgets, err := x.cluster.Budgets()
	if err != nil {
		x.Fatalf("%v", err)
	}
	for _, n := range x.cluster.Nodes {
		if slices.Contains(without, n.ID) {
			continue
		}
		if b := budgets[n.ID]; b > 0 {
			sum += b
		} else {
			sum += defaultAccepted
		}
	}
	return sum
}

// beat is after how long each device has heard over how long to come back: the first
// heartbeat is due within the 30 s that they ask for. Before, a device knows what its
// welcome said, when few were there.
const beat = 32 * time.Second

func nodeKill(x *trial) {
	n := x.cluster.Nodes[0]
	if x.fleet.Len() >= 5000 { // few are no storm
		x.pause(beat)
	}
	lost, budget := x.on(n.ID), x.budget(n.ID)
	putOff := x.putOff(n.ID)
	at := x.now()
	n.Kill()
	x.say("%s is dead with %d devices; the others say that they take %.0f connects a second", n.ID, len(lost), budget)
	x.publisher.Once(lost) // so that each has something to catch up with
	x.recoverFrom(lost, at, budget, putOff)
	n.Start()
	n.Await()
	x.say("%s is back", n.ID)
	r := x.result.Recovery
	if r.Caught.P99 > caughtUpIn {
		x.miss("99 %% of %d devices back and caught up in %.1f s, want %v", r.Devices, r.Caught.P99.Seconds(), caughtUpIn)
	}
	if float64(r.Peak) > r.Budget {
		x.miss("%d dials in a second, want at most the budget of %.0f", r.Peak, r.Budget)
	}
}

func nodeStop(x *trial) {
	n := x.cluster.Nodes[0]
	n.Pause()
	x.say("%s is stopped with %d devices", n.ID, len(x.on(n.ID)))
	x.pause(30 * time.Second)
	n.Resume()
	took := x.await("the node is ready again", 30*time.Second, func() error {
		if !n.Ready() {
			return fmt.Errorf("%s is not ready", n.ID)
		}
		return nil
	})
	x.say("%s goes on, ready after %v", n.ID, took.Round(time.Millisecond))
}

func rollingRestart(x *trial) {
	from := x.now()
	for _, n := range x.cluster.Nodes {
		had := len(x.on(n.ID))
		took := n.Stop()
		x.say("%s has ended after %v, it had %d devices; %s", n.ID, took.Round(time.Millisecond), had, n.Exit())
		n.Start()
		n.Await()
		x.say("%s is back: %s", n.ID, x.spread())
		x.pause(5 * time.Second) // what orchestrators wait before the next one, at least
	}
	x.awaitConnected(30 * time.Second)
	x.pause(2 * time.Second) // what was due is handled
	x.publisherMisses(from)
}

// publisherMisses holds deliveries and gaps since an instant against the numbers to
// reach.
func (x *trial) publisherMisses(from time.Duration) {
	delivery := spreadOf(x.ledger.Latencies(from, x.now()-time.Second))
	if delivery.P99 > deliveryIn {
		x.miss("P99 of delivery %.2f s, want %v", delivery.P99.Seconds(), deliveryIn)
	}
	longest := make([]time.Duration, x.fleet.Len())
	for _, g := range x.fleet.Gaps(from, x.now()) {
		longest[g.Device] = max(longest[g.Device], g.To-g.From)
	}
	slices.Sort(longest)
	without := spreadOf(longest)
	x.say("delivery p50 %.1f ms, p99 %.1f ms; without a connection, of all devices: p99 %.2f s, most %.2f s",
		ms(delivery.P50), ms(delivery.P99), without.P99.Seconds(), without.Max.Seconds())
	if without.P99 > withoutIn {
		x.miss("a device is without a connection for %.2f s at p99, want %v", without.P99.Seconds(), withoutIn)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func bothSurvivors(x *trial) {
	all := make([]int, x.fleet.Len())
	for i := range all {
		all[i] = i
	}
	x.pause(beat) // each knows how many all are
	budget := x.budget(x.cluster.Nodes[0].ID)
	at := x.now()
	var wg sync.WaitGroup
	for _, n := range x.cluster.Nodes {
		wg.Go(n.Kill)
	}
	wg.Wait()
	x.say("all nodes are dead, with %d devices", len(all))
	for _, n := range x.cluster.Nodes[1:] {
		n.Start()
	}
	for _, n := range x.cluster.Nodes[1:] {
		n.Await()
	}
	x.number("nodes_ready_s", (x.now() - at).Seconds())
	x.say("two are ready again")
	// Nobody took the first dials, so the next ones are spread by how many devices all nodes had (wide).
	// What is too much all the same the two put off (503, Retry-After): that is a dial more, and counted.
	x.recoverFrom(all, at, budget, 0)
	r := x.result.Recovery
	if r.Caught.P99 > caughtUpIn {
		x.miss("99 %% of %d devices back and caught up in %.1f s, want %v", r.Devices, r.Caught.P99.Seconds(), caughtUpIn)
	}
	if float64(r.Peak) > r.Budget {
		x.miss("%d dials in a second, want at most the budget of %.0f", r.Peak, r.Budget)
	}
	x.cluster.Nodes[0].Start()
	x.cluster.Nodes[0].Await()
}
