package fanout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"roost/server/testredis"
)

// slotOf returns the slot of a node's channel in a world.
func slotOf(c *testredis.Cluster, node string) string {
	return c.Master(0).Text("CLUSTER", "KEYSLOT", node)
}

// masterOf returns the shard that serves a slot.
func masterOf(t *testing.T, slot string) int {
	n := 0
	if _, err := fmt.Sscan(slot, &n); err != nil {
		t.Fatal(err)
	}
	return (n*testredis.Masters + testredis.Masters - 1) / testredis.Slots
}

// TestClusterTrouble moves a slot, and kills a master.
func TestClusterTrouble(t *testing.T) {
	if testing.Short() {
		t.Skip("a failover takes some seconds; the contract has run on a Cluster")
	}
	c := testredis.StartCluster(t)
	t.Run("a slot moves", func(t *testing.T) { testSlotMoves(t, c) })
	t.Run("a master is killed", func(t *testing.T) { testFailover(t, c) })
}

func testSlotMoves(t *testing.T, c *testredis.Cluster) {
	w := clusterWorld(t, c)
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	a.must(ToNode("b"), live("1"), 1)
	slot := slotOf(c, "b")
	from := masterOf(t, slot)
	source, target := c.Master(from), c.Master((from+1)%testredis.Masters)
	sid, tid := source.Text("CLUSTER", "MYID"), target.Text("CLUSTER", "MYID")
	target.Text("CLUSTER", "SETSLOT", slot, "IMPORTING", sid)
	source.Text("CLUSTER", "SETSLOT", slot, "MIGRATING", tid)
	target.Text("CLUSTER", "SETSLOT", slot, "NODE", tid)
	source.Text("CLUSTER", "SETSLOT", slot, "NODE", tid)
	b.await("it is told", func() bool { return b.told(&b.downs) == 1 })
	if !strings.Contains(b.downs[0], errMoved.Error()) || !strings.Contains(b.downs[0], "Inbox:true All:false Topics:false") {
		t.Errorf("b was told %q", b.downs[0])
	}
	b.await("it listens again", func() bool { return b.State().Up && b.State().Resubscribed == 1 })
	a.await("b is found at the new place", func() bool {
		n, err := sendAndWait(t.Context(), a, ToNode("b"), live("2"))
		return n == 1 && err == nil
	})
	b.await("2", func() bool { return slices.Contains(b.payloads(QueueInbox), "2") })
}

func testFailover(t *testing.T, c *testredis.Cluster) {
	w := clusterWorld(t, c)
	a, b := w.start(t, "a", nil), w.start(t, "f", nil)
	for i := range 20 { // in all parts of the topics
		if err := joinAndWait(t.Context(), b, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	shard := masterOf(t, slotOf(c, "f"))
	old := c.KillMaster(shard)
	b.await("it is told", func() bool { return b.told(&b.downs) > 0 && !b.State().Up })
	c.AwaitMaster(shard, old)
	b.await("it listens again", func() bool { return b.State().Up && b.State().Resubscribed > 0 })
	reached := func(to Channel, text string) {
		t.Helper()
		a.await(fmt.Sprintf("%v is reached", to), func() bool {
			n, err := sendAndWait(t.Context(), a, to, live(text))
			return n == 1 && err == nil
		})
	}
	reached(ToNode("f"), "inbox")
	b.await("it", func() bool { return slices.Contains(b.payloads(QueueInbox), "inbox") })
	for i := range 20 {
		reached(ToTopic(fmt.Sprint(i)), fmt.Sprint(i))
		b.await("topic", func() bool { return slices.Contains(b.payloads(QueueTopics), fmt.Sprint(i)) })
	}
	old.Restart()
	c.AwaitOK()
}

func TestSentinels(t *testing.T) {
	if testing.Short() {
		t.Skip("Sentinels find each other by announcements each 2 s")
	}
	c := testredis.StartSentinels(t)
	p := prefix()
	w := &world{bus: func(o Options) (Bus, error) {
		r := redisOptions(c.Addrs(), p, o)
		r.MasterSet = testredis.MasterSet
		return NewRedis(r)
	}}
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	a.must(ToNode("b"), live("1"), 1)
	b.awaitPayloads(QueueInbox, "1")
	c.AwaitMaster(c.KillMaster())
	for _, n := range []*node{a, b} {
		n.await("it listens again", func() bool { return n.State().Up && n.State().Resubscribed > 0 })
	}
	a.await("b is reached", func() bool {
		n, err := sendAndWait(t.Context(), a, ToNode("b"), live("2"))
		return n == 1 && err == nil
	})
	b.await("2", func() bool { return slices.Contains(b.payloads(QueueInbox), "2") })
}
