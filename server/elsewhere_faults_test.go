package server

import (
	"net/http"
	"strings"
	"testing"

	"roost/server/fanout"
)

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

// TestPartOfARequest: of a request that is refused because one device cannot be written the others get what was stored for
// them, wherever they are connected; with the repetition nobody gets it twice.
func TestPartOfARequest(t *testing.T) {
	eitherWay(t, func(t *testing.T, f *fleet, n [3]*Server) {
		here, there, _ := at(t, n[0], "here"), at(t, n[1], "there"), at(t, n[2], "bad")
		f.redis.Text("SET", "inbox:{bad}", "no list")
		const body = `{"devices":["here","there","bad"],"id":"k","payload":1}`
		if code, got := post(t, n[0], body); code != 503 {
			t.Fatalf("%d %s", code, got)
		}
		for _, p := range []*peer{here, there} {
			if m := p.awaits("msg"); m["seq"] != 1.0 {
				t.Errorf("got %v", m)
			}
		}
		f.redis.Text("DEL", "inbox:{bad}")
		code, got := post(t, n[0], body)
		if code != 200 || strings.Count(got, `"duplicate":true`) != 2 {
			t.Errorf("%d %s", code, got)
		}
		here.silent("msg")
		there.silent("msg")
	})
}
