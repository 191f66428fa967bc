package server

import (
	"context"
	"encoding/json"
	"testing"
)

// TestSubscribedWhileTheBusWasDown: what another node's API has stored while this one did not hear it counts as soon as it does:
// the device gets the topic's latest value and what is said in it, and nothing of what it is not in any more.
func TestSubscribedWhileTheBusWasDown(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 1)[0]
	p, _ := device(t, b, "device="+d, "roost.v1.json")
	p.silent("away")
	if err := a.Subscribe(context.Background(), d, "old", true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it hears of the one before", func() bool { return b.subscriptions.Load() == 1 })
	f.hub.SetCut("n2", true)
	if err := a.Subscribe(context.Background(), d, "new", true); err != nil {
		t.Fatal(err)
	}
	if err := a.Subscribe(context.Background(), d, "old", false); err != nil {
		t.Fatal(err)
	}
	publish(t, a, `{"topic":"new","class":"latest","ttl":60,"payload":1}`)
	p.silent("msg")
	f.hub.SetCut("n2", false)
	if m := p.awaits("msg"); m["ch"] != "new" || m["p"] != 1.0 {
		t.Errorf("got %v", m)
	}
	eventually(t, "it is in the one topic", func() bool { return b.subscriptions.Load() == 1 })
	eventually(t, "n2 hears it", func() bool {
		publish(t, a, `{"topic":"new","class":"live","payload":2}`)
		heard := false
		p.send(`{"t":"hb"}`)
		for m := p.any(); m["t"] != "hb"; m = p.any() {
			heard = heard || m["p"] == 2.0
		}
		return heard
	})
	publish(t, a, `{"topic":"old","class":"live","payload":3}`)
	publish(t, a, `{"topic":"new","class":"live","payload":4}`)
	for m := p.awaits("msg"); m["p"] != 4.0; m = p.awaits("msg") {
		if m["ch"] != "new" {
			t.Errorf("got %v", m)
		}
	}
}

// any reads a message.
func (p *peer) any() (m map[string]any) {
	p.t.Helper()
	if err := json.Unmarshal(p.read(), &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}
