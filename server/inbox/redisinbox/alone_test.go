package redisinbox

import (
	"errors"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/testredis"
)

// TestAlone: a session that began while Redis was away is found, says to the device what that says of itself, gets
// nothing and acknowledges nothing; the next one with Redis takes over, and nothing is lost or repeated by what was
// in between.
func TestAlone(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Deadline = 300 * time.Millisecond })
	first := n.open("d")
	n.put("d", "", "one", 60)
	n.put("d", "", "two", 60)
	n.Ack(first.Ref, first.Fence, 1)
	n.flush()
	server.Pause()
	epoch := first.Epoch.String()
	o, err := n.OpenAlone([]byte("d"), inbox.Resume{Given: true, Epoch: []byte(epoch), Seq: 1}, first.Fence+100)
	if err != nil || o.Ref != first.Ref || o.Fence != first.Fence+100 || o.Epoch != first.Epoch || o.Last != 1 || o.Acked != 1 || !o.Resumed {
		t.Fatalf("%+v %v", o, err)
	}
	if n.Current(first.Ref, first.Fence) || !n.Current(o.Ref, o.Fence) || n.Find([]byte("d")) != o.Ref || string(n.AppendID(nil, o.Ref)) != "d" || string(n.Name(nil, o.Ref)) != "d" {
		t.Error("the later session is not the current one")
	}
	if last, acked := n.Last(o.Ref, o.Fence); last != 1 || acked != 1 {
		t.Errorf("last %d, acked %d", last, acked)
	}
	if !n.Ack(o.Ref, o.Fence, 1) || !n.acks.empty() {
		t.Error("an acknowledgement is not dropped")
	}
	same(t, "nothing comes", n.fetch(o, 2))
	if _, err := n.OpenAlone([]byte("d"), inbox.Resume{}, first.Fence); !errors.Is(err, ErrOvertaken) {
		t.Errorf("an earlier fence: %v", err)
	}
	fresh, err := n.OpenAlone([]byte("new"), inbox.Resume{}, 7)
	if err != nil || fresh.Epoch == (inbox.Epoch{}) || fresh.Last != 0 || fresh.Resumed || n.Find([]byte("new")) != fresh.Ref {
		t.Errorf("%+v %v", fresh, err)
	}
	bad, err := n.OpenAlone([]byte("other"), inbox.Resume{Given: true, Epoch: []byte("of another store"), Seq: 9}, 8)
	if err != nil || bad.Resumed || bad.Last != 0 {
		t.Errorf("%+v %v", bad, err)
	}
	server.Resume()
	testredis.Await(t, "Redis answers", func() bool {
		_, ok := n.Lookup([]byte("d"))
		return ok && n.do(message("d", "three", "three", 60)) == nil
	})
	// What is heard meanwhile is not for this session.
	if err := n.Resync("", 0); err != nil {
		t.Fatal(err)
	}
	if ref, look := n.Noticed(&inbox.Notice{Device: []byte("d"), Epoch: []byte(epoch), Fence: first.Fence, Seq: 9, Tag: 1}); look {
		t.Errorf("%d has to look", ref)
	}
	if got := n.endings(); len(got) != 0 || n.looks() != 0 {
		t.Errorf("ended %v, looked %d times", got, n.looks())
	}
	same(t, "still nothing", n.fetch(o, 2))
	next := n.open("d", epoch, 1)
	if next.Ref != o.Ref || next.Fence != o.Fence+1 || next.Epoch != first.Epoch || !next.Resumed || next.Acked != 1 {
		t.Errorf("%+v", next)
	}
	same(t, "all that is kept", n.fetch(next, 2), "2 two", "3 three")
	if n.Current(o.Ref, o.Fence) {
		t.Error("the session without Redis is current still")
	}
	n.check()
}

// TestAloneLeaves: it can leave, and what it leaves behind is swept; a session of before that Redis knows goes on
// nowhere.
func TestAloneLeaves(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	server.Kill()
	o, err := n.OpenAlone([]byte("d"), inbox.Resume{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	n.Leave(o.Ref, o.Fence)
	if n.Current(o.Ref, o.Fence) {
		t.Error("current after it has left")
	}
	again, err := n.OpenAlone([]byte("d"), inbox.Resume{}, 6)
	if err != nil || again.Ref != o.Ref || !n.Current(again.Ref, 6) {
		t.Errorf("%+v %v", again, err)
	}
	n.Leave(again.Ref, 6)
	clock.add(2 * quarantine * time.Second)
	n.mu.Lock()
	n.m.sweep(n.seconds())
	left := len(n.m.byID)
	n.mu.Unlock()
	if left != 0 {
		t.Errorf("%d devices are left", left)
	}
}

// TestAloneAtFirst: a device that says nothing of itself while Redis is away, as all do at their first connect, gets the
// name of no stream. Whoever says that has lost nothing: it gets what Redis has for it, as if it had said nothing.
func TestAloneAtFirst(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n, other := start(t, server, clock), start(t, server, clock)
	was := other.open("known")
	alone := func(id string) inbox.Opened {
		t.Helper()
		o, err := n.OpenAlone([]byte(id), inbox.Resume{}, was.Fence+100)
		if err != nil || !o.Epoch.Provisional() || o.Resumed {
			t.Fatalf("%+v %v", o, err)
		}
		n.Leave(o.Ref, o.Fence)
		return o
	}
	other.put("known", "", "1", 60)
	other.put("known", "", "2", 60)
	other.Ack(was.Ref, was.Fence, 1)
	other.flush()
	back := n.open("known", alone("known").Epoch, 0)
	if back.Epoch != was.Epoch || !back.Resumed || back.From != 0 || back.Acked != 1 {
		t.Errorf("known: %+v", back)
	}
	same(t, "known", n.fetch(back, 2), "2 2")

	first := alone("new")
	fresh := n.open("new", first.Epoch, 0)
	if fresh.Epoch.Provisional() || !fresh.Resumed || fresh.Last != 0 {
		t.Errorf("new: %+v", fresh)
	}
	n.put("new", "", "1", 60)
	// Its answer may have been lost.
	if again := n.open("new", first.Epoch, 0); again.Epoch != fresh.Epoch || !again.Resumed || again.Last != 1 {
		t.Errorf("new, again: %+v after %+v", again, fresh)
	}
	server.Text("FLUSHALL")
	if gone := n.open("new", fresh.Epoch, 0); gone.Resumed || gone.Epoch == fresh.Epoch {
		t.Errorf("a stream that was lost: %+v after %+v", gone, fresh)
	}
	n.check()
	other.check()
}
