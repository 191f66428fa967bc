package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// published is one result of a publish.
type published struct {
	Device, Status, Reason string
	Seq                    uint64
	Duplicate              bool
	Receivers              int
	Counts                 map[string]int
}

// results publishes and returns the results.
func results(t testing.TB, s *Server, body string) []published {
	t.Helper()
	var answer struct{ Results []published }
	if err := json.Unmarshal([]byte(publish(t, s, body)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Results
}

// one publishes to one addressee.
func one(t testing.TB, s *Server, body string) published {
	t.Helper()
	r := results(t, s, body)
	if len(r) != 1 {
		t.Fatalf("%s: %d results", body, len(r))
	}
	return r[0]
}

// TestKept walks through the life of kept messages over real sockets; the
// contract itself is tested in server/delivery.
func TestKept(t *testing.T) {
	s := start(t, nil)
	if r := one(t, s, `{"device":"d1","id":"m0","payload":0}`); r.Status != "unknown" {
		t.Errorf("before the device was seen: %+v", r)
	}
	p, w := device(t, s, "device=d1", "roost.v1.json")
	epoch := w["epoch"].(string)
	if r := one(t, s, `{"device":"d1","id":"m1","ttl":60,"payload":1}`); r.Status != "written" || r.Seq != 1 {
		t.Errorf("connected: %+v", r)
	}
	p.expect(`{"t":"msg","seq":1,"ttl":60,"id":"m1","p":1}`)
	if r := one(t, s, `{"device":"d1","id":"m1","ttl":60,"payload":1}`); r.Status != "written" || r.Seq != 1 || !r.Duplicate {
		t.Errorf("repeated: %+v", r)
	}
	p.send(`{"t":"ack","seq":1}`)
	p.nc.Close()
	eventually(t, "the device is away", func() bool { return s.registry.Len() == 0 })
	for i := 2; i <= 40; i++ {
		if r := one(t, s, fmt.Sprintf(`{"device":"d1","payload":%d}`, i)); r.Status != "offline" || r.Seq != uint64(i) {
			t.Fatalf("away: %+v", r)
		}
	}
	p, w = device(t, s, fmt.Sprintf("device=d1&epoch=%s&seq=1&sid=%s", epoch, w["sid"]), "roost.v1.json")
	if w["resumed"] != true || w["seq"] != 40.0 || w["acked"] != 1.0 || w["epoch"] != epoch || w["win"] != 32.0 {
		t.Errorf("welcome back: %v", w)
	}
	for i := 2; i <= 33; i++ {
		p.expect(fmt.Sprintf(`{"t":"msg","seq":%d,"ttl":86400,"p":%d}`, i, i))
	}
	if r := one(t, s, `{"device":"d1","payload":41}`); r.Status != "queued" {
		t.Errorf("window full: %+v", r)
	}
	p.send(`{"t":"hb","seq":33}`)
	for i := 34; i <= 41; i++ {
		p.expect(fmt.Sprintf(`{"t":"msg","seq":%d,"ttl":86400,"p":%d}`, i, i))
	}
	p.expect(fmt.Sprintf(`{"t":"hb","spread":%d}`, s.spread()))
	p.send(`{"t":"ack","seq":42}`)
	p.expectClose(4304)
	if status, body := request(t, s, http.MethodGet, "/debug/consistency", ""); status != 200 || !strings.Contains(body, `"in_flight":8`) {
		t.Errorf("consistency: %d %s", status, body)
	}
}

// TestKeptToAll: to everybody who is known, once stored, and each with a number
// of its own.
func TestKeptToAll(t *testing.T) {
	s := start(t, nil)
	var peers []*peer
	for i := range 300 {
		p, _ := device(t, s, fmt.Sprintf("device=d%d", i), []string{"roost.v1.json", "roost.v1.bin"}[i%2])
		peers = append(peers, p)
	}
	one(t, s, `{"device":"d0","payload":"first"}`)
	peers[0].expect(`{"t":"msg","seq":1,"ttl":86400,"p":"first"}`)
	peers[299].nc.Close()
	eventually(t, "one is away", func() bool { return s.registry.Len() == 299 })
	r := one(t, s, `{"all":true,"class":"kept","id":"b1","ttl":60,"payload":"all"}`)
	if r.Receivers != 300 {
		t.Errorf("%+v", r)
	}
	for i, p := range peers[:299] {
		seq := 1
		if i == 0 {
			seq = 2
		}
		if i%2 == 0 {
			p.expect(fmt.Sprintf(`{"t":"msg","seq":%d,"ttl":60,"id":"b1","p":"all"}`, seq))
			p.send(fmt.Sprintf(`{"t":"ack","seq":%d}`, seq))
		} else {
			p.expect("\xc2" + string(rune(seq)) + "\x3c\x02b1" + `"all"`)
			p.nc.Write([]byte{0x82, 0x82, 0, 0, 0, 0, 3, byte(seq)})
		}
	}
	if r := one(t, s, `{"all":true,"class":"kept","id":"b1","ttl":60,"payload":"all"}`); !r.Duplicate || r.Receivers != 300 {
		t.Errorf("repeated: %+v", r)
	}
	p, _ := device(t, s, "device=d299")
	p.expect(`{"t":"msg","seq":1,"ttl":60,"id":"b1","p":"all"}`)
	p.send(`{"t":"ack","seq":1}`)
	if r := one(t, s, `{"device":"d299","payload":"wait","wait":0.01}`); r.Status != "written" {
		t.Errorf("not acknowledged: %+v", r)
	}
	p.expect(`{"t":"msg","seq":2,"ttl":86400,"p":"wait"}`)
	p.send(`{"t":"ack","seq":2}`)
	eventually(t, "all is acknowledged", func() bool { return s.store.Counts().InFlight == 0 })
	if problems := s.store.Check(); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestTopicsLast: subscriptions belong to the device, latest values to the topic.
func TestTopicsLast(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1")
	one(t, s, `{"topic":"fw","class":"latest","payload":"v1"}`)
	p.send(`{"t":"sub","r":1,"ch":"fw"}`)
	p.expect(`{"t":"res","r":1,"ok":true}`)
	p.expect(`{"t":"msg","ch":"fw","p":"v1"}`)
	one(t, s, `{"topic":"fw","class":"latest","payload":"v2"}`)
	p.expect(`{"t":"msg","ch":"fw","p":"v2"}`)
	p.nc.Close()
	eventually(t, "the device is away", func() bool { return s.registry.Len() == 0 })
	if r := one(t, s, `{"topic":"fw","class":"kept","payload":"k"}`); r.Receivers != 1 {
		t.Errorf("kept to a topic: %+v", r)
	}
	p, _ = device(t, s, "device=d1&topic=other")
	p.expect(`{"t":"msg","ch":"fw","p":"v2"}`)
	p.expect(`{"t":"msg","seq":1,"ttl":86400,"ch":"fw","p":"k"}`)
	eventually(t, "the claim is stored", func() bool { i, _ := s.store.Lookup([]byte("d1")); return len(i.Topics) == 2 })
	if status, _ := request(t, s, http.MethodDelete, "/v1/devices/d1/topics/fw", ""); status != 204 {
		t.Errorf("taken out by the API: %d", status)
	}
	one(t, s, `{"topic":"fw","payload":"nobody"}`)
	one(t, s, `{"topic":"other","payload":"me"}`)
	p.expect(`{"t":"msg","ch":"other","p":"me"}`)
}

// TestRemoveAndDisconnect: an operator sends a device away, for now or for good.
func TestRemoveAndDisconnect(t *testing.T) {
	s := start(t, nil)
	p, w := device(t, s, "device=d1")
	if status, body := request(t, s, http.MethodDelete, "/v1/devices/d1/connection", ""); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	p.expectClose(4003)
	one(t, s, `{"device":"d1","payload":1}`)
	p, again := device(t, s, "device=d1")
	p.expect(`{"t":"msg","seq":1,"ttl":86400,"p":1}`)
	if status, body := request(t, s, http.MethodDelete, "/v1/devices/d1", ""); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	p.expectClose(4305)
	if r := one(t, s, `{"device":"d1","payload":1}`); r.Status != "unknown" {
		t.Errorf("removed: %+v", r)
	}
	_, w3 := device(t, s, fmt.Sprintf("device=d1&epoch=%s&seq=1", again["epoch"]))
	if w["epoch"] != again["epoch"] || w3["epoch"] == w["epoch"] || w3["resumed"] != false || w3["seq"] != 0.0 {
		t.Errorf("after removal: %v, %v, %v", w, again, w3)
	}
	if status, body := request(t, s, http.MethodGet, "/debug/consistency", ""); status != 200 || !strings.Contains(body, `"removed":1`) {
		t.Errorf("consistency: %d %s", status, body)
	}
}

// TestEvents: a listener sees devices come, speak and go.
func TestEvents(t *testing.T) {
	s := start(t, nil)
	resp, err := http.Get("http://" + s.APIAddr().String() + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return ""
	}
	p, w := device(t, s, "device=d1")
	if got := next(); !strings.Contains(got, `"online"`) || !strings.Contains(got, `"d1"`) {
		t.Errorf("online: %s", got)
	}
	p.send(`{"t":"up","ch":"state","p":{"battery":7}}`)
	if got := next(); !strings.Contains(got, `"up"`) || !strings.Contains(got, `{"battery":7}`) {
		t.Errorf("up: %s", got)
	}
	q, _ := device(t, s, "device=d1&sid="+w["sid"].(string)) // no event: it was online all the time
	q.nc.Close()
	if got := next(); !strings.Contains(got, `"offline"`) {
		t.Errorf("offline: %s", got)
	}
}

// TestNoCrossOriginPublish: a foreign page in a browser cannot publish.
func TestNoCrossOriginPublish(t *testing.T) {
	s := start(t, nil)
	req, _ := http.NewRequest(http.MethodPost, "http://"+s.APIAddr().String()+"/v1/publish", strings.NewReader(`{"all":true,"payload":1}`))
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Content-Type", "text/plain")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d, want 403", resp.StatusCode)
	}
}
