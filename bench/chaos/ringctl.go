package chaos

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"roost/bench/chaos/fleet"
	"roost/bench/chaos/rig"
)

// Times of what a cluster does to its ring by itself, at a pace of 1 (server/cluster:
// PlanSettings, TrialSettings; server/member: DefaultControl).
const (
	holdTime     = 5 * time.Minute  // of a trial that does well
	longestTime  = 30 * time.Minute // of one that sees too little
	versionsTime = 5 * time.Minute  // between versions for weights or zones
	restTime     = 10 * time.Minute // after a rollback
	firstShare   = 500              // of 10,000, of the devices whose owner changes
)

// pace is how many times faster than that the nodes of a scenario are.
func (s *Scenario) pace(o *Options) float64 {
	switch {
	case s.Pace == 0:
		return 1
	case o.Pace != 0:
		return o.Pace
	}
	return s.Pace
}

// paced is a time of the cluster's own at the pace of this trial.
func (x *trial) paced(d time.Duration) time.Duration {
	return time.Duration(float64(d) / x.s.pace(x.o))
}

// command is roostctl against the cluster's etcd.
func (x *trial) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(slices.Clone(args), "--etcd", x.cluster.Etcd.Addr(), "--cluster", "chaos", "--environment", "test")
	return exec.CommandContext(ctx, x.o.Roostctl, args...)
}

// ctl runs roostctl; what it said, and its exit code.
func (x *trial) ctl(args ...string) (said string, code int) {
	x.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, 30*time.Second)
	defer cancel()
	out, err := x.command(ctx, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		x.Fatalf("roostctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	return strings.TrimSpace(string(out)), code
}

// awaitCounts waits until the nodes have said how many devices they have: what a plan
// goes by is some seconds old.
func (x *trial) awaitCounts() {
	x.Helper()
	x.await("nodes say how many devices they have", 30*time.Second, func() error {
		weights, err := x.cluster.Weights()
		sum := 0
		for _, w := range weights {
			sum += w.Connections
		}
		if err == nil && sum != x.fleet.Connected() {
			err = fmt.Errorf("%d in all, %d are connected", sum, x.fleet.Connected())
		}
		return err
	})
}

// applyRing has roostctl change the ring; the devices that it says will move.
func (x *trial) applyRing(args ...string) (planned float64) {
	x.Helper()
	x.awaitCounts()
	said := x.roostctl(append([]string{"ring", "apply", "--measure", "-1s"}, args...)...)
	planned, ok := plannedMoves(said)
	if !ok {
		x.Fatalf("roostctl ring apply does not say how many devices move:\n%s", said)
	}
	x.say("%s", said)
	return planned
}

var movesText = regexp.MustCompile(`moved +[0-9.]+ % of all ids, ([0-9]+) of [0-9]+ devices`)

// plannedMoves reads how many devices a plan moves.
func plannedMoves(said string) (devices float64, ok bool) {
	found := movesText.FindStringSubmatch(said)
	if found == nil {
		return 0, false
	}
	devices, err := strconv.ParseFloat(found[1], 64)
	return devices, err == nil
}

// busyTime is how long etcd may go without an answer before a trial ends for it: on cores that others
// use, too, some seconds are nothing.
const busyTime = 30 * time.Second

// pointer reads the ring pointer.
func (x *trial) pointer() (p rig.Pointer) {
	x.Helper()
	x.await("etcd says which rings are in force", busyTime, func() (err error) {
		p, err = x.cluster.Pointer()
		return err
	})
	return p
}

// weights reads what the nodes say of themselves.
func (x *trial) weights() (weights map[string]rig.Weight) {
	x.Helper()
	x.await("etcd says what weights there are", busyTime, func() (err error) {
		weights, err = x.cluster.Weights()
		return err
	})
	return weights
}

// awaitCanary waits until a version is on trial.
func (x *trial) awaitCanary(within time.Duration) (p rig.Pointer) {
	x.Helper()
	x.await("a canary begins", within, func() (err error) {
		if p, err = x.cluster.Pointer(); err == nil && p.Canary == 0 {
			err = fmt.Errorf("stable %d, no canary: %s", p.Stable, p.Why)
		}
		return err
	})
	return p
}

// awaitEnd waits until a trial has ended, and calls each with the pointer until then. What
// took its place is for the caller to judge.
func (x *trial) awaitEnd(canary uint64, within time.Duration, each func()) (p rig.Pointer, took time.Duration) {
	x.Helper()
	took = x.await(fmt.Sprintf("the trial of version %d ends", canary), within, func() (err error) {
		if p, err = x.cluster.Pointer(); err == nil && p.Canary == canary {
			each()
			err = fmt.Errorf("on trial still: %s", x.trialText())
		}
		return err
	})
	return p, took
}

// trialText is what roostctl says of a trial.
func (x *trial) trialText() string {
	said, _ := x.ctl("ring", "status")
	_, rest, found := strings.Cut(said, "canary ")
	if !found {
		return "no trial"
	}
	text, _, _ := strings.Cut(rest, "\nplanner")
	return text
}

// routes asks for the route of each device, each at any node.
func (x *trial) routes() []rig.Route {
	x.Helper()
	nodes, routes := x.cluster.Living(), make([]rig.Route, x.fleet.Len())
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < len(routes); i = int(next.Add(1) - 1) {
				var err error
				if routes[i], err = nodes[i%len(nodes)].Route(x.fleet.Name(i)); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		x.Fatalf("%v", *err)
	}
	return routes
}

// placedTime is how long devices may take until they are where their routes lead, once none has moved
// for a while.
const placedTime = 30 * time.Second

// moved returns the devices that are at another node than they were, once each is where its
// route leads. That some are not is a number that is not reached, no fault: who could not connect to its
// owner stays where it is, served, until the ring changes again.
func (x *trial) moved(were []fleet.At) (moved []int) {
	x.Helper()
	wrong, example := x.astray()
	for end := x.now() + placedTime; wrong > 0 && x.now() < end; x.pause(time.Second) {
		wrong, example = x.astray()
	}
	if wrong > 0 {
		x.miss("%d devices are not where their route leads: %s", wrong, example)
	}
	for i, at := range x.fleet.Where() {
		if at.Node != were[i].Node {
			moved = append(moved, i)
		}
	}
	return moved
}

// astray counts the devices that are not where their route leads, with one of them in words.
func (x *trial) astray() (wrong int, example string) {
	x.Helper()
	routes := x.routes()
	for i, at := range x.fleet.Where() {
		if at.Connected && at.Node != routes[i].Node {
			wrong++
			example = fmt.Sprintf("%s is at %s, its route says %s by ring %d", x.fleet.Name(i), at.Node, routes[i].Node, routes[i].Ring)
		}
	}
	return wrong, example
}

// unbroken notes a fault for devices that were without a connection since an instant.
func (x *trial) unbroken(from time.Duration) {
	if gaps := x.fleet.Gaps(from, x.now()); len(gaps) > 0 {
		x.fault("%d times a device was without a connection, the first for %v: devices that move connect before they let go",
			len(gaps), (gaps[0].To - gaps[0].From).Round(time.Millisecond))
	}
}

// tell has what roostctl says among what happened.
func (x *trial) tell(args ...string) string {
	x.Helper()
	said, code := x.ctl(args...)
	if code != 0 {
		said += fmt.Sprintf("\nexit code %d", code)
	}
	x.say("roostctl %s:\n%s", strings.Join(args, " "), said)
	return said
}
