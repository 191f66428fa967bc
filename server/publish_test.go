package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"roost/poller"
)

// onBothPaths runs a test with broadcasts through io_uring and through sendto.
func onBothPaths(t *testing.T, f func(t *testing.T, mode poller.IOUringMode)) {
	if probe := poller.ProbeUring(); probe.OK {
		t.Run("io_uring", func(t *testing.T) { f(t, poller.IOUringAuto) })
	} else {
		t.Log("this kernel does not allow io_uring:", probe.Why)
	}
	t.Run("sendto", func(t *testing.T) { f(t, poller.IOUringOff) })
}

func TestPublishToDevice(t *testing.T) {
	s := start(t, nil)
	json1, _ := device(t, s, "device=json", "roost.v1.json")
	bin1, _ := device(t, s, "device=bin", "roost.v1.bin")
	for _, tt := range []struct{ body, answer, json, bin string }{
		{`{"device":"%s","class":"live","payload":{"a": 1}}`, `{"results":[{"device":"%s","status":"written"}]}`, `{"t":"msg","p":{"a":1}}`, "\x02" + `{"a":1}`},
		{`{"device":"%s","class":"live","id":"m1","payload":"x"}`, `{"results":[{"device":"%s","status":"written"}]}`, `{"t":"msg","id":"m1","p":"x"}`, "\x42\x02m1" + `"x"`},
		{`{"device":"%s","class":"live","payload_base64":"AP8="}`, `{"results":[{"device":"%s","status":"written"}]}`, `{"t":"msg","p64":"AP8="}`, "\x02\x00\xff"},
	} {
		for id, p := range map[string]*peer{"json": json1, "bin": bin1} {
			if got, want := publish(t, s, fmt.Sprintf(tt.body, id)), fmt.Sprintf(tt.answer, id); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			p.expect(map[string]string{"json": tt.json, "bin": tt.bin}[id])
		}
	}
	if got := publish(t, s, `{"device":"nobody","class":"live","payload":1}`); got != `{"results":[{"device":"nobody","status":"offline"}]}` {
		t.Errorf("to an absent device: %s", got)
	}
}

// TestBroadcast: everybody, and nobody twice, on both paths, in every variant,
// more receivers than a slice has.
func TestBroadcast(t *testing.T) {
	onBothPaths(t, func(t *testing.T, mode poller.IOUringMode) {
		s := start(t, func(o *Options) { o.IOUring = mode })
		if got := publish(t, s, `{"all":true,"payload":0}`); got != `{"results":[{"all":true,"status":"offline"}]}` {
			t.Errorf("to nobody: %s", got)
		}
		var peers []*peer
		for i := range 600 {
			protocol := []string{"roost.v1.json", "roost.v1.bin"}[i%2]
			p, _ := device(t, s, fmt.Sprintf("device=d%d", i), protocol)
			peers = append(peers, p)
		}
		echo := dial(t, s, "/v1/echo") // no device: gets nothing
		got := publish(t, s, `{"all":true,"wait":10,"payload":{"n":1}}`)
		if want := `{"results":[{"all":true,"status":"written","receivers":600,"counts":{"written":600,"queued":0}}]}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		publish(t, s, `{"all":true,"payload":{"n":2}}`)
		for i, p := range peers {
			for n := 1; n <= 2; n++ {
				p.expect(fmt.Sprintf([]string{`{"t":"msg","p":{"n":%d}}`, "\x02" + `{"n":%d}`}[i%2], n))
			}
		}
		echo.send("still here")
		echo.expect("still here")
	})
}

func TestTopics(t *testing.T) {
	onBothPaths(t, func(t *testing.T, mode poller.IOUringMode) {
		s := start(t, func(o *Options) { o.IOUring = mode })
		var in, out []*peer
		for i := range 60 {
			p, _ := device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
			if i%3 == 0 {
				out = append(out, p)
				continue
			}
			p.send(`{"t":"sub","r":1,"ch":"fw/eu"}`)
			p.expect(`{"t":"res","r":1,"ok":true}`)
			in = append(in, p)
		}
		// One leaves by unsubscribing, one by closing.
		in[0].send(`{"t":"unsub","r":2,"ch":"fw/eu"}`)
		in[0].expect(`{"t":"res","r":2,"ok":true}`)
		in[1].nc.Close()
		eventually(t, "the closed device is gone", func() bool { return s.registry.Len() == 59 })
		if got := publish(t, s, `{"topic":"fw/eu","wait":10,"payload":1}`); !strings.Contains(got, `"receivers":38,"counts":{"written":38,`) {
			t.Errorf("got %s", got)
		}
		publish(t, s, `{"all":true,"payload":2}`)
		for _, p := range in[2:] {
			p.expect(`{"t":"msg","ch":"fw/eu","p":1}`)
			p.expect(`{"t":"msg","p":2}`)
		}
		for _, p := range append(out, in[0]) {
			p.expect(`{"t":"msg","p":2}`)
		}
		if got := publish(t, s, `{"topic":"empty","wait":1,"payload":1}`); !strings.Contains(got, `"offline"`) {
			t.Errorf("to an empty topic: %s", got)
		}
	})
}

// TestBroadcastOrder: many publishers at once; every device gets the same
// messages, each once, and those of one publisher in order.
func TestBroadcastOrder(t *testing.T) {
	onBothPaths(t, func(t *testing.T, mode poller.IOUringMode) {
		s := start(t, func(o *Options) { o.IOUring = mode })
		const devices, publishers, each = 20, 4, 12 // 48 fit the queue of 64
		var peers []*peer
		for i := range devices {
			p, _ := device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
			peers = append(peers, p)
		}
		var wg sync.WaitGroup
		for g := range publishers {
			wg.Go(func() {
				for i := range each {
					if status, a := post(t, s, fmt.Sprintf(`{"all":true,"payload":{"g":%d,"i":%d}}`, g, i)); status != http.StatusOK {
						t.Errorf("%d %s", status, a)
					}
				}
			})
		}
		wg.Wait()
		for _, p := range peers {
			var next [publishers]int
			for range publishers * each {
				var m struct{ P struct{ G, I int } }
				if err := json.Unmarshal(p.read(), &m); err != nil {
					t.Fatal(err)
				}
				if m.P.I != next[m.P.G] {
					t.Fatalf("publisher %d: got %d, want %d", m.P.G, m.P.I, next[m.P.G])
				}
				next[m.P.G]++
			}
		}
	})
}

func TestDeviceInfo(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1&hb=60", "roost.v1.bin")
	p.nc.Write([]byte{0x82, 0x80 | 7, 0, 0, 0, 0, 4, 1, 'f', 'w', '/', 'e', 'u'})
	p.expect("\x26\x01")
	status, body := request(t, s, http.MethodGet, "/v1/devices/d1", "")
	var d struct {
		Online bool
		Node   string
		Topics []string

		Connection map[string]any
	}
	json.Unmarshal([]byte(body), &d)
	if c := d.Connection; status != 200 || !d.Online || d.Node != "n1" || c["protocol"] != "roost.v1.bin" || c["heartbeat_seconds"] != 60.0 ||
		c["address"] != p.nc.LocalAddr().String() || fmt.Sprint(d.Topics) != "[fw/eu]" {
		t.Errorf("%d %s", status, body)
	}
	if status, body := request(t, s, http.MethodGet, "/v1/devices/d2", ""); status != 404 || !strings.Contains(body, `\"d2\"`) {
		t.Errorf("%d %s", status, body)
	}
}

// TestAPIErrors: a problem detail names the field and what to do.
func TestAPIErrors(t *testing.T) {
	s := start(t, nil)
	for _, tt := range []struct {
		body   string
		status int
		field  string
		text   string
	}{
		{``, 400, "", "empty"},
		{`{`, 400, "", "not JSON"},
		{`[]`, 400, "", "want an object"},
		{`{"payload":1}`, 400, "device", "no addressee"},
		{`{"device":"a","all":true,"payload":1}`, 400, "device", "more than one"},
		{`{"device":"a b","payload":1}`, 400, "device", "printable"},
		{`{"topic":"","payload":1}`, 400, "topic", "printable"},
		{`{"all":false,"payload":1}`, 400, "device", "no addressee"},
		{`{"all":true}`, 400, "payload", "missing"},
		{`{"all":true,"payload":1,"payload_base64":""}`, 400, "payload_base64", "both"},
		{`{"all":true,"payload_base64":"*"}`, 400, "payload_base64", "not base64"},
		{`{"all":true,"payload":"` + "\xff" + `"}`, 400, "payload", "not UTF-8"},
		{`{"all":true,"payload":{"k` + "\xc3" + `":1}}`, 400, "payload", "not UTF-8"},
		{`{"all":true,"payload":1,"id":"a b"}`, 400, "id", "printable"},
		{`{"all":true,"payload":1,"class":"latest"}`, 400, "class", "topic"},
		{`{"all":true,"payload":1,"wait":31}`, 400, "wait", "0 to 30"},
		{`{"all":true,"payload":1,"wait":"x"}`, 400, "wait", "number"},
		{`{"all":true,"payload":1,"colour":1}`, 400, "colour", "unknown"},
		{`{"all":true,"payload":1} {}`, 400, "", "more behind"},
		{`{"all":true,"payload":"` + strings.Repeat("x", 65536) + `"}`, 413, "payload", "65538 bytes"},
		{`{"all":true,"payload_base64":"` + strings.Repeat("AAAA", 16400) + `"}`, 413, "payload", "65600 bytes"},
		{`{"all":true,"payload":"` + strings.Repeat("x", 300_000) + `"}`, 413, "", "body is larger"},
	} {
		status, body := post(t, s, tt.body)
		var p struct{ Field, Detail string }
		json.Unmarshal([]byte(body), &p)
		if status != tt.status || p.Field != tt.field || !strings.Contains(p.Detail, tt.text) {
			t.Errorf("%.60s: %d %s; want %d, field %q, %q", tt.body, status, body, tt.status, tt.field, tt.text)
		}
	}
	if status, body := request(t, s, http.MethodGet, "/v1/publish", ""); status != 405 || !strings.Contains(body, "takes POST") {
		t.Errorf("GET: %d %s", status, body)
	}
	if status, body := request(t, s, http.MethodGet, "/nothing", ""); status != 404 || !strings.Contains(body, `/nothing`) {
		t.Errorf("unknown path: %d %s", status, body)
	}
}
