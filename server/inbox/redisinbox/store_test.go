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

// TestTwoNodes: a device goes from one node to another, and back: what waits goes with
// it, and only its last session counts.
func TestTwoNodes(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	a, b := start(t, server, clock), start(t, server, clock)
	at := a.open("d")
	if at.Resumed || at.Last != 0 || at.Fence == 0 {
		t.Errorf("%+v", at)
	}
	p := b.put("d", "", "x", 60) // published elsewhere
	if p.Verdict != inbox.Stored || p.Seq != 1 || p.Ref != 0 || p.Fence != at.Fence || p.Epoch != at.Epoch || p.Tag == 0 {
		t.Errorf("%+v", p)
	}
	if last, _ := a.Last(at.Ref, at.Fence); last != 0 {
		t.Error("the node knows what nobody has told it")
	}
	note := &inbox.Notice{Device: []byte("d"), Epoch: []byte(p.Epoch.String()), Fence: p.Fence, Seq: p.Seq, Tag: p.Tag}
	if ref, look := a.Noticed(note); ref != at.Ref || !look {
		t.Errorf("noticed: %d %v", ref, look)
	}
	if ref, look := a.Noticed(note); ref != at.Ref || look {
		t.Errorf("noticed again: %d %v", ref, look)
	}
	if ref, look := b.Noticed(note); ref != 0 || look {
		t.Errorf("noticed where the device is not: %d %v", ref, look)
	}
	same(t, "at a", a.fetch(at, 1), "1 x")

	bt := b.open("d", at.Epoch, 0)
	if !bt.Resumed || bt.Fence != at.Fence+1 || bt.Last != 1 || bt.Acked != 0 {
		t.Errorf("%+v after %+v", bt, at)
	}
	if !a.Ack(at.Ref, at.Fence, 1) {
		t.Error("a does not know yet that the device is elsewhere")
	}
	a.flush()
	if a.Current(at.Ref, at.Fence) || a.Ack(at.Ref, at.Fence, 1) {
		t.Error("a still thinks that it has the device")
	}
	same(t, "ended", a.endings(), fmt.Sprint(at.Ref, at.Fence, ErrOvertaken))
	same(t, "at a", a.fetch(at, 1), "gone")
	same(t, "at b", b.fetch(bt, 1), "1 x")
	if !b.Ack(bt.Ref, bt.Fence, 1) {
		t.Error("the last session's acknowledgement is refused")
	}
	b.flush()
	back := a.open("d")
	if !back.Resumed || back.Acked != 1 || back.Ref != at.Ref || back.Fence != bt.Fence+1 {
		t.Errorf("%+v", back)
	}
	a.check()
}

// TestRefOfAnotherLife: a fetch that is under way for a device that has left reads
// nothing of the one that has its number.
func TestRefOfAnotherLife(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	o := n.open("a")
	n.put("a", "", "x", 60)
	n.Leave(o.Ref, o.Fence)
	if n.Current(o.Ref, o.Fence) || !slices.Equal(n.fetch(o, 1), []string{"gone"}) {
		t.Error("who has left is still served")
	}
	other := n.open("b")
	if other.Ref == o.Ref {
		t.Error("the number was given to another device at once")
	}
	back := n.open("a")
	if back.Ref != o.Ref || back.Fence != o.Fence+1 || back.Last != 1 {
		t.Errorf("%+v after %+v", back, o)
	}
}

// TestAckBeforeOpen: what was acknowledged on a session counts for the next one, however
// soon that comes.
func TestAckBeforeOpen(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.FlushEvery = time.Hour })
	o := n.open("d")
	n.put("d", "", "x", 60)
	n.put("d", "", "y", 60)
	n.Ack(o.Ref, o.Fence, 1)
	n.Leave(o.Ref, o.Fence)
	if o = n.open("d"); o.Acked != 1 || o.Last != 2 {
		t.Errorf("%+v", o)
	}
	same(t, "after it came back", n.fetch(o, 1), "2 y")
	if c := n.Counts(); c.Published != 2 || c.Acknowledged != 1 || c.InFlight != 1 {
		t.Errorf("%+v", c)
	}
}

// TestHoles: what expires in the middle of an inbox is skipped, frees its bytes, and
// keeps its number.
func TestHoles(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Limits.Messages, o.Limits.Bytes = 4, 200 })
	o := n.open("d")
	n.put("d", "", "a", 60)
	n.put("d", "", "b", 5)
	n.put("d", "", "c", 5)
	n.put("d", "", "d", 60)
	if p := n.put("d", "", "e", 60); p.Verdict != inbox.Full {
		t.Errorf("a fifth of four: %+v", p)
	}
	clock.add(6 * time.Second)
	same(t, "before the hole", n.fetch(o, 1), "1 a")
	same(t, "behind it", n.fetch(o, 2), "skip 3 ttl", "4 d")
	if p := n.put("d", "", "e", 60); p.Verdict != inbox.Full {
		t.Errorf("holes keep their place until what is before them is gone: %+v", p)
	}
	n.check()
	n.Ack(o.Ref, o.Fence, 1)
	if p := n.put("d", "", "e", 60); p.Verdict != inbox.Stored || p.Seq != 5 {
		t.Errorf("%+v", p)
	}
	if p := n.put("d", "", strings.Repeat("x", 190), 60); p.Verdict != inbox.Full {
		t.Errorf("more bytes than may be: %+v", p)
	}
	same(t, "at the end", n.fetch(o, 2), "skip 3 ttl", "4 d", "5 e")
	n.check()
	clock.add(2 * time.Minute)
	if i, ok := n.Lookup([]byte("d")); !ok || i.Messages != 0 || i.Bytes != 0 || i.Last != 5 || i.Acked != 1 {
		t.Errorf("%+v %v", i, ok)
	}
	same(t, "when all has expired", n.fetch(o, 2), "skip 5 ttl")
	if c := n.Counts(); c.Expired != 4 || c.Acknowledged != 1 || c.InFlight != 0 {
		t.Errorf("%+v", c)
	}
	n.check()
}

// TestListGoesByItself: Redis forgets a list whose messages have all expired, and the
// numbers go on.
func TestListGoesByItself(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	o := n.open("d")
	n.put("d", "", "a", 60)
	if ttl := server.Text("TTL", "inbox:{d}"); ttl != "120" && ttl != "119" {
		t.Errorf("the list lives for %s s, want 120", ttl)
	}
	n.put("d", "", "b", 1)
	if ttl := server.Text("TTL", "inbox:{d}"); ttl != "120" && ttl != "119" {
		t.Errorf("a short message has made the list's life %s s", ttl)
	}
	server.Text("DEL", "inbox:{d}")
	clock.add(2 * time.Minute)
	same(t, "afterwards", n.fetch(o, 1), "skip 2 ttl")
	if p := n.put("d", "", "c", 60); p.Seq != 3 {
		t.Errorf("%+v", p)
	}
	same(t, "the next one", n.fetch(o, 1), "skip 2 ttl", "3 c")
	n.check()
	if c := n.Counts(); c.Expired != 2 || c.InFlight != 1 {
		t.Errorf("%+v", c)
	}
}

// TestIdempotency: over ten minutes and over the bounds of the hashes that hold the
// keys, and with what became of the first.
func TestIdempotency(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	n.open("d")
	p := message("d", "k", "x", 3600)
	done := make(chan struct{})
	n.Commit(&inbox.Commit{Ops: []inbox.Op{p}, Done: func(c *inbox.Commit) {
		p.Outcome = 3
		n.Remember(c)
		close(done)
	}})
	<-done
	for i := range 19 {
		again := n.put("d", "k", "y", 3600)
		if again.Verdict != inbox.Duplicate || again.Seq != 1 || again.First != 3 {
			t.Fatalf("after %d s: %+v", i*30, again)
		}
		clock.add(30 * time.Second)
	}
	clock.add(31 * time.Second)
	if again := n.put("d", "k", "y", 3600); again.Verdict != inbox.Stored || again.Seq != 2 {
		t.Errorf("after more than ten minutes: %+v", again)
	}
	if c := n.Counts(); c.Duplicates != 19 {
		t.Errorf("%+v", c)
	}
}

// TestUnknown: nothing is stored for devices that were never seen, unless that is asked
// for.
func TestUnknown(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	if p := n.put("d", "", "x", 60); p.Verdict != inbox.Unknown {
		t.Errorf("%+v", p)
	}
	if _, ok := n.Lookup([]byte("d")); ok {
		t.Error("it is known")
	}
	if v := server.Text("DBSIZE"); v != "0" {
		t.Errorf("%s keys are there", v)
	}
	keep := start(t, server, clock, func(o *Options) { o.Limits.KeepUnknown = true })
	if p := keep.put("d", "", "x", 60); p.Verdict != inbox.Stored || p.Seq != 1 {
		t.Errorf("%+v", p)
	}
	o := n.open("d")
	if !o.Resumed || o.Last != 1 {
		t.Errorf("%+v", o)
	}
	same(t, "it waits", n.fetch(o, 1), "1 x")
	if ids := n.Devices("", 10); !slices.Equal(ids, []string{"d"}) {
		t.Errorf("%q", ids)
	}
}

// TestDevicesAreBounded: as many as may be, counted now and then.
func TestDevicesAreBounded(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Limits.Devices = 3 })
	for i := range 3 {
		n.open(fmt.Sprint("d", i))
	}
	n.maintain()
	if _, err := n.Open([]byte("one more"), inbox.Resume{}); !errors.Is(err, inbox.ErrDevices) {
		t.Errorf("%v", err)
	}
	if o := n.open("d1"); !o.Resumed {
		t.Errorf("a known one: %+v", o)
	}
	if c := n.Counts(); c.Devices != 3 {
		t.Errorf("%+v", c)
	}
}

// TestManyDevices lists and looks at more devices than a page has.
func TestManyDevices(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	var want []string
	for i := range 300 {
		id := fmt.Sprintf("d%03d", i)
		want = append(want, id)
		n.open(id)
	}
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page := n.Devices(after, 70)
		if got = append(got, page...); len(page) < 70 {
			break
		}
	}
	same(t, "devices", got, want...)
	ops := make([]inbox.Op, 0, len(want))
	m := &inbox.Message{TTL: 60, ID: []byte("k"), Payload: []byte("x")}
	for _, id := range want {
		ops = append(ops, &inbox.Put{Device: id, Message: m})
	}
	if err := n.do(ops...); err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		if p := op.(*inbox.Put); p.Verdict != inbox.Stored || p.Seq != 1 || p.Ref == 0 {
			t.Fatalf("%+v", p)
		}
	}
	n.check()
}

// TestScriptsAreGivenAgain: a Redis that has forgotten the scripts gets them.
func TestScriptsAreGivenAgain(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	o := n.open("d")
	server.Text("SCRIPT", "FLUSH")
	var ops []inbox.Op
	for i := range 20 {
		ops = append(ops, message("d", "", fmt.Sprint(i), 60))
	}
	if err := n.do(ops...); err != nil {
		t.Fatal(err)
	}
	for i, op := range ops {
		if p := op.(*inbox.Put); p.Verdict != inbox.Stored || p.Seq != uint64(i+1) {
			t.Errorf("%d: %+v", i, p)
		}
	}
	n.Ack(o.Ref, o.Fence, 20)
	n.flush()
	n.check()
}

func TestOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("%v", err)
	}
	if _, err := New(Options{Addrs: []string{"x:1"}, Replicas: -1}); err == nil || !strings.Contains(err.Error(), "replicas -1") {
		t.Errorf("%v", err)
	}
}

// TestLookupOvertaken: what a session acknowledges that has a later one elsewhere, of which its node has not heard, counts
// for nobody, there neither.
func TestLookupOvertaken(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	a, b := start(t, server, clock), start(t, server, clock)
	o := a.open("d")
	a.put("d", "", "1", 60)
	b.open("d")
	a.Ack(o.Ref, o.Fence, 1)
	a.flush()
	for name, n := range map[string]*node{"its node": a, "another": b} {
		if i, ok := n.Lookup([]byte("d")); !ok || i.Acked != 0 || i.Messages != 1 {
			t.Errorf("%s says %+v", name, i)
		}
	}
}
