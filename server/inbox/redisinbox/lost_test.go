package redisinbox

import (
	"errors"
	"fmt"
	"testing"

	"roost/server/inbox"
	"roost/server/testredis"
)

// loadPast copies what Redis has of a device: put back later, it is what a failover leaves to
// a replica that had not got what came since.
const loadPast = `
local l, h = redis.call('DUMP', KEYS[1]), redis.call('DUMP', KEYS[2])
redis.call('DEL', KEYS[3], KEYS[4])
if l then redis.call('RESTORE', KEYS[3], 0, l) end
if h then redis.call('RESTORE', KEYS[4], 0, h) end
return 1`

func copyKeys(t *testing.T, server *testredis.Server, from, to string) {
	t.Helper()
	server.Text("EVAL", loadPast, "4", from, from+":h", to, to+":h")
}

// TestLostHistory: whatever tells a node first that Redis has gone back in time, the
// device's session ends, and the next one has a new stream.
func TestLostHistory(t *testing.T) {
	for _, row := range []struct {
		name string
		// since: messages that other publishers store in place of those that were lost.
		since int
		act   func(n *node, o inbox.Opened)
	}{
		{"acknowledged", 0, func(n *node, o inbox.Opened) { n.Ack(o.Ref, o.Fence, 5); n.flush() }},
		{"acknowledged, others in their place", 3, func(n *node, o inbox.Opened) { n.Ack(o.Ref, o.Fence, 5); n.flush() }},
		{"acknowledged, more than there were", 6, func(n *node, o inbox.Opened) { n.Ack(o.Ref, o.Fence, 5); n.flush() }},
		{"fetched", 0, func(n *node, o inbox.Opened) { same(n.tb, "fetch", n.fetch(o, 4), "gone") }},
		{"fetched, others in their place", 3, func(n *node, o inbox.Opened) { same(n.tb, "fetch", n.fetch(o, 4), "gone") }},
		{"published here", 0, func(n *node, o inbox.Opened) { n.put("d", "", "new", 60) }},
		{"published here, others in their place", 2, func(n *node, o inbox.Opened) { n.put("d", "", "new", 60) }},
		{"looked at", 0, func(n *node, o inbox.Opened) { n.Resync("", 0) }},
		{"looked at, others in their place", 4, func(n *node, o inbox.Opened) { n.Resync("", 0) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			server, clock := testredis.Start(t), newClock()
			n, other := start(t, server, clock), start(t, server, clock)
			o := n.open("d")
			n.put("d", "", "1", 60)
			n.put("d", "", "2", 60)
			copyKeys(t, server, "inbox:{d}", "past:{d}")
			for i := 3; i <= 5; i++ {
				n.put("d", "", fmt.Sprint(i), 60)
			}
			same(t, "before", n.fetch(o, 1), "1 1", "2 2", "3 3", "4 4", "5 5")
			copyKeys(t, server, "past:{d}", "inbox:{d}")
			var want []string
			for i := range row.since {
				other.put("d", "", fmt.Sprint("since ", i), 60)
				want = append(want, fmt.Sprintf("%d since %d", 3+i, i))
			}
			row.act(n, o)
			testredis.Await(t, "the session ends", func() bool { return len(n.endings()) > 0 })
			same(t, "ended", n.endings(), fmt.Sprint(o.Ref, o.Fence, ErrHistory))
			if n.Current(o.Ref, o.Fence) {
				t.Error("the session goes on")
			}
			back := n.open("d", o.Epoch, 5)
			if back.Resumed || back.Epoch == o.Epoch || back.Fence <= o.Fence {
				t.Errorf("%+v after %+v", back, o)
			}
			got := n.fetch(back, 1)
			want = append([]string{"1 1", "2 2"}, want...)
			if len(got) > len(want) { // what the row has published
				got = got[:len(want)]
			}
			same(t, "what is held", got, want...)
			n.check()
		})
	}
}

// TestLostUnderMore: what a failover has lost shows also where more messages have come since than it has lost, in
// whatever way the node hears of them: the device has one number 2, and there is another now.
func TestLostUnderMore(t *testing.T) {
	notice := func(n *node, p *inbox.Put) {
		n.Noticed(&inbox.Notice{Device: []byte(p.Device), Epoch: []byte(p.Epoch.String()), Fence: p.Fence, Seq: p.Seq, Tag: p.Tag, Before: p.Before})
	}
	for name, act := range map[string]func(n, other *node, two, three *inbox.Put) error{
		"both in a commit": func(n, _ *node, two, three *inbox.Put) error { return n.do(two, three) },
		"one after the other": func(n, _ *node, two, three *inbox.Put) error {
			return errors.Join(n.do(two), n.do(three))
		},
		"the first elsewhere, unheard": func(n, other *node, two, three *inbox.Put) error {
			return errors.Join(other.do(two), n.do(three))
		},
		"both elsewhere": func(n, other *node, two, three *inbox.Put) error {
			err := other.do(two, three)
			notice(n, two)
			notice(n, three)
			return err
		},
		"both elsewhere, the second is heard": func(n, other *node, two, three *inbox.Put) error {
			err := other.do(two, three)
			notice(n, three)
			return err
		},
		"of a build that says less": func(n, other *node, two, three *inbox.Put) error {
			err := other.do(two, three)
			three.Before = 0
			notice(n, three)
			return errors.Join(err, n.Resync("", 0))
		},
		"to many, of both nodes": func(n, other *node, two, three *inbox.Put) error {
			return errors.Join(other.do(two), n.do(spread("", "", "3 new")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, clock := testredis.Start(t), newClock()
			n, other := start(t, server, clock), start(t, server, clock)
			o := n.open("d")
			n.put("d", "", "1", 60)
			copyKeys(t, server, "inbox:{d}", "past:{d}")
			if p := n.put("d", "", "2 old", 60); p.Look {
				t.Fatalf("the device's next message: %+v", p)
			}
			copyKeys(t, server, "past:{d}", "inbox:{d}")
			two, three := message("d", "", "2 new", 60), message("d", "", "3 new", 60)
			if err := act(n, other, two, three); err != nil {
				t.Fatal(err)
			}
			for _, p := range []*inbox.Put{two, three} {
				if p.Ref != 0 && p.Fence == o.Fence && !p.Look {
					t.Errorf("it is offered as what comes next: %+v", p)
				}
			}
			testredis.Await(t, "the session ends", func() bool { return len(n.endings()) > 0 })
			same(t, "ended", n.endings(), fmt.Sprint(o.Ref, o.Fence, ErrHistory))
			back := n.open("d", o.Epoch, 2)
			if back.Resumed || back.Epoch == o.Epoch {
				t.Errorf("%+v after %+v", back, o)
			}
			same(t, "what is held", n.fetch(back, 1), "1 1", "2 2 new", "3 3 new")
			n.check()
		})
	}
}

// TestLostWhileAway: a device that knows more than Redis has a new stream, and so has one
// of which the node where it comes back knew more.
func TestLostWhileAway(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	o := n.open("d")
	n.put("d", "", "1", 60)
	copyKeys(t, server, "inbox:{d}", "past:{d}")
	n.put("d", "", "2", 60)
	n.Leave(o.Ref, o.Fence)
	copyKeys(t, server, "past:{d}", "inbox:{d}")
	back := n.open("d", o.Epoch, 0) // it has seen neither
	if back.Resumed || back.Epoch == o.Epoch {
		t.Errorf("the node has seen number 2: %+v", back)
	}
	elsewhere := start(t, server, clock)
	if got := elsewhere.open("d", back.Epoch, 2); got.Resumed || got.Epoch == back.Epoch {
		t.Errorf("the device has seen number 2: %+v", got)
	}
}

// TestAllLost: a Redis that comes back empty: new streams, fences that go on.
func TestAllLost(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n, other := start(t, server, clock), start(t, server, clock)
	o := n.open("d")
	for range 5 {
		o = n.open("d", o.Epoch, 0)
	}
	n.put("d", "", "1", 60)
	server.Text("FLUSHALL")
	clock.add(10e9)
	back := other.open("d", o.Epoch, 0)
	if back.Resumed || back.Epoch == o.Epoch || back.Fence <= o.Fence {
		t.Errorf("%+v after %+v", back, o)
	}
	n.Ack(o.Ref, o.Fence, 1)
	n.flush()
	if n.Current(o.Ref, o.Fence) || len(n.endings()) != 1 {
		t.Errorf("the old session goes on: %q", n.endings())
	}
	if p := n.put("d", "", "2", 60); p.Seq != 1 || p.Epoch != back.Epoch {
		t.Errorf("%+v", p)
	}
}

// TestLostAnswer: a message whose answer was lost between Redis and the node is found by its repetition: its
// device, which nobody has told the lane of, is looked after.
func TestLostAnswer(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	a, b := start(t, server, clock), start(t, server, clock)
	d := a.open("d")
	times := func() (n int) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, ref := range a.moved {
			if ref == d.Ref {
				n++
			}
		}
		return n
	}
	b.put("d", "x", "1", 60) // as if a had put it, and never heard
	if n := times(); n != 0 {
		t.Fatalf("told of %d times before", n)
	}
	if p := a.put("d", "x", "1", 60); p.Verdict != inbox.Duplicate {
		t.Fatalf("%+v", p)
	}
	if n := times(); n != 1 {
		t.Errorf("told of %d times, want once", n)
	}
	a.put("d", "x", "1", 60)
	if n := times(); n != 1 {
		t.Errorf("told of %d times though it knows", n)
	}
}

// TestFlushed: of a Redis that has lost all, not only messages, a session hears that its history
// is lost, and not that another one took its place.
func TestFlushed(t *testing.T) {
	for name, act := range map[string]func(n *node, o inbox.Opened){
		"looked at": func(n *node, o inbox.Opened) { n.Resync("", 0) },
		"fetched":   func(n *node, o inbox.Opened) { same(n.tb, "fetch", n.fetch(o, 1), "gone") },
	} {
		t.Run(name, func(t *testing.T) {
			server, clock := testredis.Start(t), newClock()
			n := start(t, server, clock)
			o := n.open("d")
			n.put("d", "", "1", 60)
			server.Text("FLUSHALL")
			act(n, o)
			testredis.Await(t, "the session ends", func() bool { return len(n.endings()) > 0 })
			same(t, "ended", n.endings(), fmt.Sprint(o.Ref, o.Fence, ErrHistory))
			if back := n.open("d", o.Epoch, 1); back.Resumed || back.Epoch == o.Epoch || back.Fence <= o.Fence {
				t.Errorf("%+v after %+v", back, o)
			}
		})
	}
}

// TestRemovedElsewhere: a device that another node has removed, and that comes back here within a second, has a session whose number is
// not that of one elsewhere of which this node has heard: what was stored for that is not in the new stream.
func TestRemovedElsewhere(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	a, b := start(t, server, clock), start(t, server, clock)
	a.open("c")
	elsewhere := b.open("c")
	if s := spread("", "m", "1"); a.do(s) != nil || s.Receivers != 1 {
		t.Fatalf("%+v", s)
	}
	if rm := (&inbox.Removal{Device: "c"}); b.do(rm) != nil || rm.Err != nil {
		t.Fatal(rm.Err)
	}
	o := a.open("c")
	if f := (inbox.Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 1, Bytes: 1000}); o.Fence <= elsewhere.Fence {
		t.Errorf("fence %d, and %d elsewhere before", o.Fence, elsewhere.Fence)
	} else if a.Fetch(&f); f.Gone || f.Err != nil || f.Last != 0 {
		t.Errorf("%+v", f)
	}
}
