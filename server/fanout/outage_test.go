package fanout

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"roost/server/testredis"
)

// TestOutage takes the bus away and gives it back: both are told, what was joined is
// listened to again, what was joined meanwhile too, and nothing comes twice.
func TestOutage(t *testing.T) {
	t.Run("memory/down", func(t *testing.T) { testOutage(t, memoryWorld(t), "down") })
	s := testredis.Start(t)
	t.Run("redis/killed", func(t *testing.T) { testOutage(t, redisWorld(s), "killed") })
	if !testing.Short() {
		t.Run("redis/paused", func(t *testing.T) { testOutage(t, redisWorld(s), "paused") })
	}
}

func testOutage(t *testing.T, w *world, name string) {
	a, b := w.start(t, "a", nil), w.start(t, "b", nil)
	if err := joinAndWait(t.Context(), b, "before"); err != nil {
		t.Fatal(err)
	}
	a.must(ToNode("b"), live("1"), 1)
	a.must(ToTopic("before"), live("t1"), 1)
	b.awaitPayloads(QueueInbox, "1")
	b.awaitPayloads(QueueTopics, "t1")

	w.outages[name].begin()
	if n, err := sendAndWait(t.Context(), a, ToNode("b"), live("lost")); err == nil {
		t.Errorf("during the outage a message was taken by %d", n)
	}
	if err := joinAndWait(t.Context(), b, "meanwhile"); !errors.Is(err, ErrDown) {
		t.Errorf("joining during the outage: %v, want ErrDown", err)
	}
	for _, n := range []*node{a, b} {
		n.await("it is told", func() bool { return n.told(&n.downs) == 1 && !n.State().Up && n.State().Reason != "" })
	}
	w.outages[name].end()
	for _, n := range []*node{a, b} {
		n.await("it is up again", func() bool {
			s := n.State()
			return s.Up && s.Resubscribed == 1 && s.Reason == "" && n.told(&n.ups) == 2
		})
		if want := "{Inbox:true All:true Topics:" + map[bool]string{true: "true", false: "false"}[n == b || name == "down"] + "} 1"; n.ups[1] != want {
			t.Errorf("node %s was told %q, want %q", n.id, n.ups[1], want)
		}
	}
	a.must(ToNode("b"), live("2"), 1)
	a.must(ToTopic("before"), live("t2"), 1)
	a.must(ToTopic("meanwhile"), live("t3"), 1)
	a.must(ToAll(), live("all"), 2)
	b.awaitPayloads(QueueAll, "all")
	b.await("the topics", func() bool { return len(b.payloads(QueueTopics)) == 3 })
	// A paused Redis may still publish what it was sent before: its sender was told that
	// this is not known.
	b.await("2", func() bool { return slices.Contains(b.payloads(QueueInbox), "2") })
	if got := b.payloads(QueueInbox); !slices.Equal(got, []string{"1", "2"}) && !(name == "paused" && slices.Equal(got, []string{"1", "lost", "2"})) {
		t.Errorf("b got %v", got)
	}
}

func TestStartsWithoutRedis(t *testing.T) {
	s := testredis.Start(t)
	s.Kill()
	w := redisWorld(s)
	a := w.begin(t, "a", nil)
	a.await("the reason is said", func() bool { return strings.Contains(a.State().Reason, s.Addr()) })
	if _, err := sendAndWait(t.Context(), a, ToNode("a"), live("x")); !errors.Is(err, ErrDown) {
		t.Errorf("sending without Redis: %v, want ErrDown", err)
	}
	if err := joinAndWait(t.Context(), a, "x"); !errors.Is(err, ErrDown) {
		t.Errorf("joining without Redis: %v, want ErrDown", err)
	}
	s.Restart()
	a.await("it is up", func() bool { return a.State().Up })
	b := w.start(t, "b", nil)
	b.must(ToTopic("x"), live("x"), 1)
	a.awaitPayloads(QueueTopics, "x")
	if a.told(&a.downs) != 0 || a.State().Resubscribed != 0 {
		t.Errorf("it was never down, and says %v, %+v", a.downs, a.State())
	}
}

// TestCloseBesideAServerThatHangs: nothing waits for it.
func TestCloseBesideAServerThatHangs(t *testing.T) {
	s := testredis.Start(t)
	w := redisWorld(s)
	a := w.start(t, "a", nil)
	s.Pause()
	answered := make(chan error, 1)
	a.Post(ToNode("a"), live("x"), func(_ int, err error) { answered <- err })
	a.Close()
	if err := <-answered; !errors.Is(err, ErrClosed) && !errors.Is(err, ErrFailed) {
		t.Errorf("what was under way: %v", err)
	}
	b := w.begin(t, "b", nil) // which cannot even connect
	b.Close()
}

// TestWaitingIsBounded: while Redis hangs, what waits is bounded, and answered.
func TestWaitingIsBounded(t *testing.T) {
	s := testredis.Start(t)
	o := redisOptions([]string{s.Addr()}, prefix(), Options{Node: "a"})
	o.MaxWaiting = 1 << 20
	a, err := NewRedis(o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	testredis.Await(t, "it is up", func() bool { return a.State().Up })
	s.Pause()
	busy, answered := false, make(chan error, 1000)
	posted := 0
	for range 100 {
		a.Post(ToNode("b"), live(strings.Repeat("x", 64<<10)), func(_ int, err error) { answered <- err })
		posted++
		if a.State().Waiting > o.MaxWaiting+MaxEnvelope {
			t.Fatalf("%d bytes wait, at most %d should", a.State().Waiting, o.MaxWaiting)
		}
	}
	s.Resume()
	for range posted {
		if err := <-answered; errors.Is(err, ErrBusy) {
			busy = true
		} else if err != nil && !errors.Is(err, ErrFailed) && !errors.Is(err, ErrTimeout) {
			t.Errorf("a message was answered with %v", err)
		}
	}
	if !busy {
		t.Error("6.4 MB were taken in a bound of 1 MiB")
	}
	testredis.Await(t, "nothing waits", func() bool { return a.State().Waiting == 0 })
}

func TestBadOptions(t *testing.T) {
	good := RedisOptions{Options: Options{Node: "a"}, Addrs: []string{"127.0.0.1:1"}}
	for want, change := range map[string]func(*RedisOptions){
		"address":   func(o *RedisOptions) { o.Addrs = nil },
		"braces":    func(o *RedisOptions) { o.Prefix = "a{b}" },
		"the node ": func(o *RedisOptions) { o.Node = "" },
	} {
		o := good
		change(&o)
		if r, err := NewRedis(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
			if r != nil {
				r.Close()
			}
		}
	}
}
