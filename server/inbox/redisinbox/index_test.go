package redisinbox

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"roost/server/inbox"
	"roost/server/testredis"
)

// agree compares what devices are in with what the indexes say, of one topic and of all.
func (n *node) agree(topic string, devices []string) {
	n.tb.Helper()
	for _, d := range devices {
		k := n.names(d)
		rs := n.redis.do([]call{
			{name: "SISMEMBER", keys: []string{k.subs()}, args: []string{topic}},
			{name: "ZSCORE", keys: []string{n.indexKey(topic, shardOf(d))}, args: []string{d}},
			{name: "HEXISTS", keys: []string{k.head()}, args: []string{"p"}},
			{name: "ZSCORE", keys: []string{n.indexKey("", shardOf(d))}, args: []string{d}},
		}, false)
		if err := lastError(rs); err != nil {
			n.tb.Fatal(err)
		}
		if in, named := rs[0].v == int64(1), rs[1].v != nil; in != named {
			n.tb.Errorf("%s: in %s: %v, named by its index: %v", d, topic, in, named)
		}
		if known, named := rs[2].v == int64(1), rs[3].v != nil; known != named {
			n.tb.Errorf("%s: known: %v, named by the index of all: %v", d, known, named)
		}
	}
}

// race has two nodes do the opposite of each other with the same devices, at once.
func race(a, b *node, devices []string) {
	both := func(f, g func(device string)) {
		var wg sync.WaitGroup
		for _, d := range devices {
			wg.Go(func() { f(d) })
			wg.Go(func() { g(d) })
		}
		wg.Wait()
	}
	do := func(n *node, op inbox.Op) {
		if err := n.do(op); err != nil {
			n.tb.Error(err)
		}
	}
	sub := func(n *node, on bool) func(device string) {
		return func(device string) { do(n, &inbox.Subscription{Device: device, Topic: "fw", On: on}) }
	}
	for range 5 {
		both(sub(a, true), sub(b, false))
		a.agree("fw", devices)
		both(func(device string) { do(a, &inbox.Removal{Device: device}) }, func(device string) { b.open(device) })
		a.agree("fw", devices)
		for _, d := range devices {
			b.open(d)
			do(b, &inbox.Subscription{Device: d, Topic: "fw", On: true})
		}
	}
}

// TestIndexRaces: whatever two nodes do at once with a device, the indexes say what it is in.
func TestIndexRaces(t *testing.T) {
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = fmt.Sprint("d", i)
	}
	t.Run("one server", func(t *testing.T) {
		server, clock := testredis.Start(t), newClock()
		race(start(t, server, clock), start(t, server, clock), ids)
	})
	t.Run("cluster", func(t *testing.T) {
		if testing.Short() {
			t.Skip("a cluster takes seconds")
		}
		c, clock := testredis.StartSteadyCluster(t), newClock()
		addrs := func(o *Options) { o.Addrs = c.Addrs()[:3] }
		race(start(t, c.Nodes()[0], clock, addrs), start(t, c.Nodes()[0], clock, addrs), ids)
	})
}

// TestIndexMended: an index that does not say what is so, because a node died in the midst of a change, is mended for devices
// that are connected; one that names others is by the next message that meets them.
func TestIndexMended(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	for _, id := range []string{"in", "out"} {
		n.open(id)
	}
	if err := n.do(&inbox.Subscription{Device: "in", Topic: "fw", On: true}); err != nil {
		t.Fatal(err)
	}
	key := func(topic, id string) string { return n.indexKey(topic, shardOf(id)) }
	server.Text("ZREM", key("fw", "in"), "in")
	server.Text("ZREM", key("", "in"), "in")
	server.Text("ZADD", key("fw", "out"), "0", "out")
	server.Text("ZADD", key("", "nobody"), "0", "nobody")
	for range 2 * indexTicks { // two devices
		n.maintain()
	}
	for topic, want := range map[string]int{"fw": 1, "": 2} {
		if s := spread(topic, "", "x"); n.do(s) != nil || s.Receivers != want {
			t.Errorf("%q: %+v, want %d receivers", topic, s, want)
		}
	}
	n.agree("fw", []string{"in", "out", "nobody"})
	if got := n.Devices("", 10); !slices.Equal(got, []string{"in", "out"}) {
		t.Errorf("devices: %q", got)
	}
}
