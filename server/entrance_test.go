package server

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roost/server/admission"
	"roost/server/client"
	"roost/server/wire"
)

// limited starts a node with limits, for which time stands still.
func limited(t *testing.T, l admission.Limits, change ...func(*Options)) *Server {
	t.Helper()
	return start(t, func(o *Options) {
		o.Connects, o.clock = l, func() time.Duration { return time.Minute }
		for _, f := range change {
			f(o)
		}
	})
}

// turnedAway sends a request for an upgrade and returns the head of the answer, which has to be a refusal with a time.
func turnedAway(t *testing.T, s *Server, status, request string) string {
	t.Helper()
	got := exchange(t, s, request)
	if !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") || !strings.Contains(got, "\r\nRetry-After: ") {
		t.Errorf("got %q, want %s with a time", got, status)
	}
	return got
}

// TestAloneHasAGate: a node by itself refuses what is above its budget with a slot, hops or not, and nothing of other kinds; without a limit it takes all.
func TestAloneHasAGate(t *testing.T) {
	s := limited(t, admission.Limits{Node: 2})
	s.Takes(10_000) // it can, and may not
	if got := metric(t, s, "roost_connects_budget"); got != 2 {
		t.Errorf("budget %v", got)
	}
	device(t, s, "device=first", "roost.v1.json")
	turnedAway(t, s, "503", upgradeRequest("/v1/connect?device=second"))
	turnedAway(t, s, "503", upgradeRequest("/v1/connect?device=third&hop=1"))
	if got := metric(t, s, "roost_put_off_total"); got != 2 {
		t.Errorf("%v were counted", got)
	}
	if code, _ := status(t, s, "/healthz"); code != "200" {
		t.Errorf("healthz %s", code)
	}
	dial(t, s, "/v1/echo")
	free := limited(t, admission.Limits{})
	free.Takes(1)
	for i := range 20 {
		device(t, free, fmt.Sprint("device=d", i), "roost.v1.json")
	}
}

// TestSpreadAlone: devices are told to come back over as long as the node's limit makes it.
func TestSpreadAlone(t *testing.T) {
	s := limited(t, admission.Limits{Node: 1})
	if got := s.spread(); got != 1000 {
		t.Errorf("nobody here: %d ms", got)
	}
	device(t, s, "device=d1", "roost.v1.json")
	if got := s.spread(); got != 1600 {
		t.Errorf("one of one a second: %d ms", got)
	}
	s.Takes(50_000)
	if got, want := limited(t, admission.Limits{Node: 50_000}).spread(), 1000; got != want {
		t.Errorf("%d ms", got)
	}
}

// TestAddressLimit: a client's address has its burst, then 429; others, this machine and a proxy that names nobody go on.
func TestAddressLimit(t *testing.T) {
	s := limited(t, admission.Limits{Address: 2}, func(o *Options) { o.Proxy.Mode = ProxyOptional })
	one, other := "PROXY TCP4 203.0.113.7 192.0.2.1 51000 443\r\n", "PROXY TCP4 203.0.113.8 192.0.2.1 51000 443\r\n"
	for i := range 4 {
		connectRaw(t, s, one+upgradeRequest(fmt.Sprint("/v1/connect?device=d", i)))
	}
	turnedAway(t, s, "429", one+upgradeRequest("/v1/connect?device=more"))
	turnedAway(t, s, "429", one+upgradeRequest("/v1/echo"))
	for i, head := range []string{other, localV2, "PROXY UNKNOWN\r\n", "", "", "", "", "", ""} {
		if _, got := connectRaw(t, s, head+upgradeRequest(fmt.Sprint("/v1/connect?device=e", i))); !strings.HasPrefix(got, "HTTP/1.1 101 ") {
			t.Errorf("%q: %q", head, got)
		}
	}
	if got := metric(t, s, `roost_connects_limited_total{by="address"}`); got != 2 {
		t.Errorf("%v were counted", got)
	}
}

// TestDeviceLimit: a device that connects faster than it may hears when it may; another one goes on, and who is put off by the gate has not connected.
func TestDeviceLimit(t *testing.T) {
	s := limited(t, admission.Limits{Device: 0.1, Node: 1000})
	for range 5 {
		device(t, s, "device=d1", "roost.v1.json")
	}
	if got := turnedAway(t, s, "429", upgradeRequest("/v1/connect?device=d1&hop=1")); !strings.Contains(got, "\r\nRetry-After: 10\r\n") {
		t.Errorf("got %q", got)
	}
	device(t, s, "device=d2", "roost.v1.json")
	g := &s.entrance.gate
	g.mu.Lock()
	g.free = 0
	g.mu.Unlock()
	for range 20 {
		turnedAway(t, s, "503", upgradeRequest("/v1/connect?device=d3"))
	}
	g.mu.Lock()
	g.free = 100
	g.mu.Unlock()
	device(t, s, "device=d3", "roost.v1.json")
	if got := metric(t, s, `roost_connects_limited_total{by="device"}`); got != 1 {
		t.Errorf("%v were counted", got)
	}
}

// sharedText is what loops write and a test reads.
type sharedText struct {
	mu sync.Mutex // covers the following
	b  strings.Builder
}

func (x *sharedText) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *sharedText) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// TestFightIsNamed: two clients with one id end each other's connections until the device is kept out: the log names it, once, and
// who has the connection then keeps it.
func TestFightIsNamed(t *testing.T) {
	var log sharedText
	var seconds atomic.Int64
	s := limited(t, admission.Usual, func(o *Options) {
		o.Log, o.clock = slog.New(slog.NewTextHandler(&log, nil)), func() time.Duration { return time.Duration(seconds.Load()) * time.Second }
	})
	var last *peer
	for i := range admission.MostInMinute {
		seconds.Add(1)
		next, _ := device(t, s, "device=twin", "roost.v1.json")
		if i > 0 {
			last.expectClose(4303)
		}
		last = next
	}
	for range 3 {
		if got := turnedAway(t, s, "429", upgradeRequest("/v1/connect?device=twin")); !strings.Contains(got, "\r\nRetry-After: 300\r\n") {
			t.Errorf("got %q", got)
		}
	}
	last.send(`{"t":"hb"}`)
	last.awaits("hb")
	if got := metric(t, s, `roost_quarantines_total{why="takeover"}`); got != 1 {
		t.Errorf("%v quarantines", got)
	}
	if got := metric(t, s, `roost_connects_limited_total{by="quarantine"}`); got != 3 {
		t.Errorf("%v refused", got)
	}
	if n := strings.Count(log.text(), "fought for"); n != 1 || !strings.Contains(log.text(), "device=twin for=5m0s connects_in_a_minute=15 others_ended=13 from=127.0.0.1:") {
		t.Errorf("logged %d times: %s", n, log.text())
	}
}

// TestFlappingIsNamed: a device that goes on with its session, again and again, is no fight.
func TestFlappingIsNamed(t *testing.T) {
	var seconds atomic.Int64
	s := limited(t, admission.Usual, func(o *Options) {
		o.clock = func() time.Duration { return time.Duration(seconds.Load()) * time.Second }
	})
	query := "device=flaps"
	for range admission.MostInMinute {
		seconds.Add(1)
		_, w := device(t, s, query, "roost.v1.json")
		query = "device=flaps&sid=" + w["sid"].(string)
	}
	turnedAway(t, s, "429", upgradeRequest("/v1/connect?"+query))
	if got := metric(t, s, `roost_quarantines_total{why="flapping"}`); got != 1 {
		t.Errorf("%v quarantines", got)
	}
}

// TestNameLimit: the log names so many devices in a minute and says that there are more, once.
func TestNameLimit(t *testing.T) {
	var l nameLimit
	for _, now := range []time.Duration{0, time.Minute} {
		said, lasts := 0, 0
		for range 1000 {
			ok, last := l.take(now)
			if ok {
				said++
			}
			if last {
				lasts++
			}
		}
		if said != namedInMinute || lasts != 1 {
			t.Errorf("at %v: %d named, %d times the last", now, said, lasts)
		}
	}
}

// TestBrowserHearsItsSlot: a browser, which sees no Retry-After, is told the same by an away before the close, in the form
// that it speaks.
func TestBrowserHearsItsSlot(t *testing.T) {
	s := limited(t, admission.Limits{Device: 0.1})
	for range 5 {
		device(t, s, "device=page", "roost.v1.json")
	}
	ask := func(target, protocol string) string {
		return exchange(t, s, upgradeRequest(target, "Origin: http://localhost", "Sec-WebSocket-Protocol: "+protocol)+maskedClose)
	}
	for protocol, want := range map[string]string{
		"roost.v1.json": `{"t":"away","code":4101,"in":10000}` + "\x88",
		"roost.v1.bin":  "\x82\x05\x0b\x85\x20\x90\x4e\x88",
	} {
		if got := ask("/v1/connect?device=page", protocol); !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.Contains(got, want) || !strings.Contains(got, "\x10\x05this device connects") {
			t.Errorf("%s: got %q", protocol, got)
		}
	}
	for _, other := range []string{ask("/v1/connect?device=page", "mqtt"), ask("/v1/connect?device=a%20b", "roost.v1.json")} { // not ours; no time to come back
		if strings.Contains(other, "away") || strings.Contains(other, "\x0b") {
			t.Errorf("got %q", other)
		}
	}
}

// maskedClose is the close frame of a client, 1000.
const maskedClose = "\x88\x82\x00\x00\x00\x00\x03\xe8"

// TestFightAcrossNodes: what a device's other client has at another node is a living connection too; a device that goes from node to
// node with its session ends nobody's.
func TestFightAcrossNodes(t *testing.T) {
	f := newFleet(t)
	var seconds atomic.Int64
	change := func(o *Options) {
		o.Connects, o.clock = admission.Usual, func() time.Duration { return time.Duration(seconds.Load()) * time.Second }
	}
	a, b := f.node("n1", change), f.node("n2", change)
	f.ring(1, "n1", "n2")
	f.up(a, b)
	for _, tt := range []struct {
		device, why string
		sid         bool
	}{{"twin", "takeover", false}, {"wanders", "flapping", true}} {
		query := "device=" + tt.device
		for i := range 2 * admission.MostInMinute {
			seconds.Add(int64((i + 1) % 2))
			_, w := device(t, []*Server{a, b}[i%2], query, "roost.v1.json")
			if tt.sid {
				query = "device=" + tt.device + "&sid=" + w["sid"].(string)
			}
		}
		for _, s := range []*Server{a, b} {
			turnedAway(t, s, "429", upgradeRequest("/v1/connect?"+query))
			if got := metric(t, s, `roost_quarantines_total{why="`+tt.why+`"}`); got != 1 {
				t.Errorf("%s at %s: %v quarantines", tt.device, s.opt.Node, got)
			}
		}
	}
}

// TestRulesKeepOutOfQuarantine: a client that keeps the protocol's rules does not come to 15 connects in a minute, however its connections
// end: at once after the welcome, cut or sent away, or just when it forgets its failures.
func TestRulesKeepOutOfQuarantine(t *testing.T) {
	w := wire.Welcome{SID: []byte("0123456789abcdef"), Epoch: "e", Win: 32, Heartbeat: 30_000, Back: wire.Back{Base: 1_000, Max: 120_000}, Spread: 1_000}
	welcome, beat := wire.AppendWelcome(nil, wire.JSON, &w), wire.AppendHeartbeat(nil, wire.JSON, 1_000, 0, wire.Ring{})
	var down wire.Down
	for name, live := range map[string]func(v *client.Session, c client.Conn, now time.Duration) (time.Duration, client.Next){
		"cut at once": func(v *client.Session, c client.Conn, now time.Duration) (time.Duration, client.Next) {
			return now, v.OnLost(c, now)
		},
		"sent away at once": func(v *client.Session, c client.Conn, now time.Duration) (time.Duration, client.Next) {
			return now, v.OnClosed(c, now, 4003, "")
		},
		"cut when it is good": func(v *client.Session, c client.Conn, now time.Duration) (time.Duration, client.Next) {
			for end := now + 10*time.Second; now < end; {
				now = max(now, min(v.NextDeadline(), end))
				if said, _ := v.OnTime(now, nil); len(said) > 0 {
					v.OnMessage(c, now, beat, &down)
				}
			}
			return now, v.OnLost(c, now)
		},
	} {
		most, refused := 0, 0
		for seed := range uint64(500) {
			d := admission.NewDevices(admission.Usual.Device, admission.Usual.Quarantine)
			var v client.Session
			v.Init(fmt.Sprintf("dev-%d", seed), wire.JSON, client.Saved{}, seed)
			for now := time.Duration(0); now < 20*time.Minute; {
				c := v.Begin()
				after, why := d.Look(now, 1, false)
				if why != admission.LetIn {
					refused++
					now += v.OnDialFailed(c, now, time.Duration(after)*time.Second).After
					continue
				}
				q, began := d.Count(now, 1, false)
				if most = max(most, q.Connects); began {
					t.Fatalf("%s, seed %d: kept out after %v: %+v", name, seed, now, q)
				}
				v.OnMessage(c, now, welcome, &down)
				end, next := live(&v, c, now)
				now = end + next.After
			}
		}
		t.Logf("%s: %d connects in a minute at most, %d refused", name, most, refused)
	}
}
