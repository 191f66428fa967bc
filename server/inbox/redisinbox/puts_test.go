package redisinbox

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/presence"
	"roost/server/testredis"
)

// TestPutsInOneCall: of messages that are stored in one call each is judged by itself, and they are in their order; what
// Redis cannot do for one device is an error of its commit alone.
func TestPutsInOneCall(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	for i := range 3 * putMost {
		n.open(fmt.Sprint("d", i))
	}
	var ops []inbox.Op
	for i := range 3 * putMost {
		id := fmt.Sprint("d", i)
		ops = append(ops, message(id, "k", "1", 600), message(id, "k", "2", 600), message("nobody", "k", "3", 600), message(id, "", "4", 600))
	}
	if err := n.do(ops...); err != nil {
		t.Fatal(err)
	}
	for i, op := range ops {
		p := op.(*inbox.Put)
		want := []inbox.Put{{Verdict: inbox.Stored, Seq: 1}, {Verdict: inbox.Duplicate, Seq: 1}, {Verdict: inbox.Unknown}, {Verdict: inbox.Stored, Seq: 2}}[i%4]
		if p.Verdict != want.Verdict || p.Seq != want.Seq || p.Told != 0 {
			t.Errorf("%d, %s: %+v", i, p.Device, p)
		}
	}
	server.Text("DEL", n.names("d1").list())
	server.Text("SET", n.names("d1").list(), "no list")
	results := make(chan error, 3)
	for i := range 3 {
		n.Commit(&inbox.Commit{Ops: []inbox.Op{message(fmt.Sprint("d", i), "", "5", 600)}, Done: func(c *inbox.Commit) { results <- c.Err }})
	}
	for i := range 3 {
		if err := <-results; (err != nil) != (i == 1) || i == 1 && !errors.Is(err, inbox.ErrFailed) {
			t.Errorf("d%d: %v", i, err)
		}
	}
	server.Text("DEL", n.names("d1").list())
	n.check()
}

// TestAcksInOneCall: of acknowledgements that are written in one call each counts by itself; one that Redis cannot write
// waits, and is written as soon as it can be.
func TestAcksInOneCall(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.FlushEvery = time.Hour })
	const many = 2*putMost + 3
	for i := range many {
		id := fmt.Sprint("d", i)
		o := n.open(id)
		n.put(id, "", "x", 600)
		n.Ack(o.Ref, o.Fence, 1)
	}
	list := n.names("d1").list()
	item := server.Text("LPOP", list)
	server.Text("SET", list, "no list")
	if err := n.Flush(); !errors.Is(err, inbox.ErrFailed) {
		t.Errorf("flushed: %v", err)
	}
	server.Text("DEL", list)
	server.Text("RPUSH", list, item)
	acked := func(want int) {
		t.Helper()
		got := 0
		for i := range many {
			if info, ok := n.Lookup([]byte(fmt.Sprint("d", i))); ok && info.Messages == 0 {
				got++
			}
		}
		if got != want {
			t.Errorf("%d of %d have acknowledged, want %d", got, many, want)
		}
	}
	acked(many - 1)
	n.flush()
	acked(many)
	n.check()
}

// TestSome: who publishes many is told of the first while the last are stored, in their order; what was told stays though
// the rest fails.
func TestSome(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	const many = 3 * putMost
	commit := func() (told []int, ops []inbox.Op, err error) {
		for i := range many {
			ops = append(ops, message(fmt.Sprint("d", i), "", "x", 600))
		}
		done := make(chan error, 1)
		n.Commit(&inbox.Commit{Ops: ops, Some: func(c *inbox.Commit, k int) {
			told = append(told, k)
			if p := c.Ops[k-1].(*inbox.Put); p.Verdict != inbox.Stored {
				t.Errorf("told of %d, and the last of them is %+v", k, p)
			}
		}, Done: func(c *inbox.Commit) { done <- c.Err }})
		return told, ops, <-done
	}
	for i := range many {
		n.open(fmt.Sprint("d", i))
	}
	if told, _, err := commit(); err != nil || !slices.Equal(told, []int{putMost, 2 * putMost}) {
		t.Errorf("told of %v: %v", told, err)
	}
	list := n.names(fmt.Sprint("d", many-1)).list()
	server.Text("DEL", list)
	server.Text("SET", list, "no list")
	told, ops, err := commit()
	if err == nil || len(told) != 2 {
		t.Errorf("told of %v: %v", told, err)
	}
	for i, op := range ops {
		want := inbox.Pending
		if i < 2*putMost {
			want = inbox.Stored
		}
		if p := op.(*inbox.Put); p.Verdict != want {
			t.Errorf("%d is %v, want %v", i, p.Verdict, want)
		}
	}
	server.Text("DEL", list)
}

// TestTold: the script tells the node that has the device, and says how many heard it; itself, and nobody's, it does not.
func TestTold(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	at := func(name string, change ...func(*Options)) *node {
		owner := presence.Owner{Node: name, Incarnation: 7}
		return start(t, server, clock, append([]func(*Options){func(o *Options) {
			o.Presence = &Presence{Lua: presence.LuaFunctions, Key: presence.Key, Owner: owner.String(), Index: presence.IndexKey(owner)}
			o.Notify = &Notify{Channels: "node:",
				Lua: `local function bus_stored(parts)
				  local all = {}
				  for i = 1, #parts, 2 do
				    local seq, fence = struct.unpack('>I6I4', parts[i])
				    all[#all + 1] = string.format(parts[i + 1], seq, fence)
				  end
				  return table.concat(all, ',')
				end`,
				Append: func(dst []byte, device string, m *inbox.Message, tag uint32) []byte {
					return fmt.Appendf(dst, "<%s %%d %%d %s>", device, m.Payload)
				}}
		}}, change...)...)
	}
	a, b, c := at("n1"), at("n2"), at("n3", func(o *Options) { o.Replicas = 1 })
	fence := map[string]uint32{}
	for i, n := range []*node{a, b, b} {
		id := fmt.Sprint("d", i)
		o, _, err := n.OpenAs([]byte(id), inbox.Resume{}, 77, 0)
		if err != nil {
			t.Fatal(err)
		}
		fence[id] = o.Fence
	}
	b.open("gone")
	server.Text("HSET", presence.Key("gone"), "x", "2")
	if p := a.put("d1", "", "x", 60); p.Told != 1 {
		t.Errorf("nobody listens: %+v", p)
	}
	heard := listen(t, server, "node:n2")
	ops := []inbox.Op{message("d1", "", "1", 60), message("d0", "", "2", 60), message("d2", "", "3", 60), message("gone", "", "4", 60), message("nobody", "", "5", 60)}
	if err := a.do(ops...); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 0, 2, 0, 0} {
		if p := ops[i].(*inbox.Put); p.Told != want {
			t.Errorf("%s: told %d, want %d", p.Device, p.Told, want)
		}
	}
	want := fmt.Sprintf("<d1 2 %d 1>,<d2 1 %d 3>", fence["d1"], fence["d2"])
	select {
	case got := <-heard:
		if got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatal("nothing was heard")
	}
	if c.opt.Notify != nil {
		t.Error("with replicas nodes are told before those have it")
	}
}

// listen returns the first message of a channel, once it is subscribed to.
func listen(t *testing.T, server *testredis.Server, channel string) <-chan string {
	t.Helper()
	c, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	heard, r := make(chan string, 1), bufio.NewReader(c)
	// lines reads some: a subscription is confirmed in six, a message comes in seven.
	lines := func(n int) (last string) {
		for range n {
			last, _ = r.ReadString('\n')
		}
		return strings.TrimSpace(last)
	}
	fmt.Fprintf(c, "SUBSCRIBE %s\r\n", channel)
	lines(6)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		heard <- lines(7)
	}()
	t.Cleanup(func() { c.Close(); <-ended })
	return heard
}

// TestKeysByTheClock: an id is known for ten minutes, whichever ten minutes of the clock it falls into, and also where
// two nodes' clocks do not quite agree.
func TestKeysByTheClock(t *testing.T) {
	server, clock, behind := testredis.Start(t), newClock(), newClock()
	n := start(t, server, clock)
	late := start(t, server, behind)
	n.open("d")
	begin := clock.now().Truncate(inbox.Window).Add(inbox.Window)
	set := func(c *testClock, at time.Duration) { c.add(begin.Add(at).Sub(c.now())) }
	for round := range 6 {
		id := fmt.Sprint("k", round)
		set(clock, time.Duration(round)*inbox.Window)
		set(behind, time.Duration(round)*inbox.Window-time.Second) // still in the ten minutes before
		put := func(n *node, id string, want inbox.Verdict) {
			t.Helper()
			if p := n.put("d", id, "x", 3600); p.Verdict != want {
				t.Errorf("round %d, %s: %v, want %v", round, id, p.Verdict, want)
			}
		}
		put(n, id, inbox.Stored)
		put(n, id, inbox.Duplicate)
		put(late, "l"+id, inbox.Stored)
		put(late, "l"+id, inbox.Duplicate)
		put(n, "l"+id, inbox.Duplicate)
		set(clock, time.Duration(round)*inbox.Window+inbox.Window-time.Second)
		put(n, "e"+id, inbox.Stored)
		put(n, id, inbox.Duplicate)
		set(clock, time.Duration(round+1)*inbox.Window+time.Second)
		put(n, "e"+id, inbox.Duplicate)
		put(n, id, inbox.Stored) // its time is over
		if round%2 == 1 {
			set(clock, time.Duration(round+5)*inbox.Window)
			put(n, "e"+id, inbox.Stored)
			begin = begin.Add(5 * inbox.Window)
		}
	}
	n.check()
}

// TestKeysOfMany: of a device with many messages the ids become a table in Redis, in which all of them are found and nothing else is.
func TestKeysOfMany(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	n.open("d")
	const many = 40
	var ops []inbox.Op
	for i := range many {
		ops = append(ops, message("d", fmt.Sprint("k", i), "x", 60))
	}
	if err := n.do(ops...); err != nil {
		t.Fatal(err)
	}
	keys, _ := n.names("d").keys(n.seconds())
	if kind, size := server.Text("OBJECT", "ENCODING", keys), server.Text("HLEN", keys); kind != "hashtable" || size != fmt.Sprint(many) {
		t.Errorf("%s ids in a %s, want %d in a hashtable", size, kind, many)
	}
	for i := range many {
		if p := n.put("d", fmt.Sprint("k", i), "x", 60); p.Verdict != inbox.Duplicate || p.Seq != uint64(i+1) {
			t.Errorf("k%d: %+v", i, p)
		}
	}
	n.check()
}

// TestListGone: Redis drops a list a minute after the last of its messages has expired; what comes then is the only one in it.
func TestListGone(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	o := n.open("d")
	n.put("d", "", "1", 60)
	n.put("d", "", "2", 60)
	server.Text("DEL", n.names("d").list())
	clock.add(3 * time.Minute)
	if p := n.put("d", "", "3", 60); p.Verdict != inbox.Stored || p.Seq != 3 {
		t.Errorf("%+v", p)
	}
	same(t, "after the list has gone", n.fetch(o, 1), "skip 2 ttl", "3 3")
	if got := n.Counts().Expired; got != 2 {
		t.Errorf("%d expired, want 2", got)
	}
	n.check()
	server.Text("DEL", n.names("d").list())
	clock.add(3 * time.Minute)
	n.Ack(o.Ref, o.Fence, 3)
	n.flush()
	if got := n.Counts().Expired; got != 3 {
		t.Errorf("%d expired, want 3", got)
	}
	n.check()
}

// TestIDOfNothing: the id of a message that could not be stored is free.
func TestIDOfNothing(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	n.open("d")
	list := n.names("d").list()
	server.Text("SET", list, "no list")
	if err := n.do(message("d", "k", "x", 60)); err == nil {
		t.Error("it is stored in what is no list")
	}
	server.Text("DEL", list)
	if p := n.put("d", "k", "x", 60); p.Verdict != inbox.Stored {
		t.Errorf("%+v", p)
	}
	n.check()
}
