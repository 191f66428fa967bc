package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"roost/server/delivery"
	"roost/server/fanout"
	"roost/server/mesh"
	"roost/server/presence"
)

// trio starts three nodes on one Redis, all in the ring, whose devices connect with hop 3: they stay where they
// are.
func trio(t *testing.T, change ...func(*Options)) (f *fleet, nodes [3]*Server) {
	f = newFleet(t)
	for i := range nodes {
		nodes[i] = f.node(fmt.Sprintf("n%d", i+1), change...)
	}
	f.ring(1, "n1", "n2", "n3")
	f.up(nodes[:]...)
	return f, nodes
}

// at connects a device to a node for good.
func at(t *testing.T, s *Server, id string) *peer {
	t.Helper()
	p, _ := device(t, s, "hop=3&device="+id, "roost.v1.json")
	return p
}

// acks acknowledges every kept message until the connection ends, and passes on what came.
func (p *peer) acks() <-chan map[string]any {
	got := make(chan map[string]any, 1024)
	go func() {
		defer close(got)
		for {
			f, err := p.next()
			if err != nil {
				return
			}
			var m map[string]any
			if json.Unmarshal(f, &m) != nil || m["t"] != "msg" {
				continue
			}
			got <- m
			if seq, kept := m["seq"].(float64); kept {
				if p.write(fmt.Sprintf(`{"t":"ack","seq":%d}`, int(seq))) != nil {
					return
				}
			}
		}
	}()
	return got
}

// TestStatusNumbers: the statuses of kept messages are the same numbers in both packages.
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
func TestKeptElsewhere(t *testing.T) {
	_, n := trio(t)
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
	// The repetition is told too, and what is large is fetched by the other node.
	for name, want := range map[string]float64{"forward": 3, "notice": 2} {
		if v := metric(t, n[1], `roost_mesh_received_total{kind="`+name+`"}`); v != want {
			t.Errorf("%s: %v, want %v", name, v, want)
		}
	}
}

// TestBatchElsewhere: a batch over devices here, there and nowhere waits for all at once. One that does
// not acknowledge takes its own wait, and what is known of it.
func TestBatchElsewhere(t *testing.T) {
	_, n := trio(t)
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
func TestAckedMeanwhile(t *testing.T) {
	f, n := trio(t)
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
func TestCopies(t *testing.T) {
	f, n := trio(t)
	f.hub.SetFault(func(fanout.Flight) fanout.Fault { return fanout.Fault{Copies: 2} })
	p := at(t, n[1], "d1")
	p.send(`{"t":"sub","r":1,"ch":"fw"}`)
	p.gets(`{"t":"res","r":1,"ok":true}`)
	publish(t, n[0], `{"device":"d1","class":"live","payload":1}`)
	publish(t, n[0], `{"device":"d1","payload":2}`)
	publish(t, n[0], `{"topic":"fw","payload":3,"wait":5}`)
	got := map[any]int{} // the kept one is fetched first, so in no order
	for range 3 {
		got[p.awaits("msg")["p"]]++
	}
	if got[1.0] != 1 || got[2.0] != 1 || got[3.0] != 1 {
		t.Errorf("got %v", got)
	}
	p.silent("msg")
}

// TestCutFromOthers: what a node could not be told, because nobody heard it, it finds as soon as it is heard again.
func TestCutFromOthers(t *testing.T) {
	f, n := trio(t)
	p := at(t, n[1], "d1")
	f.hub.Partition([]string{"n2"})
	if got := publish(t, n[0], `{"device":"d1","payload":1}`); got != `{"results":[{"device":"d1","status":"offline","seq":1}]}` {
		t.Errorf("got %s", got)
	}
	if got := publish(t, n[0], `{"device":"d1","class":"live","payload":0}`); !strings.Contains(got, `"offline"`) {
		t.Errorf("live: %s", got)
	}
	f.hub.Partition()
	if m := p.awaits("msg"); m["seq"] != 1.0 {
		t.Errorf("got %v", m)
	}
}

// TestRedisAway: kept messages are refused with 503 and Retry-After, and nothing is accepted; live ones to devices of
// the node go on. When Redis is back, so is everything.
func TestRedisAway(t *testing.T) {
	f, n := trio(t)
	p, q := at(t, n[0], "d1"), at(t, n[1], "d2")
	p.send(`{"t":"sub","r":1,"ch":"fw"}`)
	p.gets(`{"t":"res","r":1,"ok":true}`)
	f.redis.Pause()
	for _, body := range []string{`{"device":"d1","id":"a","payload":1}`, `{"topic":"fw","class":"latest","payload":1}`} {
		resp, err := http.Post("http://"+n[0].APIAddr().String()+"/v1/publish", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", body, resp.StatusCode, resp.Header)
		}
	}
	if got := publish(t, n[0], `{"device":"d1","class":"live","payload":2}`); !strings.Contains(got, `"written"`) {
		t.Errorf("got %s", got)
	}
	if got := publish(t, n[0], `{"topic":"fw","payload":3,"wait":5}`); !strings.Contains(got, `"receivers":1`) {
		t.Errorf("got %s", got)
	}
	p.gets(`{"t":"msg","p":2}`)
	p.gets(`{"t":"msg","ch":"fw","p":3}`)
	f.redis.Resume()
	f.up(n[:]...)
	eventually(t, "kept messages are accepted", func() bool {
		code, _ := post(t, n[0], `{"device":"d2","id":"b","payload":4}`)
		return code == 200
	})
	if m := q.awaits("msg"); m["p"] != 4.0 {
		t.Errorf("got %v", m)
	}
}

// TestRealBus: the same over Redis itself: kept with acknowledgement, live, topic, all.
func TestRealBus(t *testing.T) {
	f := newFleet(t)
	real := func(o *Options) {
		o.Cluster.Bus = func(b fanout.Options) (fanout.Bus, error) {
			return fanout.NewRedis(fanout.RedisOptions{Options: b, Addrs: []string{f.redis.Addr()}})
		}
	}
	a, b := f.node("n1", real), f.node("n2", real)
	f.ring(1, "n1", "n2")
	f.up(a, b)
	p := at(t, b, "d1")
	p.send(`{"t":"sub","r":1,"ch":"fw"}`)
	p.gets(`{"t":"res","r":1,"ok":true}`)
	publish(t, a, `{"topic":"fw","payload":0}`)
	p.gets(`{"t":"msg","ch":"fw","p":0}`)
	got := p.acks()
	for i, body := range []string{`{"device":"d1","payload":1,"wait":10}`, `{"device":"d1","class":"live","payload":2}`,
		`{"topic":"fw","payload":3,"wait":10}`, `{"all":true,"class":"kept","payload":4}`} {
		if r := publish(t, a, body); strings.Contains(r, `"offline"`) || strings.Contains(r, `"refused"`) {
			t.Errorf("%s: %s", body, r)
		}
		if m := <-got; m["p"] != float64(i+1) {
			t.Errorf("%s: got %v", body, m)
		}
	}
}

// TestResyncs: requests are one more look while one is carried out, and of too many topics all is looked at.
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
	if topic, ok := r.take(); topic != "" || !ok {
		t.Errorf("took %q %v", topic, ok)
	}
	if topic, ok := r.take(); ok {
		t.Errorf("then %q", topic)
	}
	r.ask("t1")
	r.ask("")
	r.ask("t2") // all is looked at anyway
	if topic, ok := r.take(); topic != "" || !ok {
		t.Errorf("took %q %v", topic, ok)
	}
	if _, ok := r.take(); ok {
		t.Error("something is left")
	}
	r.ask("t3")
	r.close()
	if _, ok := r.take(); ok {
		t.Error("something is begun after the end")
	}
}

// TestElsewhereOwner: what presence says of an earlier start of this node is not elsewhere.
func TestElsewhereOwner(t *testing.T) {
	s := &Server{opt: Options{Node: "n1"}, cluster: &clustered{}}
	for owner, want := range map[string]bool{"": false, "n1:7": false, "n1:8": false, "n2:7": true, "n1:x:7": true, "n11:7": true} {
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

// batch publishes lines.
func batch(t testing.TB, s *Server, lines ...string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 3 * patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post("http://"+s.APIAddr().String()+"/v1/publish", "application/x-ndjson", strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// gets is expect for a device that may be told to go elsewhere meanwhile.
func (p *peer) gets(want string) {
	p.t.Helper()
	got := p.read()
	for strings.HasPrefix(string(got), `{"t":"away"`) {
		got = p.read()
	}
	if string(got) != want {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}

// next is read for other goroutines than the test's.
func (p *peer) next() ([]byte, error) {
	h, err := gobwas.ReadHeader(p.r)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return nil, err
	}
	if h.OpCode == gobwas.OpClose {
		return nil, io.EOF
	}
	return payload, nil
}

// write is send for them.
func (p *peer) write(msg string) error { return wsutil.WriteClientText(p.nc, []byte(msg)) }
