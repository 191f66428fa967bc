package mesh

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"roost/ring"
	"roost/server/cluster"
	"roost/server/inbox"
)

// onTrial has rings with and without n3, half of the keys on trial, and returns three devices that
// the stable ring gives to n3: one whose owner the canary says, one that the stable ring does, and
// one of whom both say n1.
func (r *rig) onTrial(trial uint64) (share, rest, same string) {
	stable, canary := r.ring(1, "n1", "n2", "n3"), r.ring(trial, "n1", "n2")
	r.active(&cluster.Active{Routes: ring.NewRoutes(stable, canary, ring.ShareUnit/2),
		Pointer: cluster.Pointer{Stable: 1, StableHash: 0xa1, Canary: trial, CanaryHash: 0xa2, Share: ring.ShareUnit / 2, Trial: trial, Activation: int64(10 + trial)}})
	for i := 0; share == "" || rest == "" || same == ""; i++ {
		d := fmt.Sprint("t-", i)
		s, c := stable.Node(stable.Lookup(d)).ID, canary.Node(canary.Lookup(d)).ID
		onCanary := r.holder.Load().Routes.OnCanary(ring.Hash(d))
		switch {
		case s == "n1" && c == "n1":
			same = d
		case s == "n3" && c == "n2" && onCanary:
			share = d
		case s == "n3" && !onCanary:
			rest = d
		}
	}
	return share, rest, same
}

func (n *node) gotTrial(t testing.TB, share, rest cluster.Side) {
	t.Helper()
	c := n.m.Trial()
	if c == nil {
		t.Fatal("no counts")
	}
	c.Share.P99, c.Rest.P99, c.Share.P50, c.Rest.P50 = 0, 0, 0, 0
	if c.Share != share || c.Rest != rest {
		t.Errorf("share %+v, rest %+v; want %+v, %+v", c.Share, c.Rest, share, rest)
	}
}

func TestTrial(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		m := r.at(1).m
		m.CountConnect([]byte("x"), false)
		if c := m.Trial(); c != nil {
			t.Errorf("no canary is on: %+v", c)
		}
		share, rest, same := r.onTrial(2)
		r.at(3).connect(share) // it has not moved yet
		r.at(3).connect(rest)
		r.at(2).connect(same) // and is where neither says
		for _, d := range []string{share, rest, same} {
			r.at(1).live(t, d, "a", StatusWritten, nil)
		}
		r.at(1).gotTrial(t, cluster.Side{Attempts: 1}, cluster.Side{Attempts: 1})
		time.Sleep(time.Minute) // from now on it ought to be there
		for _, d := range []string{share, rest, same} {
			r.at(1).live(t, d, "b", StatusWritten, nil)
		}
		told(t, r.at(1).notice("n3:7", share, 1, 0), StatusQueued)
		told(t, r.at(1).notice("n2:7", share, 1, 0), StatusQueued)
		told(t, r.at(1).notice("n3:7", rest, 1, 0), StatusQueued)
		r.at(1).m.Notice("n3:7", &inbox.Notice{Device: []byte(share)}, 0, nil) // says nothing of where it is
		r.at(1).gotTrial(t, cluster.Side{Attempts: 4, Misses: 2}, cluster.Side{Attempts: 3})
		m.CountConnect([]byte(share), true)
		m.CountConnect([]byte(share), false)
		m.CountConnect([]byte(rest), true)
		m.CountConnect([]byte(same), false)
		r.at(1).gotTrial(t, cluster.Side{Attempts: 6, Misses: 2, Failures: 1}, cluster.Side{Attempts: 4})
		r.at(3).set(func(n *node) { n.hold = true })
		r.at(2).set(func(n *node) { n.hold = true })
		r.at(1).live(t, rest, "c", StatusOffline, ErrSilent)
		r.at(1).gotTrial(t, cluster.Side{Attempts: 6, Misses: 2, Failures: 1}, cluster.Side{Attempts: 5, Failures: 1})
		r.at(2).release(StatusWritten)
		r.at(3).release(StatusWritten)
		synctest.Wait()
		m.CountDelivery([]byte(share), 40*time.Millisecond)
		if c := m.Trial(); c.Trial != 2 || c.Share.P99 < 40*time.Millisecond || c.Share.P99 > 50*time.Millisecond {
			t.Errorf("%+v", c)
		}
		if s := m.Stats(); s.Misses != [sides]uint64{1 + 1, 3, 0} {
			t.Errorf("misses %v", s.Misses)
		}
		r.onTrial(3)
		r.at(1).gotTrial(t, cluster.Side{}, cluster.Side{})
		if c := m.Trial(); c.Trial != 3 {
			t.Errorf("%+v", c)
		}
	})
}

// TestTimedNotices: what is kept for devices of another node is timed, some of it, until that node
// answers; its publisher waits for none of that.
func TestTimedNotices(t *testing.T) {
	play(t, 3, func(t *testing.T, r *rig) {
		share, rest, same := r.onTrial(2)
		r.at(2).connect(share)
		r.at(3).connect(rest)
		r.at(3).connect(same)
		r.at(2).set(func(n *node) { n.hold = true })
		p99 := func() (share, rest time.Duration) {
			synctest.Wait()
			c := r.at(1).m.Trial()
			return c.Share.P99, c.Rest.P99
		}
		told(t, r.at(1).notice("n2:7", share, 1, 0), StatusQueued)
		told(t, r.at(1).notice("n3:7", rest, 1, 0), StatusQueued)
		told(t, r.at(1).notice("n3:7", same, 1, 0), StatusQueued)
		if s, _ := p99(); s != 0 {
			t.Errorf("n2 says nothing yet, and it took %v", s)
		}
		time.Sleep(300 * time.Millisecond)
		r.at(2).release(StatusAcknowledged)
		if s, o := p99(); s < 300*time.Millisecond || s > 400*time.Millisecond || o > 10*time.Millisecond {
			t.Errorf("n2 answered after 300 ms, n3 at once: %v and %v", s, o)
		}
		// One that never answers took as long as it is waited for.
		r.at(2).set(func(n *node) { n.hold = true })
		told(t, r.at(1).notice("n2:7", share, 2, 0), StatusQueued)
		told(t, r.at(1).notice("n2:7", share, 3, 0), StatusQueued) // so soon after the other that it is not timed
		r.at(2).set(func(n *node) {
			if len(n.waits) != 2 {
				t.Errorf("n2 was asked for %d answers, want 2", len(n.waits))
			}
		})
		time.Sleep(2 * timedAnswer)
		if s, _ := p99(); s < timedAnswer {
			t.Errorf("n2 never answered: %v", s)
		}
		r.at(2).release(StatusAcknowledged)
	})
}

// TestDelays compares with sorted values: not below, and at most a quarter above.
func TestDelays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1000, 0)
	for range 200 {
		var d delays
		var all []time.Duration
		for range 1 + rng.IntN(500) {
			took := time.Duration(rng.ExpFloat64() * float64(time.Duration(1)<<rng.IntN(32)))
			d.add(took, now)
			all = append(all, took.Truncate(time.Microsecond))
		}
		slices.Sort(all)
		want := all[len(all)-1-len(all)/100]
		if got := d.p99(now); got < want || got > want+want/4+2*time.Microsecond {
			t.Fatalf("of %d: %v, want %v", len(all), got, want)
		}
		want = all[len(all)-1-len(all)/2]
		if got := d.p50(now); got < want || got > want+want/4+2*time.Microsecond {
			t.Fatalf("median of %d: %v, want %v", len(all), got, want)
		}
	}
	var d delays
	if got := d.p99(now); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	d.add(time.Second, now)
	d.add(100*time.Hour, now) // above all buckets
	if got := d.p99(now.Add(delayTurn)); got < time.Hour {
		t.Errorf("after a turn: %v", got)
	}
	d.add(time.Millisecond, now.Add(delayTurn))
	if got := d.p99(now.Add(2 * delayTurn)); got > 2*time.Millisecond || got < time.Millisecond {
		t.Errorf("after two: %v", got)
	}
	if got := d.p99(now.Add(10 * delayTurn)); got != 0 {
		t.Errorf("long after: %v", got)
	}
}
