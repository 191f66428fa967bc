package redisinbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"roost/server/inbox"
	"roost/server/testredis"
)

// TestCluster: everything works where keys lie on three masters, and goes on when one of
// them dies: what was accepted and is not there shows as a new stream.
func TestCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("a failover takes seconds")
	}
	c, clock := testredis.StartCluster(t), newClock()
	n := start(t, c.Nodes()[0], clock, func(o *Options) { o.Addrs = c.Addrs()[:3] })
	sessions := map[string]inbox.Opened{}
	var ops []inbox.Op
	for i := range 60 {
		id := fmt.Sprint("d", i)
		sessions[id] = n.open(id)
		ops = append(ops, message(id, "k", "1", 600))
	}
	if err := n.do(ops...); err != nil {
		t.Fatal(err)
	}
	for id, o := range sessions {
		if err := n.subscribe(o, "fw", true); err != nil {
			t.Fatal(id, err)
		}
	}
	s := spread("fw", "k", "2")
	if err := n.do(s); err != nil || s.Receivers != 60 {
		t.Fatalf("%v %+v", err, s)
	}
	if ids := n.Devices("", 100); len(ids) != 60 {
		t.Errorf("%d devices", len(ids))
	}
	for id, o := range sessions {
		same(t, id, n.fetch(o, 1), "1 1", "2 2")
		n.Ack(o.Ref, o.Fence, 1)
	}
	n.flush()
	old := c.KillMaster(1)
	failed := 0
	for id := range sessions {
		if n.do(message(id, "late", "3", 600)) != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("a third of the slots has no master, and everything is accepted")
	}
	c.AwaitMaster(1, old)
	for id := range sessions {
		testredis.Await(t, "it is accepted", func() bool { return n.do(message(id, "late", "3", 600)) == nil })
	}
	testredis.Await(t, "acknowledgements are written", func() bool { return n.Flush() == nil })
	for id, o := range sessions {
		got := n.fetch(o, 2)
		if !n.Current(o.Ref, o.Fence) { // the replica had not got all of it
			// A lost message ends it with ErrHistory; a lost opening looks like an earlier session of the device.
			if e := n.endings(); !slices.Contains(e, fmt.Sprint(o.Ref, o.Fence, ErrHistory)) && !slices.Contains(e, fmt.Sprint(o.Ref, o.Fence, ErrOvertaken)) {
				t.Errorf("%s: its session has ended without a word", id)
			}
			continue
		}
		same(t, id, got, "2 2", "3 3")
	}
	n.check()
}

// TestReplicasInACluster: WAIT cannot be had there, and that is said.
func TestReplicasInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster takes seconds")
	}
	c := testredis.StartSteadyCluster(t)
	s, err := New(Options{Addrs: c.Addrs()[:3], Replicas: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := "min-replicas-to-write"
	testredis.Await(t, "it says so", func() bool { err := s.Reached(); return err != nil && strings.Contains(err.Error(), want) })
}
