package server

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"roost/server/fanout"
	"roost/server/mesh"
)

// publisher waits; a subscription that is answered gets what is published next, wherever.
func TestCastElsewhere(t *testing.T) {
	_, n := trio(t)
	var peers []*peer
	for i := range 9 {
		p := at(t, n[i%3], fmt.Sprintf("d%d", i))
		p.send(`{"t":"sub","r":1,"ch":"fw/eu"}`)
		p.gets(`{"t":"res","r":1,"ok":true}`)
		peers = append(peers, p)
	}
	out := at(t, n[2], "out")
	publish(t, n[1], `{"topic":"fw/eu","payload":"first"}`)
	for _, p := range peers { // what one node sends is not in order with what another one does
		p.gets(`{"t":"msg","ch":"fw/eu","p":"first"}`)
	}
	if got, want := publish(t, n[0], `{"topic":"fw/eu","payload":2,"wait":10}`),
		`{"results":[{"topic":"fw/eu","status":"written","receivers":9,"counts":{"written":9,"queued":0}}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := publish(t, n[0], `{"all":true,"payload":3,"wait":10,"pace":1000}`),
		`{"results":[{"all":true,"status":"written","receivers":10,"counts":{"written":10,"queued":0}}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := publish(t, n[0], `{"all":true,"payload":4}`); got != `{"results":[{"all":true,"status":"queued"}]}` {
		t.Errorf("got %s", got)
	}
	for _, p := range peers {
		p.gets(`{"t":"msg","ch":"fw/eu","p":2}`)
		p.gets(`{"t":"msg","p":3}`)
		p.gets(`{"t":"msg","p":4}`)
	}
	out.gets(`{"t":"msg","p":3}`)
	for i, p := range peers {
		if i%2 == 0 {
			p.send(`{"t":"unsub","r":2,"ch":"fw/eu"}`)
			p.awaits("res")
		} else {
			p.nc.Close()
		}
	}
	eventually(t, "nobody listens to the topic", func() bool {
		topics := 0
		for _, s := range n {
			topics += s.cluster.mesh.State().Topics
		}
		return topics == 0
	})
}

// TestLatestElsewhere: a new latest value reaches the subscribers at other nodes, and those who come later.
func TestLatestElsewhere(t *testing.T) {
	_, n := trio(t)
	p := at(t, n[1], "d1")
	p.send(`{"t":"sub","r":1,"ch":"v"}`)
	p.gets(`{"t":"res","r":1,"ok":true}`)
	if got, want := publish(t, n[0], `{"topic":"v","class":"latest","payload":1,"wait":10}`),
		`{"results":[{"topic":"v","status":"written","receivers":1,"counts":{"written":1,"queued":0}}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	publish(t, n[0], `{"topic":"v","class":"latest","payload":2}`)
	p.gets(`{"t":"msg","ch":"v","p":1}`)
	p.gets(`{"t":"msg","ch":"v","p":2}`)
	for i, s := range n {
		q := at(t, s, fmt.Sprintf("late%d", i))
		q.send(`{"t":"sub","r":1,"ch":"v"}`)
		q.gets(`{"t":"res","r":1,"ok":true}`)
		q.gets(`{"t":"msg","ch":"v","p":2}`)
	}
}

// TestLatestAgain: devices get a topic's latest value also where word of it was lost on its way to their node, and where word of an
// older one comes behind it.
func TestLatestAgain(t *testing.T) {
	f, n := trio(t)
	p := at(t, n[1], "d1")
	p.send(`{"t":"sub","r":1,"ch":"v"}`)
	p.gets(`{"t":"res","r":1,"ok":true}`)
	f.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Drop: true} })
	publish(t, n[0], `{"topic":"v","class":"latest","payload":1}`)
	f.hub.SetFault(nil)
	if m := p.awaits("msg"); m["p"] != 1.0 {
		t.Errorf("got %v", m)
	}
	publish(t, n[0], `{"topic":"v","class":"latest","payload":3}`)
	p.gets(`{"t":"msg","ch":"v","p":3}`)
	local{n[1]}.Cast("v", &mesh.Message{Topic: []byte("v"), Payload: []byte("2"), TTL: 60}, true, 0, nil)
	p.gets(`{"t":"msg","ch":"v","p":2}`)
	if m := p.awaits("msg"); m["p"] != 3.0 {
		t.Errorf("got %v", m)
	}
}

// TestSpreadElsewhere: a kept message to a topic or all comes to its devices wherever they are.
func TestSpreadElsewhere(t *testing.T) {
	_, n := trio(t)
	var peers []*peer
	for i := range 6 {
		p := at(t, n[i%3], fmt.Sprintf("d%d", i))
		p.send(`{"t":"sub","r":1,"ch":"fw"}`)
		p.gets(`{"t":"res","r":1,"ok":true}`)
		peers = append(peers, p)
	}
	out := at(t, n[1], "out")
	if got := publish(t, n[0], `{"topic":"fw","class":"kept","payload":1}`); !strings.Contains(got, `"receivers":6`) {
		t.Errorf("got %s", got)
	}
	if got := publish(t, n[2], `{"all":true,"class":"kept","payload":2}`); !strings.Contains(got, `"receivers":7`) {
		t.Errorf("got %s", got)
	}
	for _, p := range peers {
		if a, b := p.awaits("msg"), p.awaits("msg"); a["p"] != 1.0 || b["p"] != 2.0 || a["ch"] != "fw" {
			t.Errorf("got %v, %v", a, b)
		}
	}
	if m := out.awaits("msg"); m["p"] != 2.0 {
		t.Errorf("got %v", m)
	}
}

// TestWaitForMany: who waits for a kept message to many hears of acknowledgements at other nodes too, and
// which nodes said nothing of a live one.
func TestWaitForMany(t *testing.T) {
	f, n := trio(t)
	var mute *peer
	for i := range 7 {
		p := at(t, n[i%3], fmt.Sprintf("d%d", i))
		p.send(`{"t":"sub","r":1,"ch":"fw"}`)
		p.gets(`{"t":"res","r":1,"ok":true}`)
		if i == 6 {
			p.send(`{"t":"unsub","r":2,"ch":"fw"}`)
			p.gets(`{"t":"res","r":2,"ok":true}`)
			mute = p
			break
		}
		p.acks()
	}
	if got, want := publish(t, n[0], `{"topic":"fw","class":"kept","payload":1,"wait":10}`),
		`{"results":[{"topic":"fw","status":"acknowledged","receivers":6,"counts":{"written":6,"acknowledged":6,"queued":0}}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := publish(t, n[1], `{"all":true,"class":"kept","payload":2,"wait":1}`); !strings.Contains(got, `"receivers":7,"counts":{"written":6,"acknowledged":6,"queued":1}`) {
		t.Errorf("one does not acknowledge: %s", got)
	}
	if m := mute.awaits("msg"); m["p"] != 2.0 {
		t.Errorf("got %v", m)
	}
	f.hub.Partition([]string{"n3"})
	if got, want := publish(t, n[0], `{"topic":"fw","payload":3,"wait":1}`),
		`{"results":[{"topic":"fw","status":"queued","receivers":4,"counts":{"written":4,"queued":0,"nodes_silent":1}}]}`; got != want {
		t.Errorf("a node is silent: %s, want %s", got, want)
	}
}

// TestManageElsewhere: an operator may ask any node to subscribe, disconnect and remove a device.
func TestManageElsewhere(t *testing.T) {
	f, n := trio(t)
	p := at(t, n[1], "d1")
	if code, body := request(t, n[0], http.MethodPut, "/v1/devices/d1/topics/fw", ""); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	eventually(t, "the device hears the topic", func() bool {
		publish(t, n[2], `{"topic":"fw","payload":1}`)
		_, body := post(t, n[2], `{"topic":"fw","payload":2,"wait":5}`)
		return strings.Contains(body, `"receivers":1`)
	})
	p.awaits("msg")
	if code, body := request(t, n[2], http.MethodDelete, "/v1/devices/d1/topics/fw", ""); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	eventually(t, "it does not any more", func() bool { return n[1].subscriptions.Load() == 0 })
	if code, body := request(t, n[0], http.MethodDelete, "/v1/devices/d1/connection", ""); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	if code := p.closeCode(); code != 4003 {
		t.Errorf("closed with %d", code)
	}
	eventually(t, "it is away", func() bool { return f.held("d1") == "" })
	if code, body := request(t, n[0], http.MethodDelete, "/v1/devices/d1/connection", ""); code != 409 {
		t.Errorf("while it is away: %d %s", code, body)
	}
	p = at(t, n[2], "d1")
	if code, body := request(t, n[0], http.MethodDelete, "/v1/devices/d1", ""); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	if code := p.closeCode(); code != 4305 {
		t.Errorf("closed with %d", code)
	}
	if code, _ := request(t, n[1], http.MethodGet, "/v1/devices/d1", ""); code != 404 {
		t.Errorf("the removed device: %d", code)
	}
}

// TestCopies: what the bus brings twice is done once.
func TestResyncs(t *testing.T) {
	var r resyncs
	r.init()
	for i := range resyncTopics {
		r.ask(fmt.Sprint("t", i))
		r.ask("t0")
	}
	if len(r.topics) != resyncTopics || r.all {
		t.Fatalf("%d topics, all %v", len(r.topics), r.all)
	}
	r.ask("one more")
	if topic, lost, ok := r.take(); topic != "" || !ok || lost {
		t.Errorf("took %q %v %v", topic, lost, ok)
	}
	if topic, _, ok := r.take(); ok {
		t.Errorf("then %q", topic)
	}
	r.ask("")
	r.askLost() // all of them may come back
	if topic, lost, ok := r.take(); topic != "" || !ok || !lost {
		t.Errorf("took %q %v %v", topic, lost, ok)
	}
	r.ask("t1")
	r.ask("")
	r.ask("t2") // all is looked at anyway
	if topic, lost, ok := r.take(); topic != "" || !ok || lost {
		t.Errorf("took %q %v %v", topic, lost, ok)
	}
	if _, _, ok := r.take(); ok {
		t.Error("something is left")
	}
	r.ask("t3")
	r.close()
	if _, _, ok := r.take(); ok {
		t.Error("something is begun after the end")
	}
}

// TestCloseWaitsForCasts: a publish of a latest value that waits for other nodes' counts ends with the node, and nothing of it
// is left.
func TestCloseWaitsForCasts(t *testing.T) {
	f, n := trio(t)
	f.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Drop: true} })
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Post("http://"+n[0].APIAddr().String()+"/v1/publish", "application/json", strings.NewReader(`{"topic":"fw","class":"latest","ttl":60,"payload":1,"wait":25}`))
		if err == nil {
			resp.Body.Close()
		}
	}()
	casting := func() bool {
		b := make([]byte, 1<<20)
		return bytes.Contains(b[:runtime.Stack(b, true)], []byte("sendCasts"))
	}
	eventually(t, "it waits", casting)
	if err := n[0].Close(); err != nil {
		t.Error(err)
	}
	if casting() {
		t.Error("it still waits")
	}
	<-done
}

// TestElsewhereOwner: what presence says of an earlier start of this node is not elsewhere.
