package server

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/server/cluster"
)

// TestEvacuate: the devices of a node that is emptied are told evenly over the time, and those that do not go are
// closed; it can be stopped, and who connects meanwhile is served and told.
func TestEvacuate(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1", func(o *Options) { o.timing.late, o.timing.without = 100*time.Millisecond, 0 }), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n1", 9)
	var stay []*peer
	for _, id := range d[:8] {
		p, _ := device(t, a, "device="+id, "roost.v1.json")
		p.silent("away")
		stay = append(stay, p)
	}
	a.Evacuate(time.Hour)
	eventually(t, "it has begun", func() bool { return a.cluster.moves.round.Load() != nil })
	a.StayHere()
	eventually(t, "it was stopped", func() bool { return a.cluster.moves.round.Load() == nil })
	if left, moved := a.Left(); left != 8 || moved != 0 {
		t.Errorf("%d left, %d moved", left, moved)
	}
	a.Evacuate(2 * time.Second)
	var slots []float64
	for _, p := range stay {
		away := p.awaits("away")
		if away["code"] != 4001.0 || !strings.Contains(away["url"].(string), b.Addr().String()+"/v1/connect?hop=1") {
			t.Errorf("away %v", away)
		}
		slots = append(slots, away["in"].(float64))
	}
	late, _ := device(t, a, "device="+d[8], "roost.v1.json")
	if away := late.awaits("away"); away["code"] != 4001.0 {
		t.Errorf("away %v", away)
	}
	if slices.Max(slots) < 1000 || slices.Max(slots) > 2000 {
		t.Errorf("slots %v", slots)
	}
	for _, p := range stay {
		if code := p.closeCode(); code != 4001 {
			t.Errorf("closed with %d", code)
		}
	}
	eventually(t, "they are counted", func() bool { left, moved := a.Left(); return left == 1 && moved == 8 })
	late.silent("away")
	a.StayHere()
}

// TestEvacuateWaitsForTheRing: nobody is told before a ring without the node is in force, by which all of them go: by the
// one before it they would go to a node, and then to another one. It does not wait for ever, nor where etcd is away.
func TestEvacuateWaitsForTheRing(t *testing.T) {
	f := newFleet(t)
	long := func(o *Options) { o.timing.without = time.Hour }
	a, b, c := f.node("n1", long), f.node("n2"), f.node("n3")
	f.ring(1, "n1", "n2")
	f.up(a, b, c)
	d := f.owned("n1", 5)
	var here []*peer
	for _, id := range d[:4] {
		p, _ := device(t, a, "device="+id, "roost.v1.json")
		here = append(here, p)
	}
	a.Evacuate(time.Second)
	eventually(t, "it was looked at", func() bool { return len(a.cluster.moves.wake) == 0 })
	late, _ := device(t, a, "device="+d[4], "roost.v1.json")
	for range 3 {
		time.Sleep(a.opt.timing.tick)
		for _, p := range append(here, late) {
			p.silent("away")
		}
	}
	f.ring(2, "n3")
	for _, p := range append(here, late) {
		if away := p.awaits("away"); away["code"] != 4001.0 || !strings.Contains(away["url"].(string), c.Addr().String()) {
			t.Errorf("away %v, want %s", away, c.Addr())
		}
		p.silent("away")
	}
	a.StayHere()

	f.change(func(v *cluster.View) { v.Stale = time.Now() })
	last, _ := device(t, b, "device="+d[0], "roost.v1.json")
	last.awaits("away") // its owner is n3
	b.Evacuate(time.Second)
	last.awaits("away")
	b.StayHere()
}

// TestIgnoresRedirects: a device that does not go wherever it is sent is served, told a few times, and left alone then; a node
// that is emptied closes it once, serves it again, and tells it once.
func TestIgnoresRedirects(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1", func(o *Options) { o.timing.late = 100 * time.Millisecond }), f.node("n2")
	f.ring(1, "n2")
	f.up(a, b)
	p, _ := device(t, a, "device=d1", "roost.v1.json")
	p.awaits("away")
	const rings = uint64(2 * mostTold)
	for v := uint64(2); v < 2+rings; v++ {
		f.ring(v, "n2")
		eventually(t, "the round is over", func() bool {
			told := a.cluster.moves.told[moving].Load() + a.cluster.moves.deaf.Load()
			return told == v-1 && a.cluster.moves.round.Load() == nil
		})
	}
	if got := publish(t, a, `{"device":"d1","payload":1}`); !strings.Contains(got, `"written"`) {
		t.Errorf("publish: %s", got)
	}
	for range mostTold {
		p.awaits("away")
	}
	p.silent("away")
	if told, deaf := a.cluster.moves.told[moving].Load(), a.cluster.moves.deaf.Load(); told != uint64(mostTold) || deaf != rings-uint64(mostTold) {
		t.Errorf("told %d times, and %d times not", told, deaf)
	}
	a.Evacuate(time.Second)
	if away := p.awaits("away"); away["code"] != 4001.0 {
		t.Errorf("away %v", away)
	}
	if code := p.closeCode(); code != 4001 {
		t.Errorf("closed with %d", code)
	}
	again, _ := device(t, a, "device=d1", "roost.v1.json")
	again.awaits("away")
	for range 5 {
		time.Sleep(a.opt.timing.tick)
		again.silent("away")
	}
	if got := publish(t, a, `{"device":"d1","payload":2}`); !strings.Contains(got, `"written"`) {
		t.Errorf("publish: %s", got)
	}
	a.StayHere()
}

// TestEvacuateTheLast: devices of the last node that owns anything have nowhere to go when it
// is emptied, and go as soon as a ring says where: also those that have come meanwhile.
func TestEvacuateTheLast(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1", func(o *Options) { o.timing.late = 100 * time.Millisecond }), f.node("n2")
	f.ring(1, "n1")
	f.up(a, b)
	p, _ := device(t, a, "device=d1", "roost.v1.json")
	a.Evacuate(time.Second)
	eventually(t, "nobody could be told", func() bool {
		return len(a.cluster.moves.wake) == 0 && a.cluster.moves.round.Load() == nil
	})
	p.silent("away")
	late, _ := device(t, a, "device=d2", "roost.v1.json")
	late.silent("away")
	f.ring(2, "n2")
	for _, p := range []*peer{p, late} {
		if away := p.awaits("away"); away["code"] != 4001.0 || !strings.Contains(away["url"].(string), b.Addr().String()) {
			t.Errorf("away %v", away)
		}
		if code := p.closeCode(); code != 4001 {
			t.Errorf("closed with %d", code)
		}
	}
	eventually(t, "it is empty", func() bool { left, moved := a.Left(); return left == 0 && moved == 2 })
	a.StayHere()
}

// TestDrainNamesTheNext: a node of a cluster that ends says where its devices belong without it.
func TestDrainNamesTheNext(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1", func(o *Options) { o.DrainOver, o.timing.late = 400*time.Millisecond, 100*time.Millisecond }), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	p, _ := device(t, a, "device="+f.owned("n1", 1)[0], "roost.v1.json")
	done := make(chan error, 1)
	go func() { done <- a.Drain(context.Background()) }()
	if away := p.awaits("away"); away["code"] != 4001.0 || away["url"] != "ws://"+b.Addr().String()+"/v1/connect?hop=1" {
		t.Errorf("away %v", away)
	}
	if code := p.closeCode(); code != 4001 {
		t.Errorf("closed with %d", code)
	}
	p.nc.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
