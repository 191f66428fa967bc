package chaos

import (
	"fmt"
	"strings"
	"time"

	"roost/server/engines"
)

// operatorScenarios are what people do to a cluster.
var operatorScenarios = []Scenario{
	{Name: "canary-bad-ring", About: "a fourth node joins that tells devices an address where nobody listens: the canary with it is rolled back by itself", Hurt: badRing},
	{Name: "two-clusters-one-prefix", About: "nodes of other clusters start on the same etcd prefix and on the same Redis, and one with a Redis that is none: all are refused", Hurt: twoClusters},
	{Name: "drain-under-load", About: "roostctl drain empties a node over 20 s, and it is filled again", Hurt: drainUnderLoad},
}

// rollbackTime is how long a canary that fails surely may live.
const rollbackTime = 120 * time.Second

func badRing(x *trial) {
	from := x.now()
	port, err := engines.FreePort()
	if err != nil {
		x.Fatalf("%v", err)
	}
	bad := x.cluster.Add("--advertise", fmt.Sprintf("ws://127.0.0.1:%d", port))
	bad.Start()
	bad.Await()
	var canary uint64
	took := x.await("a canary begins", 60*time.Second, func() error {
		p, err := x.cluster.Pointer()
		if err == nil && p.Canary == 0 {
			err = fmt.Errorf("stable %d, no canary: %s", p.Stable, p.Why)
		}
		canary = p.Canary
		return err
	})
	x.number("canary_begins_s", took.Seconds())
	x.say("canary %d begins", canary)
	took = x.await("the canary is rolled back", rollbackTime, func() error {
		p, err := x.cluster.Pointer()
		switch {
		case err == nil && p.Stable == canary:
			x.Fatalf("the canary %d was promoted: %s", canary, p.Why)
		case err == nil && p.Canary != 0:
			err = fmt.Errorf("canary %d, share %d: %s", p.Canary, p.Share, p.Why)
		case err == nil && p.RolledBack != canary:
			err = fmt.Errorf("rolled back is %d, not %d: %s", p.RolledBack, canary, p.Why)
		}
		return err
	})
	p, _ := x.cluster.Pointer()
	x.number("rolled_back_s", took.Seconds())
	x.say("rolled back after %.1f s: %s", took.Seconds(), p.Why)
	bad.Stop()
	x.awaitConnected(30 * time.Second)
	longest := time.Duration(0)
	hit := map[int]bool{}
	for _, g := range x.fleet.Gaps(from, x.now()) {
		longest, hit[g.Device] = max(longest, g.To-g.From), true
	}
	x.number("devices_interrupted", float64(len(hit)))
	x.number("longest_without_s", longest.Seconds())
}

func twoClusters(x *trial) {
	redis := engines.StartRedis(x) // one that nobody has used
	for _, other := range []struct {
		what string
		args []string
		says string
	}{
		{"another cluster on the same etcd prefix", []string{"--cluster", "other", "--redis", "redis://" + redis.Addr()}, `"chaos"`},
		{"another environment on the same etcd prefix", []string{"--environment", "production", "--redis", "redis://" + redis.Addr()}, `"test"`},
		{"another cluster on the same Redis", []string{"--cluster", "other", "--etcd-prefix", "/other"}, `"chaos"`},
		{"the same under another prefix of Redis", []string{"--cluster", "other", "--etcd-prefix", "/other", "--redis-prefix", "other"}, `"chaos"`},
		{"a Redis that is none", []string{"--redis", "redis://" + x.cluster.Nodes[0].API}, "not a Redis"},
	} {
		n := x.cluster.Add(other.args...)
		n.Start()
		ended := x.ends(n.Alive, 30*time.Second)
		said := n.Said()
		switch {
		case !ended:
			x.fault("%s: it goes on running", other.what)
			n.Kill()
		case n.Exit() == "exit status 0":
			x.fault("%s: it ended as if all were well", other.what)
		case !strings.Contains(said, other.says):
			x.fault("%s: what it says does not name whose it is: %.300s", other.what, said)
		default:
			x.say("%s is refused: %s", other.what, lastLine(said))
		}
	}
}

// ends waits until something is not alive any more; whether that came about.
func (x *trial) ends(alive func() bool, within time.Duration) bool {
	for end := x.now() + within; x.now() < end; x.pause(50 * time.Millisecond) {
		if !alive() {
			return true
		}
	}
	return !alive()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func drainUnderLoad(x *trial) {
	from := x.now()
	n := x.cluster.Nodes[0]
	had := len(x.on(n.ID))
	x.roostctl("drain", n.ID, "--over", "20s")
	took := x.await("the node is empty", 60*time.Second, func() error {
		if left := len(x.on(n.ID)); left > 0 {
			return fmt.Errorf("%d of %d devices are still there", left, had)
		}
		return nil
	})
	x.number("drained_s", took.Seconds())
	x.say("%s is empty after %.1f s, it had %d devices: %s", n.ID, took.Seconds(), had, x.spread())
	x.pause(2 * time.Second)
	x.roostctl("drain", n.ID, "--stop")
	x.pause(5 * time.Second)
	x.say("the drain is stopped: %s", x.spread())
	gaps := x.fleet.Gaps(from, x.now())
	if len(gaps) > 0 {
		x.fault("%d times a device was without a connection, the first for %v: devices that move connect before they let go",
			len(gaps), (gaps[0].To - gaps[0].From).Round(time.Millisecond))
	}
}

// roostctl runs a command of it against the cluster's etcd, which must do what it is
// asked; what it said.
func (x *trial) roostctl(args ...string) string {
	x.Helper()
	said, code := x.ctl(args...)
	if code != 0 {
		x.Fatalf("roostctl %s: exit code %d\n%s", strings.Join(args, " "), code, said)
	}
	return said
}
