package redisinbox

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"roost/server/inbox"
	"roost/server/presence"
	"roost/server/testredis"
)

// told returns the devices whose lanes have been told to look, once each.
func (n *node) told() (ids []string) {
	n.mu.Lock()
	refs := slices.Clone(n.moved)
	n.mu.Unlock()
	for _, ref := range refs {
		if id := string(n.AppendID(nil, ref)); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// TestPartOfACommit: what a commit has stored that fails gets to those who are connected here, though nobody offers it to
// their lanes; a repetition is told that it is queued, for nobody has seen it written.
func TestPartOfACommit(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	owner := presence.Owner{Node: "n1", Incarnation: 7}
	n := start(t, server, clock, func(o *Options) {
		o.Presence = &Presence{Lua: presence.LuaFunctions, Key: presence.Key, Owner: owner.String(), Index: presence.IndexKey(owner),
			Likely: Likely{Here: 1, Elsewhere: 2, Away: 3}}
	})
	sessions := map[string]inbox.Opened{}
	for _, id := range []string{"bad", "gone", "good", "has"} {
		o, _, err := n.OpenAs([]byte(id), inbox.Resume{}, 77, 0)
		if err != nil {
			t.Fatal(err)
		}
		sessions[id] = o
	}
	n.Leave(sessions["gone"].Ref, sessions["gone"].Fence)
	n.put("has", "k", "x", 60)
	n.Ack(sessions["has"].Ref, sessions["has"].Fence, 1)
	n.flush()
	server.Text("SET", "inbox:{bad}", "no list")
	ops := []inbox.Op{message("good", "k", "x", 60), message("bad", "k", "x", 60), message("gone", "k", "x", 60), message("has", "k", "x", 60)}
	if err := n.do(ops...); !errors.Is(err, inbox.ErrFailed) {
		t.Fatal(err)
	}
	same(t, "told to look", n.told(), "good")
	same(t, "it has", n.fetch(sessions["good"], 1), "1 x")
	for _, row := range []struct {
		id    string
		first uint8
	}{{"good", 2}, {"gone", 2}} { // presence has not been told that it left
		if p := n.put(row.id, "k", "x", 60); p.Verdict != inbox.Duplicate || p.First != row.first {
			t.Errorf("%s: %+v, want outcome %d", row.id, p, row.first)
		}
	}
	server.Text("DEL", "inbox:{bad}")
	n.check()
}

// TestPartOfASpread: the same of a message to many.
func TestPartOfASpread(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	for i := range 40 {
		id := fmt.Sprint("d", i)
		o := n.open(id)
		if i < 20 {
			if err := n.subscribe(o, "fw", true); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want []string
	last := -1 // the shard that is read last
	for i := range 20 {
		last = max(last, shardOf(fmt.Sprint("d", i)))
	}
	for i := range 20 {
		if id := fmt.Sprint("d", i); shardOf(id) != last {
			want = append(want, id)
		}
	}
	slices.Sort(want)
	broken := n.indexKey("fw", last)
	server.Text("RENAME", broken, "aside")
	server.Text("SET", broken, "not an index")
	if err := n.do(spread("fw", "k", "x")); !errors.Is(err, inbox.ErrFailed) {
		t.Fatal(err)
	}
	same(t, "told to look", n.told(), want...)
	server.Text("DEL", broken)
	server.Text("RENAME", "aside", broken)
	n.check()
}

// TestMasterAway: of a request for many devices of a Redis Cluster in which one master is away, those of the others get
// what was stored for them; the rest get it with the repetition.
func TestMasterAway(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes seconds")
	}
	c, clock := testredis.StartCluster(t), newClock()
	n := start(t, c.Nodes()[0], clock, func(o *Options) { o.Addrs = c.Addrs()[:3] })
	sessions := map[string]inbox.Opened{}
	ops := func() (ops []inbox.Op) {
		for id := range sessions {
			ops = append(ops, message(id, "k", "x", 600))
		}
		return ops
	}
	for i := range 40 {
		id := fmt.Sprint("d", i)
		sessions[id] = n.open(id)
	}
	old := c.KillMaster(1)
	if err := n.do(ops()...); err == nil {
		t.Fatal("a third of the slots has no master, and all is accepted")
	}
	told := n.told()
	if len(told) == 0 || len(told) == len(sessions) {
		t.Errorf("%d of %d have been told to look", len(told), len(sessions))
	}
	has := 0
	for id, o := range sessions {
		f := inbox.Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1000}
		if n.Fetch(&f); f.Err == nil && len(f.Items) > 0 {
			if has++; !slices.Contains(told, id) {
				t.Errorf("%s has a message and was not told", id)
			}
		}
	}
	if has < len(told) {
		t.Errorf("%d have been told, %d have a message", len(told), has)
	}
	c.AwaitMaster(1, old)
	testredis.Await(t, "it is accepted", func() bool { return n.do(ops()...) == nil })
	for id, o := range sessions {
		if last, _ := n.Last(o.Ref, o.Fence); last == 0 && n.Current(o.Ref, o.Fence) { // a failover may have lost the opening
			t.Errorf("%s has nothing", id)
		}
	}
	n.check()
}
