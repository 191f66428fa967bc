package server

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"

	"github.com/gobwas/ws/wsutil"
	"roost/server/inbox"
)

func TestWelcome(t *testing.T) {
	s := start(t, nil)
	for _, protocol := range []string{"roost.v1.json", "roost.v1.bin"} {
		_, w := device(t, s, "device=d-"+protocol+"&hb=120", protocol)
		if len(w["sid"].(string)) != 16 || w["hb"] != 120000.0 || w["resumed"] != false || w["node"] != "n1" ||
			w["max"] != 65536.0 || w["spread"].(float64) < 1000 {
			t.Errorf("%s: welcome %v", protocol, w)
		}
	}
}

// TestWithoutSubprotocol: a client that offers none speaks JSON, and is told of
// none.
func TestWithoutSubprotocol(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1")
	p.send(`{"t":"hb"}`)
	p.expect(fmt.Sprintf(`{"t":"hb","spread":%d}`, s.spread()))
	if a := exchange(t, s, upgradeRequest("/v1/connect?device=d2")+"\x88\x80\x00\x00\x00\x00"); strings.Contains(a, "Sec-WebSocket-Protocol") {
		t.Errorf("a subprotocol was answered to a client that offered none: %q", a)
	}
}

func TestDeviceMessages(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	for _, step := range []struct{ send, want string }{
		{`{"t":"hb"}`, fmt.Sprintf(`{"t":"hb","spread":%d}`, s.spread())},
		{`{"t":"sub","r":1,"ch":"fw/eu"}`, `{"t":"res","r":1,"ok":true}`},
		{`{"t":"sub","r":2,"ch":"fw/eu"}`, `{"t":"res","r":2,"ok":true}`},
		{`{"t":"unsub","r":3,"ch":"other"}`, `{"t":"res","r":3,"ok":true}`},
		{`{"t":"unsub","r":4,"ch":"fw/eu"}`, `{"t":"res","r":4,"ok":true}`},
		{`{"t":"dance"}`, `{"t":"err","code":"unknown","text":"unknown type \"dance\""}`},
		{`{"t":"hb"`, `{"t":"err","code":"malformed","text":"byte 9: want ',' or '}', got the end"}`},
		{`{"t":"auth","token":"x"}`, `{"t":"err","code":"auth","text":"this node takes no tokens (auth none)"}`},
		{`{"t":"up","ch":"a","p":1}{"t":"hb"}`, `{"t":"err","code":"malformed","text":"byte 25: want the end, got '{'"}`},
		{`{"t":"hb"}`, fmt.Sprintf(`{"t":"hb","spread":%d}`, s.spread())}, // and it goes on
	} {
		p.send(step.send)
		p.expect(step.want)
	}
	wsutil.WriteClientMessage(p.nc, gobwas.OpPing, []byte("are you there"))
	if f := p.frame(); f.Header.OpCode != gobwas.OpPong || string(f.Payload) != "are you there" {
		t.Errorf("ping was answered with %+v", f)
	}
}

func TestSubscriptionLimit(t *testing.T) {
	s := start(t, nil)
	p, _ := device(t, s, "device=d1", "roost.v1.json")
	for i := range inbox.MaxSubscriptions {
		p.send(fmt.Sprintf(`{"t":"sub","r":1,"ch":"c%d"}`, i))
		p.expect(`{"t":"res","r":1,"ok":true}`)
	}
	p.send(`{"t":"sub","r":2,"ch":"one-more"}`)
	if got := string(p.read()); !strings.Contains(got, `"ok":false,"code":"limit"`) {
		t.Errorf("got %s", got)
	}
}

func TestDeviceCloses(t *testing.T) {
	s := start(t, nil)
	for name, tt := range map[string]struct {
		send func(p *peer)
		code int
	}{
		"ack without anything sent":   {func(p *peer) { p.send(`{"t":"ack","seq":1}`) }, 4304},
		"binary on a JSON connection": {func(p *peer) { wsutil.WriteClientBinary(p.nc, []byte{0}) }, 4304},
		"unmasked frame":              {func(p *peer) { wsutil.WriteServerText(p.nc, []byte(`{"t":"hb"}`)) }, 1002},
		"text that is not UTF-8":      {func(p *peer) { wsutil.WriteClientText(p.nc, []byte{0xff}) }, 1007},
		"message above 64 KiB":        {func(p *peer) { wsutil.WriteClientText(p.nc, make([]byte, maxInbound+1)) }, 1009},
		"close":                       {func(p *peer) { wsutil.WriteClientMessage(p.nc, gobwas.OpClose, gobwas.NewCloseFrameBody(3999, "bye")) }, 3999},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := device(t, s, "device=d-"+strings.ReplaceAll(name, " ", "-"), "roost.v1.json")
			tt.send(p)
			p.expectClose(tt.code)
		})
	}
}

// TestTakeover: the same device again replaces the old connection, with 4002
// for its own session and 4303 for a stranger.
func TestTakeover(t *testing.T) {
	s := start(t, nil)
	first, w1 := device(t, s, "device=d1")
	second, w2 := device(t, s, "device=d1&sid="+w1["sid"].(string))
	first.expectClose(4002)
	if w2["sid"] != w1["sid"] || w2["resumed"] != true {
		t.Errorf("the session did not go on: %v then %v", w1, w2)
	}
	third, w3 := device(t, s, "device=d1")
	second.expectClose(4303)
	if w3["sid"] == w1["sid"] {
		t.Errorf("a stranger got the session: %v", w3)
	}
	if got := publish(t, s, `{"device":"d1","class":"live","payload":7}`); !strings.Contains(got, `"written"`) {
		t.Errorf("publish after takeovers: %s", got)
	}
	third.expect(`{"t":"msg","p":7}`)
	if n := s.registry.Len(); n != 1 {
		t.Errorf("%d devices registered, want 1", n)
	}
}

func TestHeartbeatTimeout(t *testing.T) {
	s := start(t, func(o *Options) {
		o.timing = defaultTiming
		o.timing.heartbeat = 10 * time.Millisecond // so hb=30 is 300 ms
	})
	quiet, _ := device(t, s, "device=quiet&hb=30")
	loud, _ := device(t, s, "device=loud&hb=30")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 12 {
			time.Sleep(100 * time.Millisecond) // the device's own pace, not a wait for a state
			wsutil.WriteClientText(loud.nc, []byte(`{"t":"hb"}`))
		}
	}()
	quiet.expectClose(4103)
	<-done
	for range 12 {
		loud.read()
	}
	quiet.nc.Close()
	eventually(t, "the close is counted as 4103", func() bool { return metric(t, s, `roost_closed_total{code="4103"}`) == 1 })
}

func TestUpgradeTimeout(t *testing.T) {
	s := start(t, func(o *Options) {
		o.timing = defaultTiming
		o.timing.upgrade = 200 * time.Millisecond
	})
	if a := exchange(t, s, "GET /v1/connect HT"); !strings.HasPrefix(a, "HTTP/1.1 408 ") {
		t.Errorf("got %q", a)
	}
	if metric(t, s, "roost_upgrade_timeouts_total") != 1 {
		t.Error("not counted")
	}
}

func TestRequests(t *testing.T) {
	s := start(t, nil)
	for name, tt := range map[string]struct{ request, want string }{
		"health":              {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"},
		"nothing there":       {"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
		"plain GET":           {"GET /v1/connect HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426 "},
		"no device":           {upgradeRequest("/v1/connect"), "HTTP/1.1 400 "},
		"bad device":          {upgradeRequest("/v1/connect?device=a%20b"), "HTTP/1.1 400 "},
		"bad escape":          {upgradeRequest("/v1/connect?device=%zz"), "HTTP/1.1 400 "},
		"bad sid":             {upgradeRequest("/v1/connect?device=d&sid=xyz"), "HTTP/1.1 400 "},
		"heartbeat too short": {upgradeRequest("/v1/connect?device=d&hb=29"), "HTTP/1.1 400 "},
		"heartbeat too long":  {upgradeRequest("/v1/connect?device=d&hb=301"), "HTTP/1.1 400 "},
		"unknown subprotocol": {upgradeRequest("/v1/connect?device=d", "Sec-WebSocket-Protocol: mqtt"), "HTTP/1.1 400 "},
		"old version":         {strings.Replace(upgradeRequest("/v1/connect?device=d"), "13", "8", 1), "HTTP/1.1 426 "},
		"post":                {"POST /v1/connect HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "},
		"not HTTP":            {"\x16\x03\x01\x02\x00\x01", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			if a := exchange(t, s, tt.request); !strings.HasPrefix(a, tt.want) {
				t.Errorf("got %q, want %q", a, tt.want)
			}
		})
	}
}

// TestBrowserIsTold: a browser cannot read a refused upgrade, so its request is
// upgraded and closed with the code.
func TestBrowserIsTold(t *testing.T) {
	s := start(t, nil)
	a := exchange(t, s, upgradeRequest("/v1/connect", "Origin: http://localhost", "Sec-WebSocket-Protocol: roost.v1.json"))
	if !strings.HasPrefix(a, "HTTP/1.1 101 ") || !strings.Contains(a, "\x10\xd0") { // 4304
		t.Errorf("got %q", a)
	}
}

// TestRequestInPieces sends the request, and the first frame right behind it,
// byte by byte and all at once.
func TestRequestInPieces(t *testing.T) {
	s := start(t, nil)
	frame := string(gobwas.MustCompileFrame(gobwas.MaskFrameInPlace(gobwas.NewTextFrame([]byte("hello")))))
	for name, size := range map[string]int{"bytes": 1, "at once": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			nc, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			for all := upgradeRequest("/v1/echo") + frame; len(all) > 0; {
				n := min(size, len(all))
				if _, err := nc.Write([]byte(all[:n])); err != nil {
					t.Fatal(err)
				}
				all = all[n:]
			}
			var got strings.Builder
			buf := make([]byte, 1024)
			for !strings.HasSuffix(got.String(), "\x81\x05hello") {
				n, err := nc.Read(buf)
				if err != nil {
					t.Fatalf("%v after %q", err, got.String())
				}
				got.Write(buf[:n])
			}
		})
	}
}
