package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/delivery"
	"roost/server/inbox"
	"roost/server/session"
)

// shared is a store in memory that says of devices that another node has them.
type shared struct {
	inbox.Store
	owners map[string]string
}

func (s *shared) Commit(c *inbox.Commit) {
	then := c.Done
	c.Done = func(c *inbox.Commit) {
		for _, op := range c.Ops {
			if p, ok := op.(*inbox.Put); ok {
				p.Owner = s.owners[p.Device]
			}
		}
		then(c)
	}
	s.Store.Commit(c)
}

// others are the nodes beside the one that is tested.
type others struct {
	self  string
	asked []string
	again []string
	open  []func(delivery.Status)
}

func (o *others) Notice(p *inbox.Put, answer func(delivery.Status)) bool {
	node, _, _ := strings.Cut(p.Owner, ":")
	if node == o.self {
		return false
	}
	o.asked = append(o.asked, fmt.Sprintf("%s %s %d", node, p.Device, p.Seq))
	o.open = append(o.open, answer)
	return true
}

func (o *others) Again(p *inbox.Put) {
	if node, _, _ := strings.Cut(p.Owner, ":"); node != o.self {
		o.again = append(o.again, fmt.Sprintf("%s %s %d", node, p.Device, p.Seq))
	}
}

// apart returns a rig whose devices b, c, gone and moved are at other nodes, and nobody
// nowhere: they are known, and not connected here, but for moved, whose old connection
// has not ended.
func apart(t *testing.T) *rig {
	r := &rig{t: t, now: time.Unix(1_800_000_000, 0)}
	r.start()
	r.store = &shared{Store: r.store, owners: map[string]string{"here": "n1:7", "b": "n2:8", "c": "n3:9", "gone": "n2:8", "moved": "n2:8"}}
	r.hub = delivery.NewHub(r.store, session.NewRegistry(), r)
	r.lane = r.hub.NewLane(r)
	for _, id := range []string{"b", "c", "gone", "nobody"} {
		if _, err := r.store.Open([]byte(id), inbox.Resume{}); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// TestPublishElsewhere: the nodes that have the devices of a commit are told in its
// order and all at once, the publish ends with the last of their answers, and
// devices that are here get theirs meanwhile.
func TestPublishElsewhere(t *testing.T) {
	r := apart(t)
	here, _ := r.connect("here")
	moved, _ := r.connect("moved")
	away := &others{self: "n1"}
	var puts []*inbox.Put
	c := &inbox.Commit{}
	for _, id := range []string{"b", "here", "c", "gone", "nobody", "moved"} {
		p := &inbox.Put{Device: id, Message: &inbox.Message{TTL: 60, Payload: []byte(id)}}
		puts, c.Ops = append(puts, p), append(c.Ops, p)
	}
	done := false
	r.hub.PublishTo(c, away, nil, func() { done = true })
	if want := []string{"n2 b 1", "n3 c 1", "n2 gone 1", "n2 moved 1"}; !slices.Equal(away.asked, want) {
		t.Fatalf("asked %q, want %q", away.asked, want)
	}
	r.want(here, "1 here")
	r.want(moved, "1 moved")
	for _, i := range []int{2, 0, 3} {
		away.open[i]([]delivery.Status{delivery.StatusQueued, 0, delivery.StatusOffline, delivery.StatusQueued}[i])
		if done {
			t.Error("the publish has ended before the last answer")
		}
	}
	away.open[1](delivery.StatusQueued)
	if !done {
		t.Error("the publish has not ended")
	}
	var got []delivery.Status
	for _, p := range puts {
		got = append(got, delivery.Status(p.Outcome))
	}
	want := []delivery.Status{delivery.StatusQueued, delivery.StatusWritten, delivery.StatusQueued,
		delivery.StatusOffline, delivery.StatusOffline, delivery.StatusQueued}
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// TestPublishElsewhereAtOnce: answers that come before Notice returns.
func TestPublishElsewhereAtOnce(t *testing.T) {
	r := apart(t)
	c := &inbox.Commit{}
	for _, id := range []string{"b", "gone", "nobody"} {
		c.Ops = append(c.Ops, &inbox.Put{Device: id, Message: &inbox.Message{TTL: 60}})
	}
	times := 0
	r.hub.PublishTo(c, atOnceAway{}, nil, func() { times++ })
	if times != 1 || c.Ops[0].(*inbox.Put).Outcome != uint8(delivery.StatusQueued) {
		t.Errorf("done %d times, outcome %d", times, c.Ops[0].(*inbox.Put).Outcome)
	}
}

type atOnceAway struct{}

func (atOnceAway) Again(*inbox.Put) {}

func (atOnceAway) Notice(_ *inbox.Put, answer func(delivery.Status)) bool {
	answer(delivery.StatusQueued)
	return true
}

// TestAwait: who waits by a callback hears of the acknowledgement, of one that was there
// before, of the end of the wait, and that nobody will acknowledge; once each.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := calm(t, memory)
		d := w.online("d")
		d.lazy, d.acked = true, 1<<60 // it never acknowledges by itself
		first, second, third := w.publish("d", "", 60), w.publish("d", "", 60), w.publish("d", "", 60)
		var mu sync.Mutex // covers heard
		var heard []string
		await := func(name string, p *inbox.Put) {
			w.hub.Await(p, time.Minute, func(acked bool) {
				mu.Lock()
				defer mu.Unlock()
				heard = append(heard, fmt.Sprint(name, " ", acked))
			})
		}
		said := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(heard)
		}
		await("first", first)
		await("second", second)
		await("third", third)
		d.conn.lane.Ack(d.conn.name(), &d.conn.peer, 2)
		await("late", first)
		if want := []string{"first true", "second true", "late true"}; !slices.Equal(said(), want) || w.hub.Awaiting() != 1 {
			t.Errorf("%q, want %q; %d wait", said(), want, w.hub.Awaiting())
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got, want := said(), "third false"; len(got) != 4 || got[3] != want || w.hub.Awaiting() != 0 {
			t.Errorf("%q, want %q at the end; %d wait", got, want, w.hub.Awaiting())
		}
	})
}

// TestDuplicateElsewhere: what comes again is told to the node of its device, for the word of
// the first may have been lost; it is answered with what the first was, and not waited for.
func TestDuplicateElsewhere(t *testing.T) {
	r := apart(t)
	away := &others{self: "n1"}
	publish := func() (p *inbox.Put, done bool) {
		p = &inbox.Put{Device: "b", Message: &inbox.Message{TTL: 60, ID: []byte("x"), Payload: []byte("b")}}
		r.hub.PublishTo(&inbox.Commit{Ops: []inbox.Op{p}}, away, nil, func() { done = true })
		for _, answer := range away.open {
			answer(delivery.StatusQueued)
		}
		away.open = nil
		return p, done
	}
	publish()
	p, done := publish()
	if !done || p.Verdict != inbox.Duplicate || delivery.Status(p.Outcome) != delivery.StatusQueued {
		t.Errorf("done %t, %+v", done, p)
	}
	if len(away.asked) != 1 || !slices.Equal(away.again, []string{"n2 b 1"}) {
		t.Errorf("asked %q, again %q", away.asked, away.again)
	}
}
