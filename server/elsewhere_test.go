package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"roost/server/cluster"
	"roost/server/delivery"
	"roost/server/mesh"
	"roost/server/presence"
)

func TestStatusNumbers(t *testing.T) {
	for a, b := range map[mesh.Status]delivery.Status{
		mesh.StatusWritten: delivery.StatusWritten, mesh.StatusQueued: delivery.StatusQueued,
		mesh.StatusOffline: delivery.StatusOffline, mesh.StatusAcknowledged: delivery.StatusAcknowledged,
		mesh.StatusUnknown: delivery.StatusQueued, mesh.StatusNone: delivery.StatusQueued,
	} {
		if putStatus(a) != b {
			t.Errorf("%v is %d, want %d", a, putStatus(a), b)
		}
	}
}

// TestKeptElsewhere: a kept message for a device at another node is told there, comes at once, and its
// acknowledgement comes back to who waits for it, once, however often it is published.
func TestKeptElsewhere(t *testing.T) { eitherWay(t, testKeptElsewhere) }

func testKeptElsewhere(t *testing.T, f *fleet, n [3]*Server) {
	p := at(t, n[1], "d1")
	if got := publish(t, n[0], `{"device":"d1","payload":1}`); got != `{"results":[{"device":"d1","status":"queued","seq":1}]}` {
		t.Errorf("got %s", got)
	}
	if m := p.awaits("msg"); m["seq"] != 1.0 {
		t.Errorf("got %v", m)
	}
	got := p.acks()
	for _, want := range []string{
		`{"results":[{"device":"d1","status":"acknowledged","seq":2}]}`,
		`{"results":[{"device":"d1","status":"acknowledged","seq":2,"duplicate":true}]}`,
	} {
		if a := publish(t, n[0], `{"device":"d1","id":"once","payload":2,"wait":10}`); a != want {
			t.Errorf("got %s, want %s", a, want)
		}
	}
	if m := <-got; m["seq"] != 2.0 {
		t.Errorf("got %v", m)
	}
	if a := publish(t, n[2], `{"device":"d1","payload":3,"wait":10}`); !strings.Contains(a, `"acknowledged","seq":3`) {
		t.Errorf("from the third node: %s", a)
	}
	if m := <-got; m["seq"] != 3.0 {
		t.Errorf("got %v", m)
	}
	if a := publish(t, n[0], fmt.Sprintf(`{"device":"d1","payload":%q}`, strings.Repeat("x", inlineMost))); !strings.Contains(a, `"queued"`) {
		t.Errorf("a large one: %s", a)
	}
	if m := <-got; m["seq"] != 4.0 || len(m["p"].(string)) != inlineMost {
		t.Errorf("got %v", m["seq"])
	}
	// The repetition is told too, and what is large is fetched by the other node. Who waits for an acknowledgement
	// says so himself.
	want := map[string]float64{"forward": 3, "notice": 2}
	if f.tells {
		want["notice"] += 2
	}
	for name, want := range want {
		if v := metric(t, n[1], `roost_mesh_received_total{kind="`+name+`"}`); v != want {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
}

// TestBatchElsewhere: a batch over devices here, there and nowhere waits for all at once. One that does
// not acknowledge takes its own wait, and what is known of it.
func TestBatchElsewhere(t *testing.T) { eitherWay(t, testBatchElsewhere) }

func testBatchElsewhere(t *testing.T, _ *fleet, n [3]*Server) {
	var all []<-chan map[string]any
	var lines []string
	want := map[string]string{"silent": "queued", "away": "offline", "nobody": "unknown"}
	for i := range 60 {
		id := fmt.Sprintf("d%d", i)
		all = append(all, at(t, n[i%3], id).acks())
		lines = append(lines, fmt.Sprintf(`{"device":%q,"payload":%d,"wait":20}`, id, i))
		want[id] = "acknowledged"
	}
	at(t, n[1], "silent")
	at(t, n[2], "away").nc.Close()
	eventually(t, "it is away", func() bool { return n[2].registry.Len() == 20 })
	lines = append(lines, `{"device":"silent","payload":1,"wait":0.3}`, `{"devices":["away","nobody"],"payload":1,"wait":0.2}`)
	code, body := batch(t, n[0], lines...)
	var answer struct{ Results []published }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != 200 || len(answer.Results) != 63 {
		t.Fatalf("%d %s", code, body)
	}
	for _, r := range answer.Results {
		if r.Status != want[r.Device] {
			t.Errorf("%s: %s, want %s", r.Device, r.Status, want[r.Device])
		}
	}
	for i, got := range all {
		if m := <-got; m["p"] != float64(i) {
			t.Errorf("d%d got %v", i, m)
		}
	}
}

// TestAckedMeanwhile: a device that was nowhere, comes to another node while the publisher waits, and
// acknowledges there, has acknowledged.
func TestAckedMeanwhile(t *testing.T) { eitherWay(t, testAckedMeanwhile) }

func testAckedMeanwhile(t *testing.T, f *fleet, n [3]*Server) {
	at(t, n[1], "d1").nc.Close()
	eventually(t, "it is away", func() bool { return f.held("d1") == "" })
	answer := make(chan string, 1)
	go func() {
		_, body := post(t, n[0], `{"device":"d1","payload":1,"wait":1}`)
		answer <- body
	}()
	eventually(t, "it is stored", func() bool { info, ok := n[0].store.Lookup([]byte("d1")); return ok && info.Last == 1 })
	p := at(t, n[2], "d1")
	p.awaits("msg")
	p.send(`{"t":"ack","seq":1}`)
	if got := <-answer; !strings.Contains(got, `"acknowledged"`) {
		t.Errorf("got %s", got)
	}
}

// TestLiveElsewhere: live messages find devices by the ring, and those that are not where it says by presence; those
// to one device come in their order.
func TestLiveElsewhere(t *testing.T) {
	f, n := trio(t)
	mine, theirs := f.owned("n1", 1)[0], f.owned("n2", 1)[0]
	right, wrong := at(t, n[1], theirs), at(t, n[2], mine) // the ring says n1, who asks does not have it
	here := at(t, n[0], "here")
	for _, id := range []string{mine, theirs, "here"} {
		body := fmt.Sprintf(`{"device":%q,"class":"live","payload":"x"}`, id)
		if got, want := publish(t, n[0], body), fmt.Sprintf(`{"results":[{"device":%q,"status":"written"}]}`, id); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, p := range []*peer{right, wrong, here} {
		p.gets(`{"t":"msg","p":"x"}`)
	}
	got := publish(t, n[0], fmt.Sprintf(`{"devices":[%q,"nobody",%q,"here"],"class":"live","payload":1}`, theirs, mine))
	want := fmt.Sprintf(`{"results":[{"device":%q,"status":"written"},{"device":"nobody","status":"offline"},{"device":%q,"status":"written"},{"device":"here","status":"written"}]}`, theirs, mine)
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	right.gets(`{"t":"msg","p":1}`)
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf(`{"device":%q,"class":"live","payload":%d}`, theirs, i), fmt.Sprintf(`{"device":%q,"class":"live","payload":%d}`, mine, i))
	}
	if code, body := batch(t, n[0], lines...); code != 200 || strings.Count(body, `"written"`) != 80 {
		t.Errorf("%d %s", code, body)
	}
	for i := range 40 {
		right.gets(fmt.Sprintf(`{"t":"msg","p":%d}`, i))
	}
	if v := metric(t, n[0], `roost_live_results_total{result="written"}`); v != 3+3+80 {
		t.Errorf("%v live messages counted as written", v)
	}
}

// TestCastElsewhere: what is sent to a topic or all reaches the devices of all nodes, with their counts where the
func TestElsewhereOwner(t *testing.T) {
	members := &fleet{}
	members.view.Store(&cluster.View{Members: map[string]cluster.Member{"n1": {Start: 8}, "n2": {Start: 7}, "n3": {}}})
	s := &Server{opt: Options{Node: "n1"}, cluster: &clustered{opt: &Cluster{Members: members}}}
	for owner, want := range map[string]bool{"": false, "n1:7": false, "n1:8": false, "n2:7": true, "n1:x:7": true, "n11:7": true,
		"n2:6": false, "n2:8": true, "n2:18446744073709551615": true, "n3:1": true, "n2": true} {
		if got := s.elsewhere(owner); got != want {
			t.Errorf("%q: %v", owner, got)
		}
	}
	o := presence.Owner{Node: "n:1", Incarnation: 7}
	s.opt.Node = o.Node
	if s.elsewhere(o.String()) {
		t.Errorf("%v is elsewhere", o)
	}
	if n := testing.AllocsPerRun(100, func() { s.elsewhere("n2:1764230400000") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
