package fanout

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"roost/server/testredis"
)

// contract is what every bus promises, a row each.
var contract = []struct {
	name string
	test func(t *testing.T, w *world)
}{
	{"in order from each sender, at most once", testOrder},
	{"nobody listens", testNobody},
	{"to all but the sender", testAll},
	{"topics are joined and left", testTopics},
	{"topics are counted and bounded", testTopicBounds},
	{"payloads of 0 to 1 MiB", testSizes},
	{"what is out of bounds is refused", testRefused},
	{"every field arrives", testFields},
	{"a slow handler holds up its own queue only", testSlow},
	{"bytes that are no envelope", testForeign},
	{"twins notice each other", testTwins},
	{"questions and answers", testRequests},
	{"answers from within a handler", testReplyFromHandler},
	{"closing ends everything", testClose},
}

func TestContract(t *testing.T) {
	rows := func(t *testing.T, fresh func(t *testing.T) *world) {
		for _, row := range contract {
			t.Run(row.name, func(t *testing.T) { row.test(t, fresh(t)) })
		}
	}
	t.Run("memory", func(t *testing.T) { rows(t, memoryWorld) })
	t.Run("redis", func(t *testing.T) {
		s := testredis.Start(t)
		rows(t, func(t *testing.T) *world { return redisWorld(s) })
	})
	t.Run("cluster", func(t *testing.T) {
		c := testredis.StartSteadyCluster(t)
		rows(t, func(t *testing.T) *world { return clusterWorld(t, c) })
	})
}

func testOrder(t *testing.T, w *world) {
	const each = 2000
	receivers := []*node{w.start(t, "r1", nil), w.start(t, "r2", nil)}
	senders := []*node{w.start(t, "s1", nil), w.start(t, "s2", nil), receivers[0]}
	var wg sync.WaitGroup
	var bad atomic.Int64
	for _, s := range senders {
		for _, r := range receivers {
			wg.Go(func() {
				var posted sync.WaitGroup
				for i := range each {
					posted.Add(1)
					s.Post(ToNode(r.id), &Envelope{Kind: KindLive, Seq: uint64(i + 1)}, func(n int, err error) {
						if n != 1 || err != nil {
							if bad.Add(1) == 1 {
								t.Errorf("%s to %s, message %d: taken by %d, %v", s.id, r.id, i+1, n, err)
							}
						}
						posted.Done()
					})
				}
				posted.Wait()
			})
		}
	}
	wg.Wait()
	if bad.Load() != 0 {
		t.Fatalf("%d messages were not taken by one node", bad.Load())
	}
	for _, r := range receivers {
		total := len(senders) * each
		r.await("all messages", func() bool { return len(r.payloads(QueueInbox)) >= total })
		last := map[string]uint64{}
		for _, e := range r.got[QueueInbox] {
			if e.Seq != last[string(e.Origin)]+1 {
				t.Fatalf("node %s: from %s came %d after %d", r.id, e.Origin, e.Seq, last[string(e.Origin)])
			}
			last[string(e.Origin)] = e.Seq
		}
		if len(r.got[QueueInbox]) != total || len(last) != len(senders) {
			t.Errorf("node %s: %d messages of %d senders", r.id, len(r.got[QueueInbox]), len(last))
		}
		if s := r.State(); s.Received[QueueInbox] != uint64(total) || s.Invalid != 0 || s.Dropped[QueueInbox] != 0 {
			t.Errorf("%+v", s)
		}
	}
	s := senders[1]
	s.await("nothing waits", func() bool { st := s.State(); return st.Sent >= 2*each && st.Failed == 0 && st.Waiting == 0 })
}

func testNobody(t *testing.T, w *world) {
	a := w.start(t, "a", nil)
	a.must(ToNode("nobody"), live("x"), 0)
	a.must(ToTopic("nobody"), live("x"), 0)
	b := w.start(t, "b", nil)
	a.must(ToNode("b"), live("x"), 1)
	b.Close()
	a.await("nobody is at b any more", func() bool {
		n, err := sendAndWait(t.Context(), a, ToNode("b"), live("y"))
		return n == 0 && err == nil
	})
}

func testAll(t *testing.T, w *world) {
	a, b, c := w.start(t, "a", nil), w.start(t, "b", nil), w.start(t, "c", nil)
	a.must(ToAll(), live("from a"), 3) // itself included
	b.awaitPayloads(QueueAll, "from a")
	c.awaitPayloads(QueueAll, "from a")
	b.must(ToAll(), live("from b"), 3)
	a.awaitPayloads(QueueAll, "from b")
	c.awaitPayloads(QueueAll, "from a", "from b")
	a.must(ToNode("a"), live("to itself"), 1)
	a.awaitPayloads(QueueInbox, "to itself")
}

func testTopics(t *testing.T, w *world) {
	a, b, c := w.start(t, "a", nil), w.start(t, "b", nil), w.start(t, "c", nil)
	join := func(n *node, topic string) {
		t.Helper()
		if err := joinAndWait(t.Context(), n, topic); err != nil {
			t.Fatal(err)
		}
	}
	// In a Cluster these are in several slots.
	for i := range 40 {
		topic := fmt.Sprintf("fw/%d", i)
		join(b, topic)
		a.must(ToTopic(topic), live(topic), 1)
	}
	b.await("all topics", func() bool { return len(b.payloads(QueueTopics)) == 40 })
	join(b, "x")
	join(b, "x") // counted
	join(c, "x")
	join(a, "x")
	a.must(ToTopic("x"), &Envelope{Kind: KindLive, Channel: []byte("x"), Payload: []byte("1")}, 3)
	c.awaitPayloads(QueueTopics, "1")
	if got := c.got[QueueTopics][0]; string(got.Channel) != "x" || string(got.Origin) != "a" {
		t.Errorf("%+v", got)
	}
	b.Leave("x")
	a.must(ToTopic("x"), live("2"), 3) // once more than left
	b.await("2", func() bool { return slices.Contains(b.payloads(QueueTopics), "2") })
	b.Leave("x")
	b.Leave("x") // of one that was not joined: nothing
	a.await("b has left", func() bool {
		n, err := sendAndWait(t.Context(), a, ToTopic("x"), live("again"))
		return n == 2 && err == nil
	})
	if len(a.payloads(QueueTopics)) != 0 {
		t.Errorf("a got its own: %v", a.payloads(QueueTopics))
	}
	join(b, "x")
	a.must(ToTopic("x"), live("3"), 3)
	b.await("3", func() bool { return slices.Contains(b.payloads(QueueTopics), "3") })
	if s := b.State(); s.Topics != 41 {
		t.Errorf("%d topics are joined, want 41", s.Topics)
	}
}

func testTopicBounds(t *testing.T, w *world) {
	a := w.start(t, "a", func(_ *node, o *Options) { o.MaxTopics = 2 })
	for _, topic := range []string{"x", "y", "x"} {
		if err := joinAndWait(t.Context(), a, topic); err != nil {
			t.Fatal(err)
		}
	}
	for _, topic := range []string{"z", "", strings.Repeat("x", MaxName+1)} {
		if err := joinAndWait(t.Context(), a, topic); !errors.Is(err, ErrTopics) {
			t.Errorf("joining %q: %v, want ErrTopics", shorten([]string{topic}), err)
		}
	}
	a.Leave("y")
	if err := joinAndWait(t.Context(), a, "z"); err != nil {
		t.Error(err)
	}
	a.Join("z", nil)
}

func testSizes(t *testing.T, w *world) {
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	var want []string
	for _, size := range []int{0, 1, 127, 128, 16 << 10, 64 << 10, 512<<10 + 1, MaxPayload} {
		text := strings.Repeat("\x00é\r\n", size/5+1)[:size]
		want = append(want, text)
		a.must(ToNode("b"), live(text), 1)
	}
	b.awaitPayloads(QueueInbox, want...)
}

func testRefused(t *testing.T, w *world) {
	a := w.start(t, "a", nil)
	for name, send := range map[string]func() (int, error){
		"payload": func() (int, error) {
			return sendAndWait(t.Context(), a, ToNode("a"), &Envelope{Kind: KindLive, Payload: make([]byte, MaxPayload+1)})
		},
		"name":  func() (int, error) { return sendAndWait(t.Context(), a, ToNode(strings.Repeat("x", 256)), live("x")) },
		"empty": func() (int, error) { return sendAndWait(t.Context(), a, ToTopic(""), live("x")) },
		"hop": func() (int, error) {
			return sendAndWait(t.Context(), a, ToNode("a"), &Envelope{Kind: KindForward, Hop: 3})
		},
	} {
		if n, err := send(); n != 0 || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if _, err := sendAndWait(t.Context(), a, ToNode("a"), &Envelope{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("no kind: %v", err)
	}
	a.await("five are counted, and nothing waits", func() bool { s := a.State(); return s.Failed == 5 && s.Waiting == 0 })
	for _, id := range []string{"", strings.Repeat("n", MaxName+1)} {
		if b, err := w.bus(Options{Node: id}); err == nil {
			b.Close()
			t.Errorf("a node id of %d bytes is taken", len(id))
		}
	}
}

func testFields(t *testing.T, w *world) {
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	e := full()
	a.must(ToNode("b"), e, 1)
	b.await("it", func() bool { return len(b.payloads(QueueInbox)) == 1 })
	want := *e
	want.Origin = []byte("a") // the bus fills it in
	wb, _ := want.Append(nil)
	gb, _ := b.got[QueueInbox][0].Append(nil)
	if !bytes.Equal(wb, gb) {
		t.Errorf("%+v, want %+v", b.got[QueueInbox][0], want)
	}
	if string(e.Origin) != "n1" {
		t.Error("the caller's envelope was changed")
	}
}

func testSlow(t *testing.T, w *world) {
	const length = 50
	a := w.start(t, "a", nil)
	b := w.start(t, "b", func(n *node, o *Options) { o.QueueLength, n.block = length, make(chan struct{}) })
	if err := joinAndWait(t.Context(), b, "x"); err != nil {
		t.Fatal(err)
	}
	a.must(ToNode("b"), live("first"), 1) // the handler has it, and stands
	b.await("it is in the handler", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.entered == 1 })
	for range 2 * length {
		a.must(ToNode("b"), live("more"), 1)
	}
	b.await("the queue is full", func() bool { return b.State().Dropped[QueueInbox] == length })
	a.must(ToTopic("x"), live("topic"), 1)
	a.must(ToAll(), live("all"), 2)
	a.must(ToNode("b"), &Envelope{Kind: KindResult, Payload: AppendResult(nil, Result{ID: 1, Status: 1})}, 1)
	b.awaitPayloads(QueueTopics, "topic")
	b.awaitPayloads(QueueAll, "all")
	b.await("the answer", func() bool { return len(b.payloads(QueueReplies)) == 1 })
	if len(b.payloads(QueueInbox)) != 0 {
		t.Fatal("the handler did not stand")
	}
	b.mu.Lock()
	block := b.block
	b.block = nil
	b.mu.Unlock()
	close(block)
	lost := int(b.State().Dropped[QueueInbox])
	b.await("the drops are told", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.dropped[QueueInbox] == lost
	})
	b.await("what was queued", func() bool { return len(b.payloads(QueueInbox)) == 1+2*length-lost })
	a.must(ToNode("b"), live("after"), 1)
	b.await("what comes after", func() bool { return slices.Contains(b.payloads(QueueInbox), "after") })
}

func testForeign(t *testing.T, w *world) {
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	known, _ := live("x").Append(nil)
	newer, odd := slices.Clone(known), slices.Clone(known)
	newer[1], odd[2] = 99, 200
	for _, raw := range []string{"", "x", "hello, is this a chat?", string(newer), string(known[:len(known)-1]), strings.Repeat("x", MaxEnvelope+1), string(odd)} {
		w.raw("b", raw)
	}
	a.must(ToNode("b"), live("after"), 1)
	b.awaitPayloads(QueueInbox, "after")
	b.await("they are counted", func() bool { s := b.State(); return s.Invalid == 6 && s.Unknown == 1 })
}

func testTwins(t *testing.T, w *world) {
	a, b := w.start(t, "same", nil), w.start(t, "other", nil)
	if len(a.twins) != 0 {
		t.Fatal("alone, and told of a twin")
	}
	c := w.start(t, "same", nil)
	seen := func(n *node) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return len(n.twins) > 0
	}
	a.await("it is told of its twin", func() bool { return seen(a) })
	c.await("it is told of its twin", func() bool { return seen(c) })
	c.await("the listeners are counted", func() bool { return c.State().Listeners == 2 })
	b.must(ToNode("same"), live("x"), 2)
	if seen(b) {
		t.Error("the other one was told, too")
	}
	c.Close()
	b.await("one is gone", func() bool {
		n, err := sendAndWait(t.Context(), b, ToNode("same"), live("y"))
		return n == 1 && err == nil
	})
}
