package chaos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"roost/bench/chaos/rig"
)

// rivalScenarios are operators against each other, and against the planner.
var rivalScenarios = []Scenario{
	{Name: "two-operators", About: "two operators change the ring at once, one applies an old plan, one would empty a zone, one takes back a trial, and one puts old keys back into etcd by hand",
		Rig: even, Pace: 10, Hurt: twoOperators},
}

// Exit codes of roostctl.
const (
	ctlDone    = 0
	ctlRefused = 1
	ctlMoved   = 3
)

func twoOperators(x *trial) {
	from := x.now()
	x.awaitCounts()
	first := x.pointerKey()
	x.emptyZone()
	x.bothAtOnce()
	x.rollbackByHand()
	x.oldPlan(first)
	x.oldPointer(first)
	x.oldSnapshot()
	x.awaitStill(3*time.Second, 60*time.Second)
	x.moved(x.fleet.Where())
	x.unbroken(from)
	x.tell("ring", "versions")
}

// pointerKey reads the key of the ring pointer.
func (x *trial) pointerKey() rig.KV {
	x.Helper()
	return x.keys("/rings/active")[0]
}

// keys reads keys of etcd, of which there must be some.
func (x *trial) keys(under string) (keys []rig.KV) {
	x.Helper()
	x.await("etcd says what is at "+under, busyTime, func() (err error) {
		if keys, _, err = x.cluster.Keys(under); err == nil && len(keys) == 0 {
			err = errors.New("nothing")
		}
		return err
	})
	return keys
}

// pins reads /config/weights, nothing if there is none.
func (x *trial) pins() string {
	x.Helper()
	keys, _, err := x.cluster.Keys("/config/weights")
	x.must(err)
	if len(keys) == 0 {
		return ""
	}
	return string(keys[0].Value)
}

// refused has roostctl do what it must refuse, with a code, and nothing done.
func (x *trial) refused(what string, want int, args ...string) {
	x.Helper()
	before, pins := x.pointerKey(), x.pins()
	said, code := x.ctl(args...)
	x.say("%s: exit code %d: %s", what, code, lastLine(said))
	switch {
	case code != want:
		x.fault("%s: exit code %d, want %d:\n%s", what, code, want, said)
	case x.pointerKey().Mod != before.Mod:
		x.fault("%s: refused, and the pointer has changed", what)
	case x.pins() != pins:
		x.fault("%s: refused, and the pins have changed from %q to %q", what, pins, x.pins())
	}
}

// emptyZone: n2 is all that zone b has.
func (x *trial) emptyZone() {
	x.refused("a plan that empties zone b", ctlRefused, "ring", "apply", "--remove", "n2", "--measure", "-1s", "--limit-moved", "100")
	x.refused("the same at once", ctlRefused, "ring", "apply", "--remove", "n2", "--measure", "-1s", "--limit-moved", "100", "--now")
	x.refused("weights that empty zone b", ctlRefused, "ring", "apply", "--set", "n2:0", "--measure", "-1s", "--limit-moved", "100")
}

// bothAtOnce: of two that change the ring at the same time one does, and the other is told;
// of what that one wanted nothing is left.
func (x *trial) bothAtOnce() {
	both := [][]string{{"--set", "n1:0.8", "--why", "the first"}, {"--set", "n3:0.8", "--why", "the second"}}
	said, codes := make([]string, 2), make([]int, 2)
	var wg sync.WaitGroup
	for i, args := range both {
		wg.Go(func() { said[i], codes[i] = x.ctl(append([]string{"ring", "apply", "--measure", "-1s"}, args...)...) })
	}
	wg.Wait()
	done := slices.Index(codes, ctlDone)
	for i := range both {
		x.say("operator %d: exit code %d: %s", i+1, codes[i], lastLine(said[i]))
	}
	if done < 0 || codes[1-done] != ctlMoved && codes[1-done] != ctlRefused {
		x.fault("two operators at once: exit codes %v, want one done and one refused:\n%s\n%s", codes, said[0], said[1])
		return
	}
	p, pins := x.pointer(), x.pins()
	if !strings.HasPrefix(p.Why, both[done][3]) || strings.Contains(pins, both[1-done][3]) || !strings.Contains(pins, both[done][3]) {
		x.fault("two operators at once: operator %d was told that it is done, the pointer says %q, pinned is %s", done+1, p.Why, pins)
	}
}

// rollbackByHand takes back the trial that is on; the planner does not begin it again.
func (x *trial) rollbackByHand() {
	p := x.awaitCanary(5 * time.Second)
	x.refused("another change during a trial", ctlRefused, "ring", "apply", "--set", "n2:0.9", "--measure", "-1s")
	x.tell("ring", "rollback")
	now := x.pointer()
	if now.Canary != 0 || now.RolledBack != p.Canary || now.Stable != p.Stable {
		x.fault("rolled back by hand: stable %d, canary %d, rolled back %d, want %d, 0, %d", now.Stable, now.Canary, now.RolledBack, p.Stable, p.Canary)
	}
	x.refused("a rollback of what was looked at before", ctlMoved, "ring", "rollback", "--at", fmt.Sprint(1))
	x.refused("a promotion without a trial", 2, "ring", "promote")
	x.quietAfterRollback(now)
	x.tell("ring", "apply", "--unpin", "n1", "--unpin", "n3", "--measure", "-1s", "--now")
}

// oldPlan: what was planned before the ring changed is not applied.
func (x *trial) oldPlan(first rig.KV) {
	x.refused("a plan made on an old version", ctlMoved, "ring", "apply", "--set", "n1:0.9", "--measure", "-1s", "--at", first.Mod)
}

// oldPointer puts the first pointer back, by hand, after another version is in force. It
// names a version that is there, so nodes follow it, as they would a rollback; what was pinned comes
// back by itself.
func (x *trial) oldPointer(first rig.KV) {
	x.tell("ring", "apply", "--set", "n1:0.6", "--now", "--measure", "-1s")
	made := x.pointer()
	x.awaitStill(3*time.Second, 60*time.Second)
	x.must(x.cluster.Put("/rings/active", first.Value))
	x.say("the first pointer is put back by hand")
	ring := ""
	x.await("nodes agree about the old pointer", 30*time.Second, func() (err error) {
		ring, err = x.cluster.Agreed(x.cluster.Nodes)
		return err
	})
	x.say("nodes hold %s", ring)
	took := x.await("the planner makes a version that keeps the pin", 2*x.paced(versionsTime)+60*time.Second, func() error {
		p := x.pointer()
		if p.Canary <= made.Stable && p.Stable <= made.Stable {
			return fmt.Errorf("stable %d, canary %d: %s", p.Stable, p.Canary, p.Why)
		}
		return nil
	})
	p := x.pointer()
	x.number("pin_kept_again_after_s", took.Seconds())
	x.say("after %.1f s: stable %d, canary %d: %s", took.Seconds(), p.Stable, p.Canary, p.Why)
	end, _ := x.awaitEnd(p.Canary, x.paced(longestTime)+10*time.Second, func() { x.pause(500 * time.Millisecond) })
	if end.Stable != p.Canary {
		x.fault("version %d was not promoted: %s", p.Canary, end.Why)
	}
	x.awaitStill(3*time.Second, 60*time.Second)
}

// oldSnapshot writes an old version's bytes over those of the one that is in force, and has a
// node start by it.
func (x *trial) oldSnapshot() {
	p := x.pointer()
	versions := x.keys("/rings/v/")
	var old, now *rig.KV
	for i := range versions {
		switch strings.TrimPrefix(string(versions[i].Key), rig.Prefix+"/rings/v/") {
		case fmt.Sprint(p.Stable):
			now = &versions[i]
		case "1":
			old = &versions[i]
		}
	}
	if old == nil || now == nil {
		x.Fatalf("version 1 or %d is not stored", p.Stable)
	}
	x.must(x.cluster.Put(strings.TrimPrefix(string(now.Key), rig.Prefix), old.Value))
	x.say("version %d is overwritten by the bytes of version 1, and n3 is started anew", p.Stable)
	n := x.cluster.Nodes[2]
	n.Stop()
	n.Start()
	n.Await()
	took := x.await("all nodes agree about a ring that can be read", 90*time.Second, func() error {
		_, err := x.cluster.Agreed(x.cluster.Nodes)
		if q := x.pointer(); err == nil && q.Stable == p.Stable {
			err = fmt.Errorf("the pointer names version %d still: %s", q.Stable, q.Why)
		}
		return err
	})
	q := x.pointer()
	x.number("repaired_s", took.Seconds())
	x.say("repaired after %.1f s: stable %d: %s", took.Seconds(), q.Stable, q.Why)
	x.awaitConnected(60 * time.Second)
}
