package dialect

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"roost/server/ws"
)

// TestCentrifugoAnswersPings: a server that pings each second keeps who answers
// and cuts who does not.
func TestCentrifugoAnswersPings(t *testing.T) {
	addr := goPeer(t, "centrifuge", "--ping", "1s")
	r := newRig(t, addr, "centrifugo", Config{Name: deviceName, To: []string{"self"}})
	r.dial(0)
	r.dial(1)
	r.until("both are greeted", func() bool { return r.ready == 2 })
	live, mute := r.conns[0], r.conns[1]
	mute.mute = true
	r.until("who does not answer is cut", func() bool { return mute.over })
	if live.over || r.ended[0].Code != 3012 {
		t.Errorf("ended %+v", r.ended)
	}
	if at := r.d.Deadline(0); at < r.now() || at > r.now()+11*time.Second {
		t.Errorf("patience until %v, now %v", at, r.now())
	}
}

// TestCentrifugoRefuses: a publish that is refused is told, and a subscription
// that is refused ends the greeting.
func TestCentrifugoRefuses(t *testing.T) {
	addr := goPeer(t, "centrifuge")
	r := newRig(t, addr, "centrifugo", Config{Name: deviceName, To: []string{"all"}})
	c := r.dial(0)
	r.until("greeted", func() bool { return r.ready == 1 })
	if err := r.publish("", c, &Message{To: "topic", Name: "forbidden", Payload: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	r.until("refused", func() bool { return len(r.refused) == 1 })
	if !strings.Contains(r.refused[0].Error(), "103 permission denied") || c.over {
		t.Errorf("%v, over %v", r.refused, c.over)
	}

	o := newRig(t, addr, "centrifugo", Config{Name: deviceName, Topics: func(uint32) []string { return []string{"forbidden"} }})
	o.dial(0)
	o.until("given up", func() bool { return len(o.failed) == 1 })
	if err := o.failed[0].Error(); !strings.Contains(err, "subscribe to forbidden") || o.ready != 0 {
		t.Errorf("%v, ready %d", err, o.ready)
	}

	api := newRig(t, addr, "centrifugo", Config{Name: deviceName, API: "http://wrong@" + addr})
	if err := api.publish("http://"+addr, nil, &Message{To: "all", Payload: []byte("x")}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a wrong key: %v", err)
	}
}

// TestSocketIOAnswers: pings, and an event that wants to be acknowledged.
func TestSocketIOAnswers(t *testing.T) {
	addr := socketIOPeer(t, "50")
	r := newRig(t, addr, "socketio", Config{Name: deviceName})
	c := r.dial(0)
	r.until("greeted", func() bool { return r.ready == 1 })
	c.Send(ws.OpText, []byte(`42["ask"]`))
	r.until("the server has its answer", func() bool { return len(r.got) == 2 })
	if r.got[0] != "wants an answer" || r.got[1] != "has it" {
		t.Errorf("got %q", r.got)
	}
	before := r.d.Deadline(0)
	r.until("pings move the deadline", func() bool { return r.d.Deadline(0) > before+200*time.Millisecond })
}

// TestMQTTKeeps: messages of QoS 1 that came while a client was away, and the
// last value of a topic for who comes later.
func TestMQTTKeeps(t *testing.T) {
	addr := goPeer(t, "mqtt")
	r := newRig(t, addr, "mqtt", Config{Name: deviceName, Resume: true, Topics: func(i uint32) []string {
		return []string{"one"}
	}})
	a, b := r.dial(0), r.dial(1)
	r.until("both are greeted", func() bool { return r.ready == 2 })
	b.end(End{})
	for _, m := range []Message{
		{To: "device", Name: deviceName(1), Class: "kept", Payload: []byte("kept")},
		{To: "device", Name: deviceName(1), Class: "live", Payload: []byte("live")},
	} {
		if err := r.publish("", a, &m); err != nil {
			t.Fatal(err)
		}
	}
	// What a publishes to itself is behind those.
	if err := r.publish("", a, &Message{To: "self", Payload: []byte("done")}); err != nil {
		t.Fatal(err)
	}
	r.until("the broker has all", func() bool { return len(r.got) == 1 })
	b = r.dial(1)
	r.until("it has come", func() bool { return len(r.got) >= 2 })
	if r.got[1] != "kept" || r.resumed != 1 {
		t.Errorf("got %q, resumed %d", r.got, r.resumed)
	}
	if err := r.publish("", a, &Message{To: "topic", Name: "one", Class: "latest", Payload: []byte("latest")}); err != nil {
		t.Fatal(err)
	}
	r.until("those who are there have it", func() bool { return len(r.got) >= 4 })
	r.dial(2)
	r.until("and who comes later", func() bool { return len(r.got) >= 5 })
	if r.by[4] != 2 || r.got[4] != "latest" {
		t.Errorf("got %q, of %v", r.got, r.by)
	}
	_ = b
}

// TestClientsAreSmall: what the package comment says of each dialect.
func TestClientsAreSmall(t *testing.T) {
	for name, c := range map[string]struct{ size, most uintptr }{
		"roost": {unsafe.Sizeof(device{}), 184}, "centrifugo": {unsafe.Sizeof(user{}), 16},
		"socketio": {unsafe.Sizeof(peer{}), 16}, "mqtt": {unsafe.Sizeof(mqttClient{}), 16},
	} {
		if c.size > c.most {
			t.Errorf("%s: %d bytes a client, want %d at most", name, c.size, c.most)
		}
	}
}
