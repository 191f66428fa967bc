package server

import (
	"testing"
	"time"
)

// TestClearedElsewhere: a latest value that is removed by one node's API is not sent to who subscribes at another one, though
// that has it still; and nobody is sent anything because of it.
func TestClearedElsewhere(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2", func(o *Options) { o.timing.tick = time.Hour }) // it does not read values again
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 2)
	p := at(t, b, d[0])
	p.send(`{"t":"sub","r":1,"ch":"fw"}`)
	p.gets(`{"t":"res","r":1,"ok":true}`)
	publish(t, a, `{"topic":"fw","class":"latest","ttl":60,"payload":1}`)
	if m := p.awaits("msg"); m["p"] != 1.0 {
		t.Errorf("got %v", m)
	}
	if _, ok := b.store.LatestOf([]byte("fw")); !ok {
		t.Error("the value is not there")
	}
	if err := a.ClearTopic(t.Context(), "fw"); err != nil {
		t.Fatal(err)
	}
	publish(t, a, `{"topic":"fw","class":"live","payload":2}`) // comes behind the word of it
	if m := p.awaits("msg"); m["p"] != 2.0 {
		t.Errorf("got %v", m)
	}
	if m, ok := b.store.LatestOf([]byte("fw")); ok {
		t.Errorf("the value is there still: %s", m.Payload)
	}
	q := at(t, b, d[1])
	q.send(`{"t":"sub","r":1,"ch":"fw"}`)
	q.gets(`{"t":"res","r":1,"ok":true}`)
	q.silent("msg")
	p.silent("msg")
}
