package redisinbox

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/testredis"
)

func spread(topic, id, payload string) *inbox.Spread {
	return &inbox.Spread{Topic: topic, Message: &inbox.Message{TTL: 60, ID: []byte(id), Payload: []byte(payload)}}
}

func (n *node) subscribe(o inbox.Opened, topic string, on bool) error {
	n.tb.Helper()
	sub := &inbox.Subscription{Ref: o.Ref, Fence: o.Fence, Topic: topic, On: on}
	if err := n.do(sub); err != nil {
		n.tb.Fatal(err)
	}
	return sub.Err
}

// TestSpreadOverNodes: everybody in a topic gets a message, wherever it is connected, once.
func TestSpreadOverNodes(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	a, b := start(t, server, clock), start(t, server, clock)
	here, there := map[string]inbox.Opened{}, map[string]inbox.Opened{}
	for i := range 600 { // more than a slice
		id := fmt.Sprint("d", i)
		n, m := a, here
		if i%2 == 1 {
			n, m = b, there
		}
		m[id] = n.open(id)
	}
	var ops []inbox.Op
	for id := range here {
		ops = append(ops, &inbox.Subscription{Device: id, Topic: "fw", On: true})
	}
	if err := a.do(ops...); err != nil {
		t.Fatal(err)
	}
	ops = ops[:0]
	for _, o := range there {
		ops = append(ops, &inbox.Subscription{Ref: o.Ref, Fence: o.Fence, Topic: "fw", On: true})
	}
	ops = append(ops, &inbox.Subscription{Device: "d1", Topic: "fw", On: false})
	if err := b.do(ops...); err != nil {
		t.Fatal(err)
	}
	s := spread("fw", "k", "x")
	if err := a.do(s); err != nil || s.Verdict != inbox.Stored || s.Receivers != 599 || s.Refused != 0 {
		t.Fatalf("%v %+v", err, s)
	}
	for id, o := range here {
		same(t, id, a.fetch(o, 1), "1 x")
		if !a.IsNext(o.Ref, o.Fence, 1, s.Body) || !a.Waits(o.Ref, o.Fence, s.Body) || a.IsNext(o.Ref, o.Fence, 2, s.Body) {
			t.Fatalf("%s does not wait for the message", id)
		}
	}
	if n := a.Remaining(s.Body); n != 599 {
		t.Errorf("%d remain", n)
	}
	if err := b.Resync("fw", 0); err != nil || b.looks() != 299 {
		t.Errorf("%v, %d have been told to look", err, b.looks())
	}
	for id, o := range there {
		want := []string{"1 x"}
		if id == "d1" {
			want = nil
		}
		same(t, id, b.fetch(o, 1), want...)
	}
	again := spread("fw", "k", "x")
	if err := b.do(again); err != nil || again.Verdict != inbox.Duplicate || again.Receivers != 599 {
		t.Errorf("%v %+v", err, again)
	}
	for id, o := range here {
		a.Ack(o.Ref, o.Fence, 1)
		if a.Waits(o.Ref, o.Fence, s.Body) {
			t.Fatalf("%s waits for what it has", id)
		}
	}
	a.flush()
	if n := a.Remaining(s.Body); n != 299 {
		t.Errorf("%d remain after 300 have it", n)
	}
	a.check()
}

// TestSpreadToAll reaches devices that are away; those that were removed are no receivers,
// and neither are those whose inbox is full.
func TestSpreadToAll(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock, func(o *Options) { o.Limits.Messages = 1 })
	for i := range 5 {
		o := n.open(fmt.Sprint("d", i))
		n.Leave(o.Ref, o.Fence)
	}
	n.put("d0", "", "fills it", 60)
	if err := n.do(&inbox.Removal{Device: "d1"}); err != nil {
		t.Fatal(err)
	}
	s := spread("", "", "x")
	if err := n.do(s); err != nil || s.Receivers != 3 || s.Refused != 1 {
		t.Fatalf("%v %+v", err, s)
	}
	same(t, "d3", n.fetch(n.open("d3"), 1), "1 x")
	if keys := server.Text("KEYS", "body:*"); keys == "[]" {
		t.Error("the content is nowhere")
	}
	n.check()
}

// TestSpreadGoesOn: an attempt that was cut short is taken up by the next with the same
// id: nobody gets it twice.
func TestSpreadGoesOn(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	sessions := map[string]inbox.Opened{}
	for i := range 200 {
		id := fmt.Sprint("d", i)
		sessions[id] = n.open(id)
	}
	// A shard of the index that cannot be read ends the attempt midway.
	broken := n.indexKey("", 9)
	server.Text("RENAME", broken, "aside")
	server.Text("SET", broken, "not an index")
	s := spread("", "k", "x")
	if err := n.do(s); !errors.Is(err, inbox.ErrFailed) || s.Verdict != inbox.Pending || s.Receivers != 0 {
		t.Fatalf("%v %+v", err, s)
	}
	server.Text("DEL", broken)
	server.Text("RENAME", "aside", broken)
	s = spread("", "k", "x")
	if err := n.do(s); err != nil || s.Verdict != inbox.Stored || s.Receivers != 200 {
		t.Fatalf("%v %+v", err, s)
	}
	for id, o := range sessions {
		same(t, id, n.fetch(o, 1), "1 x")
	}
	n.check()
}

// TestBodyGone: a message to many whose content was lost is a hole.
func TestBodyGone(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n, fresh := start(t, server, clock), start(t, server, clock)
	n.open("d")
	n.put("d", "", "1", 60)
	if err := n.do(spread("", "", "x")); err != nil {
		t.Fatal(err)
	}
	n.put("d", "", "3", 60)
	keys, _ := server.Do("KEYS", "body:*")
	for _, key := range keys.([]any) {
		server.Text("DEL", key.(string))
	}
	o := fresh.open("d")
	same(t, "before it", fresh.fetch(o, 1), "1 1")
	same(t, "at it", fresh.fetch(o, 2), "skip 2 gone", "3 3")
}

// TestSubscriptions: bounded, kept while away, gone with the device, and never of another
// one.
func TestSubscriptions(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	n := start(t, server, clock)
	o := n.open("d")
	for i := range inbox.MaxSubscriptions {
		if err := n.subscribe(o, fmt.Sprintf("t%02d", i), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.subscribe(o, "one more", true); !errors.Is(err, inbox.ErrSubscriptions) {
		t.Errorf("%v", err)
	}
	if err := n.subscribe(o, "t00", true); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := n.subscribe(o, "t01", false); err != nil {
		t.Error(err)
	}
	var topics []string
	n.EachTopic(o.Ref, func(topic string) { topics = append(topics, topic) })
	if len(topics) != inbox.MaxSubscriptions-1 || topics[0] != "t00" || topics[1] != "t02" {
		t.Errorf("%q", topics)
	}
	elsewhere := start(t, server, clock)
	at := elsewhere.open("d")
	topics = nil
	elsewhere.EachTopic(at.Ref, func(topic string) { topics = append(topics, topic) })
	if len(topics) != inbox.MaxSubscriptions-1 {
		t.Errorf("elsewhere: %q", topics)
	}
	if i, ok := n.Topic("t00"); !ok || i.Subscribers != 1 {
		t.Errorf("%+v %v", i, ok)
	}
	if _, ok := n.Topic("t01"); ok {
		t.Error("a topic without devices is one")
	}
	infos := n.Topics("t50", 5)
	if len(infos) != 5 || infos[0].Topic != "t51" {
		t.Errorf("%+v", infos)
	}
	if err := n.do(&inbox.Removal{Device: "d"}); err != nil {
		t.Fatal(err)
	}
	if infos := n.Topics("", 100); len(infos) != 0 {
		t.Errorf("after the removal: %+v", infos)
	}
	if err := n.subscribe(o, "t00", true); !errors.Is(err, inbox.ErrUnknown) {
		t.Errorf("of a removed device: %v", err)
	}
	if sub := (&inbox.Subscription{Device: "nobody", Topic: "t", On: true}); n.do(sub) != nil || !errors.Is(sub.Err, inbox.ErrUnknown) {
		t.Errorf("%v", sub.Err)
	}
	s := spread("t00", "", "x")
	if err := n.do(s); err != nil || s.Receivers != 0 {
		t.Errorf("%v %+v", err, s)
	}
}

// TestLatest: the value is here once a device here is in the topic, replaced by newer
// ones, and ends with its ttl.
func TestLatest(t *testing.T) {
	server, clock := testredis.Start(t), newClock()
	a, b := start(t, server, clock), start(t, server, clock)
	set := func(n *node, payload string) {
		t.Helper()
		l := &inbox.Latest{Topic: "fw", Message: &inbox.Message{TTL: 60, Payload: []byte(payload)}}
		if err := n.do(l); err != nil || l.Err != nil {
			t.Fatal(err, l.Err)
		}
	}
	value := func(n *node) string {
		m, ok := n.LatestOf([]byte("fw"))
		if !ok {
			return "none"
		}
		return string(m.Payload)
	}
	set(a, "1")
	if a, b := value(a), value(b); a != "1" || b != "none" {
		t.Errorf("%s at a, %s at b", a, b)
	}
	o := b.open("d")
	if err := b.subscribe(o, "fw", true); err != nil {
		t.Fatal(err)
	}
	if got := value(b); got != "1" {
		t.Errorf("once a device is in the topic: %s", got)
	}
	set(a, "2")
	b.NoticedLatest("fw", &inbox.Message{TTL: 60, Payload: []byte("2")}, uint32(clock.now().Unix())+60)
	if got := value(b); got != "2" {
		t.Errorf("noticed: %s", got)
	}
	set(a, "3")
	for range 2 * latestTicks {
		b.maintain()
	}
	if got := value(b); got != "3" {
		t.Errorf("after a while: %s", got)
	}
	// b is told of 4 behind 5, which Redis has.
	set(a, "5")
	b.NoticedLatest("fw", &inbox.Message{TTL: 60, Payload: []byte("4")}, uint32(clock.now().Unix())+60)
	for range 2 * latestTicks {
		b.maintain()
	}
	if got, want := b.latestTold(), []string{"fw 3", "fw 5"}; value(b) != "5" || !slices.Equal(got, want) {
		t.Errorf("has %s, was to send %q, want %q", value(b), got, want)
	}
	set(a, "3")
	for range 2 * latestTicks {
		b.maintain()
	}
	c := start(t, server, clock)
	c.open("d") // comes with its topics
	if got := value(c); got != "3" {
		t.Errorf("elsewhere: %s", got)
	}
	if infos := a.Topics("", 10); len(infos) != 1 || !infos[0].Latest || infos[0].Subscribers != 1 {
		t.Errorf("%+v", infos)
	}
	clock.add(61 * time.Second)
	if a, b, c := value(a), value(b), value(c); a != "none" || b != "none" || c != "none" {
		t.Errorf("expired: %s %s %s", a, b, c)
	}
	set(a, "4")
	rm := &inbox.Latest{Topic: "fw"}
	if err := a.do(rm); err != nil || rm.Err != nil || value(a) != "none" {
		t.Error(err, rm.Err, value(a))
	}
	if rm := (&inbox.Latest{Topic: "fw"}); a.do(rm) != nil || !errors.Is(rm.Err, inbox.ErrUnknown) {
		t.Error(rm.Err)
	}
	if ids := a.Devices("", 10); !slices.Equal(ids, []string{"d"}) {
		t.Errorf("%q", ids)
	}
}
