package redisinbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/testredis"
)

// TestNotThereYet: a store is there before its Redis, and says so.
func TestNotThereYet(t *testing.T) {
	server := testredis.Start(t)
	server.Kill()
	n := &node{tb: t}
	s, err := New(Options{Addrs: []string{server.Addr()}, Now: newClock().now})
	if err != nil {
		t.Fatal(err)
	}
	n.Store = s
	defer s.Close()
	if _, err := n.Open([]byte("d"), inbox.Resume{}); !errors.Is(err, inbox.ErrFailed) {
		t.Errorf("open: %v", err)
	}
	if n.Find([]byte("d")) != 0 {
		t.Error("it is known here, though it could not be opened")
	}
	p := message("d", "", "x", 60)
	if err := n.do(p); !errors.Is(err, inbox.ErrFailed) || p.Verdict != inbox.Pending {
		t.Errorf("put: %v %+v", err, p)
	}
	server.Restart()
	testredis.Await(t, "the store reaches Redis", func() bool { return n.Reached() == nil })
	n.open("d")
	if p := n.put("d", "", "x", 60); p.Verdict != inbox.Stored {
		t.Errorf("%+v", p)
	}
}

// TestHangingRedis: what Redis does not answer in time has failed, and is not twice
// there when it is published again; the device gets what is there.
func TestHangingRedis(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Deadline = 300 * time.Millisecond })
	o := n.open("d")
	n.put("d", "", "before", 60)
	server.Pause()
	p := message("d", "k", "x", 60)
	if err := n.do(p); !errors.Is(err, inbox.ErrFailed) || p.Verdict != inbox.Pending || p.Seq != 0 {
		t.Errorf("%v %+v", err, p)
	}
	if last, _ := n.Last(o.Ref, o.Fence); last != 1 {
		t.Errorf("last is %d, though nothing is said to be stored", last)
	}
	f := inbox.Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1000}
	if n.Fetch(&f); f.Err == nil || f.Gone {
		t.Errorf("%+v", f)
	}
	if _, err := n.Open([]byte("e"), inbox.Resume{}); !errors.Is(err, inbox.ErrFailed) {
		t.Errorf("%v", err)
	}
	n.Ack(o.Ref, o.Fence, 1) // it waits
	server.Resume()
	testredis.Await(t, "acknowledgements are written", func() bool { return n.Flush() == nil })
	var again *inbox.Put
	testredis.Await(t, "it is published", func() bool {
		again = message("d", "k", "x", 60)
		return n.do(again) == nil
	})
	if again.Seq != 2 || again.Verdict != inbox.Stored && again.Verdict != inbox.Duplicate {
		t.Errorf("%+v", again)
	}
	testredis.Await(t, "the node knows of it", func() bool { last, _ := n.Last(o.Ref, o.Fence); return last == 2 })
	same(t, "at the end", n.fetch(o, 1), "2 x")
	n.check()
}

// TestKilledRedis: with appendfsync always nothing that was accepted is lost, and nothing
// is there twice; acknowledgements that could not be written are later.
func TestKilledRedis(t *testing.T) {
	server, clock := testredis.Start(t, "--appendonly", "yes", "--appendfsync", "always"), newClock()
	n := start(t, server, clock)
	o := n.open("d")
	stop, accepted := make(chan struct{}), make(chan []string)
	go func() {
		var ok []string
		defer func() { accepted <- ok }()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			id := fmt.Sprint(i)
			for try := 0; try < 1000; try++ {
				p := message("d", id, id, 600)
				if n.do(p) == nil {
					if p.Verdict == inbox.Stored || p.Verdict == inbox.Duplicate {
						ok = append(ok, id)
					}
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if i == 900 {
				return
			}
		}
	}()
	for i := range 3 {
		testredis.Await(t, "some are stored", func() bool { return n.Counts().Published > uint64(20*(i+1)) })
		server.Kill()
		n.Ack(o.Ref, o.Fence, uint64(5*(i+1)))
		server.Restart()
	}
	close(stop)
	want := <-accepted
	testredis.Await(t, "acknowledgements are written", func() bool { return n.Flush() == nil })
	var got []string
	testredis.Await(t, "the node knows of all", func() bool { last, _ := n.Last(o.Ref, o.Fence); return last == uint64(len(want)) })
	for from := uint64(1); ; {
		f := inbox.Fetch{Ref: o.Ref, Fence: o.Fence, From: from, Max: 100, Bytes: 1 << 20}
		if n.Fetch(&f); f.Err != nil || f.Gone {
			t.Fatalf("%+v", f)
		}
		if len(f.Items) == 0 {
			break
		}
		for _, it := range f.Items {
			got = append(got, string(it.Message.Payload))
			from = it.Seq + 1
		}
	}
	_, acked := n.Last(o.Ref, o.Fence)
	if !slices.Equal(got, want[acked:]) {
		t.Errorf("%d were accepted, %d acknowledged, and what waits is\n%q\nwant\n%q", len(want), acked, got, want[acked:])
	}
	if back := n.open("d", o.Epoch, int(acked)); !back.Resumed || back.Epoch != o.Epoch {
		t.Errorf("nothing was lost, but the stream is another: %+v after %+v", back, o)
	}
	n.check()
}

// TestBusy: what waits for Redis is bounded.
func TestBusy(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Deadline = time.Second })
	server.Pause()
	busy, left := 0, make(chan error, maxQueued+batchOps+10)
	for range maxQueued + batchOps + 10 {
		n.Commit(&inbox.Commit{Ops: []inbox.Op{message("d", "", "x", 60)}, Done: func(c *inbox.Commit) { left <- c.Err }})
	}
	for range cap(left) {
		select {
		case err := <-left:
			if errors.Is(err, inbox.ErrBusy) {
				busy++
			} else if !errors.Is(err, inbox.ErrFailed) {
				t.Fatalf("%v", err)
			}
		case <-time.After(patience):
			t.Fatal("commits wait for ever")
		}
	}
	if busy == 0 {
		t.Error("all of them could wait")
	}
	server.Resume()
	if c := n.Counts(); c.Failed != uint64(cap(left)) {
		t.Errorf("%d failed: %+v", cap(left), c)
	}
}

// TestReplicas: with WAIT a commit that no replica has is not accepted.
func TestReplicas(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Replicas, o.Deadline = 1, time.Second })
	one := start(t, server, clock)
	one.open("d")
	p := message("d", "k", "x", 60)
	if err := n.do(p); !errors.Is(err, inbox.ErrFailed) {
		t.Errorf("no replica: %v %+v", err, p)
	}
	host, port, _ := strings.Cut(server.Addr(), ":")
	replica := testredis.Start(t, "--replicaof", host, port)
	testredis.Await(t, "the replica is in step", func() bool {
		v, err := replica.Do("EXISTS", "inbox:{d}:h")
		return err == nil && v == int64(1)
	})
	testredis.Await(t, "it is accepted", func() bool {
		p = message("d", "k", "x", 60)
		return n.do(p) == nil
	})
	if p.Verdict != inbox.Duplicate && p.Verdict != inbox.Stored || p.Seq != 1 {
		t.Errorf("%+v", p)
	}
	if got := replica.Text("LLEN", "inbox:{d}"); got != "1" {
		t.Errorf("the replica has %s", got)
	}
}

// TestReplicaStopped: a replica that is there and says nothing has messages refused, within a bound, and repetitions of
// them too: that they are on the master is not enough. Devices are opened, and get what is there.
func TestReplicaStopped(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	host, port, _ := strings.Cut(server.Addr(), ":")
	replica := testredis.Start(t, "--replicaof", host, port)
	n := start(t, server, clock, func(o *Options) { o.Replicas, o.Deadline = 1, time.Second })
	o := n.open("d")
	testredis.Await(t, "it is accepted", func() bool { return n.do(message("d", "first", "1", 60)) == nil })
	replica.Pause()
	other := start(t, server, clock, func(o *Options) { o.Replicas, o.Deadline = 1, time.Second })
	for i, by := range []*node{n, n, other} { // the last one has written nothing itself
		p := message("d", "k", "2", 60)
		if err := by.do(p); !errors.Is(err, inbox.ErrFailed) || !errors.Is(err, errUnclear) || p.Verdict != inbox.Pending {
			t.Errorf("%d: %v %+v", i, err, p)
		}
	}
	if err := n.do(&inbox.Subscription{Device: "d", Topic: "fw", On: true}); !errors.Is(err, inbox.ErrFailed) {
		t.Errorf("a subscription: %v", err)
	}
	testredis.Await(t, "who is connected gets what may be lost", func() bool { last, _ := n.Last(o.Ref, o.Fence); return last == 2 })
	if back := n.open("d", o.Epoch, 1); !back.Resumed || back.Last != 2 {
		t.Errorf("a device that comes back: %+v", back)
	}
	replica.Resume()
	var p *inbox.Put
	testredis.Await(t, "the repetition is accepted", func() bool {
		p = message("d", "k", "2", 60)
		return other.do(p) == nil
	})
	if p.Verdict != inbox.Duplicate || p.Seq != 2 {
		t.Errorf("%+v", p)
	}
	if got := replica.Text("LLEN", "inbox:{d}"); got != "1" {
		t.Errorf("the replica has %s", got)
	}
	n.check()
}

// TestFullRedis: no memory is the publisher's to hear of, and passes.
func TestFullRedis(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Limits.KeepUnknown = true })
	n.open("d")
	server.Text("CONFIG", "SET", "maxmemory", "1")
	if err := n.do(message("never seen", "k", "x", 60)); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("to a device that was never seen: %v", err)
	}
	if err := n.do(message("d", "k", "x", 60)); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("%v", err)
	}
	if _, err := n.Open([]byte("e"), inbox.Resume{}); !errors.Is(err, inbox.ErrFull) {
		t.Errorf("%v", err)
	}
	server.Text("CONFIG", "SET", "maxmemory", "0")
	if p := n.put("d", "k", "x", 60); p.Verdict != inbox.Stored || p.Seq != 1 {
		t.Errorf("%+v", p)
	}
}
