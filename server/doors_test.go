package server

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"roost/poller"
	"roost/server/delivery"
	"roost/server/presence"
)

// TestConnectWithoutRedis: while Redis is away a device is served: what it says of its stream is
// repeated, live messages reach it, also to the topics that it claims. When Redis is back, it is told to come
// for a session with it, and has missed nothing that is kept.
func TestConnectWithoutRedis(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	p, w := device(t, s, "device=d1", "roost.v1.json")
	publish(t, s, `{"device":"d1","payload":1}`)
	p.awaits("msg")
	p.send(`{"t":"ack","seq":1}`)
	p.silent("away")
	if err := s.cluster.store.Flush(); err != nil {
		t.Fatal(err)
	}
	f.redis.Pause()
	eventually(t, "the node knows that Redis is away", func() bool { return !s.cluster.keeper.Up() })
	known, w1 := device(t, s, fmt.Sprintf("device=d1&sid=%s&epoch=%s&seq=1&topic=fw", w["sid"], w["epoch"]), "roost.v1.json")
	if code := p.closeCode(); code != 4002 {
		t.Errorf("the connection before: closed with %d", code)
	}
	if w1["sid"] != w["sid"] || w1["epoch"] != w["epoch"] || w1["seq"] != 1.0 || w1["acked"] != 1.0 || w1["resumed"] != true {
		t.Errorf("welcome %v, before %v", w1, w)
	}
	fresh, w2 := device(t, s, "device=d2", "roost.v1.json")
	if w2["seq"] != 0.0 || w2["epoch"] == "" || w2["resumed"] != false {
		t.Errorf("welcome of a device that nobody knows %v", w2)
	}
	if n := s.cluster.alone.Load(); n != 2 {
		t.Errorf("%d sessions without Redis", n)
	}
	known.send(`{"t":"hb","seq":1}`) // it acknowledges what it had before
	known.awaits("hb")
	for body, to := range map[string]*peer{`{"device":"d1","class":"live","payload":"a"}`: known, `{"device":"d2","class":"live","payload":"b"}`: fresh,
		`{"topic":"fw","class":"live","payload":"c"}`: known} {
		publish(t, s, body)
		to.awaits("msg")
	}
	if code, answer := post(t, s, `{"device":"d1","payload":2}`); code != 503 {
		t.Errorf("a kept message: %d %s", code, answer)
	}
	f.redis.Resume()
	eventually(t, "a kept message is stored again", func() bool { code, _ := post(t, s, `{"device":"d1","id":"m","payload":2}`); return code == 200 })
	away := known.awaits("away")
	if away["code"] != 4003.0 || away["url"] != nil || away["in"].(float64) > 5000 {
		t.Errorf("away %v", away)
	}
	again, w3 := device(t, s, fmt.Sprintf("device=d1&sid=%s&epoch=%s&seq=1", w["sid"], w["epoch"]), "roost.v1.json")
	if w3["epoch"] != w["epoch"] || w3["sid"] != w["sid"] || w3["resumed"] != true {
		t.Errorf("welcome %v, before %v", w3, w)
	}
	if m := again.awaits("msg"); m["payload"] != nil && m["p"] != 2.0 || m["seq"].(float64) < 2 {
		t.Errorf("got %v", m)
	}
	if code := known.closeCode(); code != 4002 {
		t.Errorf("closed with %d", code)
	}
	fresh.awaits("away")
	// d2 has lost nothing: its stream, which has a name now, goes on from its beginning.
	_, w4 := device(t, s, fmt.Sprintf("device=d2&sid=%s&epoch=%s&seq=0", w2["sid"], w2["epoch"]), "roost.v1.json")
	if w4["sid"] != w2["sid"] || w4["epoch"] == w2["epoch"] || w4["resumed"] != true {
		t.Errorf("welcome %v, before %v", w4, w2)
	}
	eventually(t, "nobody is without Redis", func() bool { return s.cluster.alone.Load() == 0 && s.cluster.keeper.Stats().Provisional == 0 })
}

// TestAloneIsClosed: a session without Redis that does not go is ended, once Redis is back: it would never get what
// is kept.
func TestAloneIsClosed(t *testing.T) {
	f := newFleet(t)
	f.redis.Pause()
	s := f.node("n1", func(o *Options) { o.timing.late = 100 * time.Millisecond })
	f.ring(1, "n1")
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	f.redis.Resume()
	p.awaits("away")
	if code := p.closeCode(); code != 4003 {
		t.Errorf("closed with %d", code)
	}
}

// TestGoneAtTheDoor: a connection that has gone before its device was opened leaves nothing behind.
func TestGoneAtTheDoor(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	f.redis.Pause()
	var conns []net.Conn
	for i := range 20 {
		nc, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(nc, upgradeRequest(fmt.Sprintf("/v1/connect?device=d%d", i)))
		conns = append(conns, nc)
	}
	eventually(t, "they are at a door", func() bool { return s.opening.Load() > 0 })
	for _, nc := range conns {
		nc.(*net.TCPConn).SetLinger(0)
		nc.Close()
	}
	f.redis.Resume()
	eventually(t, "nobody is here", func() bool {
		return s.opening.Load() == 0 && s.pollerConns() == 0 && s.registry.Len() == 0 && s.cluster.keeper.Stats().Devices == 0 && s.cluster.alone.Load() == 0
	})
	eventually(t, "nobody is here by presence", func() bool { return f.held("d0") == "" && f.held("d19") == "" })
}

// TestNotOpenedWhenGone: a device whose connection has ended while it waited for a door is not opened: it may be
// elsewhere, and its session there would be ended as another client's.
func TestNotOpenedWhenGone(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1", func(o *Options) { o.timing.upgrade = 200 * time.Millisecond })
	f.ring(1, "n1")
	f.up(s)
	gone := &opening{h: s.handlers[0], q: connectQuery{hello: delivery.Hello{ID: []byte("gone")}}}
	gone.gone.Store(true)
	s.opening.Add(1)
	s.cluster.doors.put(gone)
	eventually(t, "it is back", func() bool { return s.opening.Load() == 0 })
	if n, err := f.redis.Do("EXISTS", presence.Key("gone")); err != nil || fmt.Sprint(n) != "0" {
		t.Errorf("it was opened: %v, %v", n, err)
	}
	// Those that a node tells that it took too long are such.
	f.redis.Pause()
	if got := exchange(t, s, upgradeRequest("/v1/connect?device=d1")); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
		t.Errorf("got %q", got)
	}
	for _, h := range s.handlers {
		left := make(chan int, 1)
		h.l.Post(poller.TaskFunc(func(*poller.Loop) { left <- len(h.openings) }))
		if n := <-left; n != 0 {
			t.Errorf("%d are waited for", n)
		}
	}
	f.redis.Resume()
}

// TestDoorsAreBounded: more than may wait are told to try again.
func TestDoorsAreBounded(t *testing.T) {
	var d doors
	d.init()
	for i := range doorQueue {
		if !d.put(&opening{}) {
			t.Fatalf("full at %d", i)
		}
	}
	if d.put(&opening{}) {
		t.Error("one more was taken")
	}
	d.took(<-d.queue)
	if !d.put(&opening{}) {
		t.Error("there is room, and it was not taken")
	}
}

// TestShutdownReleases: a node that ends in order leaves no device behind that seems to be here.
func TestShutdownReleases(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	for i := range 10 {
		device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		d := fmt.Sprintf("d%d", i)
		if got := f.held(d); got != "" {
			t.Errorf("%s: %q has it", d, got)
		}
		if r := f.redis.Text("HGET", presence.Key(d), "r"); r != fmt.Sprint(int(presence.Shutdown)) {
			t.Errorf("%s: reason %s", d, r)
		}
	}
}
