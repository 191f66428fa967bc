package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSurplus: in a drain, of those that were told slots as many may be left as have theirs later; who has gone by itself is
// counted, and nobody is closed for it.
func TestSurplus(t *testing.T) {
	const over = 40 * time.Second
	for _, tt := range []struct {
		leaving, here int
		due           time.Duration
		want          int
	}{
		{1000, 1000, -time.Second, 0},
		{1000, 1000, 0, 0},
		{1000, 1000, 10 * time.Second, 250},
		{1000, 750, 10 * time.Second, 0},
		{1000, 500, 10 * time.Second, -250}, // those of 10 s more have gone: the next slot is not due
		{1000, 760, 10 * time.Second, 10},
		{1, 1, over - 1, 0}, // its slot is the end
		{1, 0, over - 1, -1},
		{3, 3, over/3 - 1, 0},
		{3, 3, over/3 + 1, 1},
	} {
		if got := surplus(tt.leaving, tt.here, tt.due, over); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}

// TestClaimedWhileDraining: a device that was claimed when its new node begins to go down is served there and told its
// slot: its session at the node that it comes from has ended with the claim, so a refusal would leave it without a connection.
func TestClaimedWhileDraining(t *testing.T) {
	f := newFleet(t)
	a := f.node("n1")
	b := f.node("n2", func(o *Options) { o.DrainOver = time.Minute })
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 1)[0]
	old, w := device(t, a, "hop=3&device="+d, "roost.v1.json")
	b.cluster.doors.mu.Lock() // doors give nothing back
	at := make(chan *peer, 1)
	go func() {
		p := &peer{t: t}
		defer func() { at <- p }()
		p.nc, p.r = dialLater(t, b, fmt.Sprintf("device=%s&hop=1&sid=%s&epoch=%s&seq=0", d, w["sid"], w["epoch"]))
	}()
	eventually(t, "it is claimed", func() bool { return f.held(d) == "n2" })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.Drain(ctx) }()
	eventually(t, "it is going down", b.draining.Load)
	b.cluster.doors.mu.Unlock()
	p := <-at
	if p.nc == nil {
		t.Fatal("it was refused")
	}
	if m := p.awaits("welcome"); m["sid"] != w["sid"] {
		t.Errorf("welcome %v, before %v", m, w)
	}
	if m := p.awaits("away"); m["code"] != 4001.0 || m["in"].(float64) > 60_000 || !strings.Contains(m["url"].(string), a.Addr().String()) {
		t.Errorf("away %v", m)
	}
	p.silent("away")
	if code := old.closeCode(); code != 4002 {
		t.Errorf("the connection before: closed with %d", code)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNotClaimedWhileDraining: a device that still waits for a door then is refused and not claimed: its session at the node
// that it comes from goes on.
func TestNotClaimedWhileDraining(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 1)[0]
	old, _ := device(t, a, "hop=3&device="+d, "roost.v1.json")
	var held []*opening
	b.cluster.doors.mu.Lock() // each door has one that it cannot give back: the next one waits
	for range doorCount {
		o := &opening{h: b.handlers[0]}
		o.gone.Store(true)
		held = append(held, o)
		b.opening.Add(1)
		b.cluster.doors.put(o)
	}
	eventually(t, "doors are taken", func() bool { return len(b.cluster.doors.queue) == 0 })
	answer := make(chan string, 1)
	go func() { answer <- exchange(t, b, upgradeRequest("/v1/connect?hop=1&device="+d)) }()
	eventually(t, "it waits", func() bool { return b.opening.Load() == int64(len(held))+1 && len(b.cluster.doors.queue) == 1 })
	b.draining.Store(true)
	b.cluster.doors.mu.Unlock()
	if got := <-answer; !strings.HasPrefix(got, "HTTP/1.1 503 ") {
		t.Errorf("got %q", got)
	}
	if node := f.held(d); node != "n1" {
		t.Errorf("%q has it", node)
	}
	old.silent("away")
}
