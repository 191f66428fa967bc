package chaos

import (
	"math"
	"strings"
	"sync"
	"time"

	"roost/bench/chaos/fleet"
	"roost/bench/chaos/rig"
)

// even has all nodes count the same, so that weights in the ring are 1.
var even = rig.Options{Args: []string{"--weight-capacity", "10000"}}

// canaryScenarios are about rings on trial. All are at ten times the pace of a cluster, so
// that a trial takes 30 s; --ring-pace 1 is as it is meant.
var canaryScenarios = []Scenario{
	{Name: "canary-promote", About: "an operator halves a node's weight: 5 % of the devices that this moves go first, all once the trial is over, none without a connection",
		Rate: 1000, Rig: even, Pace: 10, Hurt: canaryPromote},
	{Name: "canary-refused", About: "an operator gives a node twice the weight, and it takes no new connections: the trial is rolled back by itself",
		Rate: 1000, Rig: even, Pace: 10, Hurt: canaryRefused},
	{Name: "canary-slow", About: "an operator gives a node twice the weight, and it stands still for 300 ms of every 500: the trial is rolled back by itself",
		Rate: 300, Rig: even, Pace: 10, Hurt: canarySlow},
}

// ceased is how much of its time a trial may be short of, by rounding of seconds.
const ceased = time.Second

func canaryPromote(x *trial) {
	from, were := x.now(), x.fleet.Where()
	planned := x.applyRing("--set", "n1:0.5")
	p := x.awaitCanary(10 * time.Second)
	began := x.now()
	if p.Share != firstShare {
		x.fault("the canary begins with a share of %d, not %d", p.Share, firstShare)
	}
	x.awaitStill(3*time.Second, 60*time.Second)
	share := x.moved(were)
	x.number("share_devices", float64(len(share)))
	x.say("canary %d: %d devices have moved: %s", p.Canary, len(share), x.spread())
	first := x.fleet.Where()
	strayed, last := 0, ""
	end, _ := x.awaitEnd(p.Canary, x.paced(longestTime)+10*time.Second, func() {
		if n := differ(first, x.fleet.Where()); n > 0 {
			strayed = max(strayed, n)
		}
		last = x.trialText()
		x.pause(500 * time.Millisecond)
	})
	took := x.now() - began
	x.number("trial_s", took.Seconds())
	x.say("last of the trial: canary %s", last)
	x.say("the trial has ended after %.1f s: %s", took.Seconds(), end.Why)
	switch {
	case end.Stable != p.Canary:
		x.fault("version %d was not promoted: stable %d, rolled back %d: %s", p.Canary, end.Stable, end.RolledBack, end.Why)
		return
	case took < x.paced(holdTime)-ceased:
		x.fault("promoted after %v, before the %v of a trial", took.Round(time.Millisecond), x.paced(holdTime))
	case strayed > 0:
		x.fault("%d devices moved while the trial was on, after its share had", strayed)
	}
	x.afterPromotion(from, were, share, planned)
}

// differ counts the devices that are at another node than they were.
func differ(were, are []fleet.At) (n int) {
	for i := range are {
		if are[i].Node != were[i].Node {
			n++
		}
	}
	return n
}

// afterPromotion holds what has moved in all against the plan.
func (x *trial) afterPromotion(from time.Duration, were []fleet.At, share []int, planned float64) {
	x.awaitStill(5*time.Second, 3*time.Minute)
	moved := x.moved(were)
	for _, d := range moved {
		if were[d].Node != "n1" {
			x.fault("%s moved from %s, which has the weight it had", x.fleet.Name(d), were[d].Node)
			break
		}
	}
	for _, d := range share {
		if at := x.fleet.Where()[d]; at.Welcomes > were[d].Welcomes+1 {
			x.fault("%s, of the first share, moved %d times", x.fleet.Name(d), at.Welcomes-were[d].Welcomes)
			break
		}
	}
	x.number("planned_devices", planned)
	x.number("moved_devices", float64(len(moved)))
	x.say("%d devices have moved, planned were %.0f; of them %d first: %s", len(moved), planned, len(share), x.spread())
	x.near("devices that moved", float64(len(moved)), planned)
	x.near("devices of the first share", float64(len(share)), planned*firstShare/10_000)
	x.unbroken(from)
	x.tell("ring", "versions")
}

// near notes what is further off than four deviations of a draw of so many: ids fall
// where they do.
func (x *trial) near(what string, got, want float64) {
	if math.Abs(got-want) > 4*math.Sqrt(want)+2 {
		x.miss("%s: %.0f, want about %.0f", what, got, want)
	}
}

func canaryRefused(x *trial) {
	n := x.cluster.Nodes[2]
	x.balancer.Block(n.Listen, true)
	x.say("%s takes no new connections", n.ID)
	x.rolledBack(func() { x.balancer.Block(n.Listen, false) })
}

func canarySlow(x *trial) {
	n := x.cluster.Nodes[2]
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	wg.Go(func() {
		for {
			n.Pause()
			time.Sleep(300 * time.Millisecond)
			n.Resume()
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	mend := sync.OnceFunc(func() { close(stop); wg.Wait() })
	defer mend()
	x.say("%s stands still again and again", n.ID)
	x.rolledBack(mend, "--share", "20") // of few messages: there are 200 to be seen
}

// rolledBack gives n3 twice its weight, and waits until that is taken back. Then it is mended, and
// all is as it was.
func (x *trial) rolledBack(mend func(), args ...string) {
	from, were := x.now(), x.fleet.Where()
	planned := x.applyRing(append(args, "--set", "n3:2")...)
	p := x.awaitCanary(10 * time.Second)
	began := x.now()
	most := 0
	last := ""
	end, _ := x.awaitEnd(p.Canary, x.paced(longestTime)+10*time.Second, func() {
		most = max(most, differ(were, x.fleet.Where()))
		last = x.trialText()
		x.pause(250 * time.Millisecond)
	})
	took := x.now() - began
	x.number("rolled_back_s", took.Seconds())
	x.number("planned_devices", planned)
	x.number("most_moved_devices", float64(most))
	x.say("last of the trial: canary %s", last)
	x.say("the trial has ended after %.1f s, at most %d devices had moved: %s", took.Seconds(), most, end.Why)
	switch {
	case end.Stable == p.Canary:
		x.fault("version %d was promoted: %s", p.Canary, end.Why)
	case end.RolledBack != p.Canary:
		x.fault("rolled back is %d, not %d: %s", end.RolledBack, p.Canary, end.Why)
	case !strings.HasPrefix(end.Why, "roll back: "):
		x.fault("the pointer does not say why: %q", end.Why)
	case took > 2*x.paced(holdTime)+10*time.Second:
		x.miss("rolled back after %v, a trial that sees enough is %v", took.Round(time.Second), x.paced(holdTime))
	}
	x.pause(2 * time.Second)
	mend()
	x.awaitConnected(30 * time.Second)
	x.awaitStill(5*time.Second, 60*time.Second)
	if left := x.moved(were); len(left) > 0 {
		x.fault("%d devices are not back where they were", len(left))
	}
	hit := map[int]bool{}
	longest := time.Duration(0)
	for _, g := range x.fleet.Gaps(from, x.now()) {
		hit[g.Device], longest = true, max(longest, g.To-g.From)
	}
	x.number("devices_interrupted", float64(len(hit)))
	x.number("longest_without_s", longest.Seconds())
	x.tell("ring", "status")
	x.quietAfterRollback(end)
}

// quietAfterRollback looks that nobody tries the same again at once.
func (x *trial) quietAfterRollback(end rig.Pointer) {
	wait := min(x.paced(restTime)/2, time.Minute)
	for until := x.now() + wait; x.now() < until; x.pause(500 * time.Millisecond) {
		if p := x.pointer(); p.Canary != 0 {
			x.fault("version %d is on trial %v after version %d was rolled back, %v are to pass: %s", p.Canary,
				(wait - (until - x.now())).Round(time.Second), end.RolledBack, x.paced(restTime), p.Why)
			return
		}
	}
	x.say("nothing was tried for another %v", wait)
}
