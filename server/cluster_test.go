package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"roost/server/inbox"
	"roost/server/presence"
)

// TestClusterConnect: a device of a cluster is claimed with its inbox, told the ring that answers for
// it, and given back with the reason when it goes.
func TestClusterConnect(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(7, "n1")
	f.up(s)
	p, w := device(t, s, "device=d1", "roost.v1.json")
	if w["node"] != "n1" || w["ring"] != 7.0 || w["rh"] != "0000000700000000" || w["resumed"] != false {
		t.Errorf("welcome %v", w)
	}
	if got := f.held("d1"); got != "n1" {
		t.Errorf("by presence %q has it", got)
	}
	if hb := p.silent("away"); hb["ring"] != 7.0 || hb["rh"] != "0000000700000000" {
		t.Errorf("heartbeat %v", hb)
	}
	if got := publish(t, s, `{"device":"d1","payload":1}`); !strings.Contains(got, `"written"`) {
		t.Errorf("publish: %s", got)
	}
	if m := p.awaits("msg"); m["seq"] != 1.0 {
		t.Errorf("got %v", m)
	}
	p.send(`{"t":"ack","seq":1}`)
	p.nc.Close()
	eventually(t, "it is gone by presence", func() bool { return f.held("d1") == "" })
	answers, err := s.cluster.opt.Presence.Store.Get(context.Background(), []string{"d1"})
	if err != nil || answers[0].Record.Hold != presence.Left || answers[0].Record.Reason != presence.Hangup {
		t.Errorf("%+v %v", answers, err)
	}
	// It comes back with its session: nothing comes again.
	_, w2 := device(t, s, fmt.Sprintf("device=d1&sid=%s&epoch=%s&seq=1", w["sid"], w["epoch"]), "roost.v1.json")
	if w2["sid"] != w["sid"] || w2["epoch"] != w["epoch"] || w2["resumed"] != true || w2["acked"] != 1.0 {
		t.Errorf("welcome %v", w2)
	}
}

// TestRequestsWaitAtTheDoor: what comes behind the request is read after the welcome, whatever the
// pieces.
func TestRequestsWaitAtTheDoor(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	request := upgradeRequest("/v1/connect?device=d1") + maskedText(`{"t":"hb"}`) + "\x88\x80\x00\x00\x00\x00"
	if a := exchange(t, s, request); !strings.HasPrefix(a, "HTTP/1.1 101 ") || !strings.Contains(a, `"t":"welcome"`) || !strings.Contains(a, `"t":"hb"`) {
		t.Errorf("got %q", a)
	}
	for name, want := range map[string]string{"device=": "HTTP/1.1 400 ", "device=d&hop=x": "HTTP/1.1 400 ", "device=d&hop=10": "HTTP/1.1 400 "} {
		if a := exchange(t, s, upgradeRequest("/v1/connect?"+name)); !strings.HasPrefix(a, want) {
			t.Errorf("%s: got %q", name, a)
		}
	}
}

// TestTakenOverByAnotherNode: the connection at the node before is closed at once, as on one node: 4002 for the
// same session, 4303 for a stranger's.
func TestTakenOverByAnotherNode(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	first, w1 := device(t, a, "device=d1&hop=3", "roost.v1.json")
	second, w2 := device(t, b, "device=d1&hop=3&sid="+w1["sid"].(string), "roost.v1.json")
	if code := first.closeCode(); code != 4002 {
		t.Errorf("the same session: closed with %d", code)
	}
	if w2["sid"] != w1["sid"] || w2["resumed"] != true || w2["epoch"] != w1["epoch"] {
		t.Errorf("the session did not go on: %v then %v", w1, w2)
	}
	device(t, a, "device=d1&hop=3", "roost.v1.json")
	if code := second.closeCode(); code != 4303 {
		t.Errorf("a stranger: closed with %d", code)
	}
	eventually(t, "n1 has it", func() bool { return f.held("d1") == "n1" && a.registry.Len() == 1 && b.registry.Len() == 0 })
}

// TestZombie: a session that presence has given to somebody else is closed, though nobody said so over
// the bus.
func TestZombie(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	other := presence.Owner{Node: "n9", Incarnation: 9}
	if _, err := s.cluster.opt.Presence.Store.Claim(context.Background(), other, "d1", 99, time.Now().UnixMilli(), 1); err != nil {
		t.Fatal(err)
	}
	if code := p.closeCode(); code != 4303 {
		t.Errorf("closed with %d", code)
	}
	eventually(t, "nobody is here", func() bool { return s.cluster.keeper.Stats().Devices == 0 && s.registry.Len() == 0 })
	if got := f.held("d1"); got != "n9" {
		t.Errorf("%q has it", got)
	}
}

// TestHistoryIsLost: Redis that has lost everything gives a device a new stream, which it comes back for.
func TestHistoryIsLost(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	p, w := device(t, s, "device=d1", "roost.v1.json")
	publish(t, s, `{"device":"d1","payload":1}`)
	p.awaits("msg")
	f.redis.Do("FLUSHALL")
	s.cluster.store.Resync("", 0)
	if code := p.closeCode(); code != 4003 && code != 4002 {
		t.Errorf("closed with %d", code)
	}
	_, w2 := device(t, s, fmt.Sprintf("device=d1&sid=%s&epoch=%s&seq=1", w["sid"], w["epoch"]), "roost.v1.json")
	if w2["epoch"] == w["epoch"] || w2["resumed"] != false {
		t.Errorf("welcome %v, before %v", w2, w)
	}
}

// TestReady: a node is not ready before Redis was reached, but for a while only: then it serves
// what it can.
func TestReady(t *testing.T) {
	f := newFleet(t)
	f.redis.Pause()
	s := f.node("n1", func(o *Options) { o.Cluster.ReadyWithin = time.Second })
	if err := s.Ready(); err == nil {
		t.Error("ready at once")
	}
	if code, _ := status(t, s, "/healthz"); code != "503" {
		t.Errorf("healthz %s", code)
	}
	eventually(t, "it is ready without Redis", func() bool { return s.Ready() == nil })
	if code, _ := status(t, s, "/healthz"); code != "200" {
		t.Errorf("healthz %s", code)
	}
	f.redis.Resume()
	f.up(s)
}

// TestClusterOptions: what cannot work is refused, with what to do.
func TestClusterOptions(t *testing.T) {
	f := newFleet(t)
	good := func() Options {
		return Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Node: "n1", Cluster: &Cluster{Start: 5, Rings: f, Members: f,
			Bus: nil, Presence: presence.Options{Self: presence.Owner{Node: "n1", Incarnation: 5}, Store: &cuttable{}}}}
	}
	for want, spoil := range map[string]func(*Options){
		"Start is missing": func(o *Options) { o.Cluster.Start = 0 },
		"are required":     func(o *Options) {},
		"1 to 64":          func(o *Options) { o.Node = "a b"; f.complete(o) },
		"presence is of":   func(o *Options) { o.Node = "n2"; f.complete(o) },
		"Inbox and":        func(o *Options) { o.Inbox = inbox.NewMemory(inbox.Limits{}, nil); f.complete(o) },
		"want 0 or more":   func(o *Options) { o.Cluster.ShedOver = -1; f.complete(o) },
	} {
		o := good()
		spoil(&o)
		if s, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
			if s != nil {
				s.Close()
			}
		}
	}
}
