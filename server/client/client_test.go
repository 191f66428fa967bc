package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

// device is a Client under test, in a bubble with virtual time.
type device struct {
	*Client
	t      *testing.T
	node   *fakeNode
	cancel context.CancelFunc
	ended  chan error

	mu     sync.Mutex
	got    []string // payloads
	states []State
}

// start runs a client against a node. What opt leaves out is filled in.
func start(t *testing.T, n *fakeNode, opt Options) *device {
	d := &device{t: t, node: n, ended: make(chan error, 1)}
	opt.URL, opt.Device, opt.Dial = "ws://roost.example", "dev-1", n.dial
	told := opt.OnMessage
	opt.OnMessage = func(m Message) {
		if told != nil {
			told(m)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.got = append(d.got, string(m.Payload))
	}
	opt.OnState = func(s State) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.states = append(d.states, s)
	}
	c, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, d.cancel = context.WithCancel(context.Background())
	d.Client = c
	go func() { d.ended <- c.Run(ctx) }()
	return d
}

// stop ends the client and everything else in the bubble.
func (d *device) stop() error {
	d.cancel()
	err := <-d.ended
	d.node.wg.Wait()
	return err
}

func (d *device) wantGot(want ...string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.got, want) {
		d.t.Errorf("the application got %q, want %q", d.got, want)
	}
}

func (d *device) phases() (list []Phase) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.states {
		list = append(list, s.Phase)
	}
	return list
}

func TestClientDelivers(t *testing.T) {
	for f := range wire.Formats {
		for _, deflate := range []bool{false, true} {
			t.Run(fmt.Sprint(f, deflate), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testDelivers(t, f, deflate) })
			})
		}
	}
}

func testDelivers(t *testing.T, f wire.Format, deflate bool) {
	n := newNode(t, func(p *peer) {
		p.welcome(defaultWelcome("k9", 41))
		p.keep("1")
		p.keep("2")
		p.send(wire.AppendMessage(nil, p.form, &wire.Message{Channel: []byte("all"), Payload: []byte{0, 255}, Raw: true}))
		p.send(wire.AppendSkip(nil, p.form, 50, "ttl"))
		p.raw(ws.AppendFrame(nil, ws.OpPing, []byte("are you there")))
		if s := p.next(); s.up.Op != 31 || string(s.up.Payload) != "are you there" {
			t.Errorf("ping was answered with %+v", s)
		}
		// By an ack, or by a heartbeat that is due before that.
		for s := p.next(); s.up.Seq != 50; s = p.next() {
			if s.code != 0 {
				t.Errorf("it was not acknowledged: %+v", s)
				return
			}
		}
		p.end()
	})
	var kept []Message
	skips := make(chan Skip, 1)
	d := start(t, n, Options{Protocol: f, Deflate: deflate, Heartbeat: time.Minute, OnSkip: func(s Skip) { skips <- s },
		OnMessage: func(m Message) { kept = append(kept, m) }})
	if s := <-skips; s != (Skip{43 + 1, 50, "ttl"}) {
		t.Errorf("skip %+v", s)
	}
	time.Sleep(time.Second)
	d.wantGot("1", "2", "\x00\xff")
	if m := kept[1]; m.Seq != 43 || m.TTL != 60 || m.ID != "id-2" || m.Topic != "" || kept[2].Topic != "all" || kept[2].Seq != 0 {
		t.Errorf("got %+v", kept)
	}
	if s := d.State(); s.Phase != Connected || s.Node != "n1" || !s.Resumed {
		t.Errorf("state %+v", s)
	}
	if err := d.stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if q := n.dialedAt(0); q.query != "/v1/connect?device=dev-1&hb=60" || q.addr != "roost.example:80" {
		t.Errorf("dialed %+v", q)
	}
	if want := []Phase{Connecting, Connected}; !slices.Equal(d.phases(), want) {
		t.Errorf("phases %v", d.phases())
	}
}

// TestClientAcknowledgesWhatIsHandled: rule 4. While the application is busy,
// heartbeats go on, nothing more is read, and nothing is acknowledged.
func TestClientAcknowledgesWhatIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.keep("1")
			for range 4 {
				if s := p.next(); s.up.Op != wire.OpHeartbeat || s.up.HasSeq {
					t.Errorf("said %+v", s)
				}
			}
			close(release)
			if up := p.want(wire.OpAck); up.Seq != 1 {
				t.Errorf("acknowledged %d", up.Seq)
			}
			p.end()
		})
		d := start(t, n, Options{OnMessage: func(Message) { <-release }})
		<-release
		time.Sleep(time.Second)
		d.wantGot("1")
		d.stop()
		if n.count() != 1 {
			t.Errorf("%d dials", n.count())
		}
	})
}

// TestClientCloses: rule 9.
func TestClientCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, second ws.StatusCode
		var last wire.Up
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.seq++ // a hole
			p.keep("2")
			first = p.end()
		}, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.keep("1")
			last = p.want(wire.OpAck)
			second = p.end()
		})
		begun, handled := make(chan struct{}), make(chan struct{})
		d := start(t, n, Options{OnMessage: func(Message) { close(begun); <-handled }})
		<-begun
		d.cancel() // in the middle of a message: that is acknowledged still
		synctest.Wait()
		close(handled)
		d.stop()
		if first != 4000 || second != 1000 || last.Seq != 1 {
			t.Errorf("closed with %d and %d, acknowledged %+v", first, second, last)
		}
		d.wantGot("1")
		if err := d.Client.Subscribe(canceled(), "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("Subscribe behind the end: %v", err)
		}
		if s := d.State(); s.Phase != Idle {
			t.Errorf("state %+v", s)
		}
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestClientMakesBeforeItBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		replaced := make(chan struct{})
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.send(wire.AppendAway(nil, p.form, 4001, 8000, "ws://n8:99/v2?x=y"))
			p.keep("1")
			p.want(wire.OpAck)
			<-replaced
			p.keep("ignored")
			p.close(4002, "replaced")
		}, func(p *peer) {
			p.accept()
			time.Sleep(time.Second)
			w := defaultWelcome("e", 1)
			p.seq = 1
			p.send(wire.AppendWelcome(nil, p.form, &w))
			close(replaced)
			p.keep("2")
			p.want(wire.OpAck)
			p.end()
		})
		d := start(t, n, Options{})
		<-replaced
		time.Sleep(time.Minute)
		d.wantGot("1", "2")
		if q := n.dialedAt(1); q.at != 8*time.Second || q.addr != "n8:99" || q.query != "/v2?x=y&device=dev-1&epoch=e&seq=1&sid="+testSID {
			t.Errorf("dialed %+v", q)
		}
		if n.count() != 2 {
			t.Errorf("%d dials", n.count())
		}
		d.stop()
		if want := []Phase{Connecting, Connected, Connected}; !slices.Equal(d.phases(), want) {
			t.Errorf("phases %v", d.phases())
		}
	})
}

func TestClientStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.close(4303, "another client")
		})
		d := start(t, n, Options{})
		err := <-d.ended
		var stop *StopError
		if !errors.As(err, &stop) || stop.Code != 4303 || stop.Reason != "another client" {
			t.Errorf("Run: %v", err)
		}
		time.Sleep(24 * time.Hour)
		if n.count() != 1 {
			t.Errorf("%d dials", n.count())
		}
		if s := d.State(); s.Phase != Stopped || !errors.As(s.Err, &stop) {
			t.Errorf("state %+v", s)
		}
		if p := d.phases(); len(p) == 0 || p[len(p)-1] != Stopped {
			t.Errorf("phases %v", p)
		}
	})
}

func TestClientBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(p *peer) {
			go p.swallow()
			p.raw((&ws.HandshakeError{Status: 503, Text: "full", RetryAfter: 30}).AppendResponse(nil))
		}, func(p *peer) { p.swallow() }) // the second never answers
		d := start(t, n, Options{})
		time.Sleep(60 * time.Second)
		second := n.dialedAt(1).at
		if second < 30*time.Second || second > 31*time.Second {
			t.Errorf("dialed again after %v", second)
		}
		third := n.dialedAt(2).at - second
		if third < 10*time.Second || third > 12*time.Second {
			t.Errorf("a handshake without an answer was given up after %v", third)
		}
		if s := d.State(); s.Phase != Connecting && s.Phase != Waiting {
			t.Errorf("state %+v", s)
		}
		d.stop()
	})
}

// TestClientKeptOut: a quarantine is kept, and so is the slot of a refusal that comes as a message.
func TestClientKeptOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(p *peer) {
			go p.swallow()
			p.raw((&ws.HandshakeError{Status: 429, Text: "kept out", RetryAfter: 300}).AppendResponse(nil))
		}, func(p *peer) {
			p.accept()
			p.send(wire.AppendAway(nil, wire.JSON, 4101, 40_000, ""))
			p.close(4101, "in your second")
		}, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.want(wire.OpHeartbeat)
			p.end()
		})
		d := start(t, n, Options{})
		time.Sleep(10 * time.Minute)
		second := n.dialedAt(1).at
		if second < 300*time.Second || second > 301*time.Second {
			t.Errorf("dialed again after %v", second)
		}
		if third := n.dialedAt(2).at - second; third < 40*time.Second || third > 42*time.Second {
			t.Errorf("dialed again %v after it was told 40 s", third)
		}
		d.stop()
	})
}

// TestClientPanics: a panic of the application is the application's, and what
// it was about is not acknowledged.
func TestClientPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var acked bool
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("e", 0))
			p.keep("1")
			for {
				s := p.next()
				acked = acked || s.up.HasSeq
				if s.code != 0 {
					return
				}
			}
		})
		store := new(memoryStore)
		c, err := New(Options{URL: "ws://h", Device: "d", Dial: n.dial, Store: store, OnMessage: func(Message) { panic("mine") }})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if v := recover(); v != "mine" {
					t.Errorf("recovered %v", v)
				}
			}()
			c.Run(context.Background())
		}()
		n.wg.Wait()
		if acked || store.saved.Seq != 0 {
			t.Errorf("acknowledged %v, stored %+v", acked, store.saved)
		}
	})
}

// TestClientStores: what is stored is read when Run begins, and written before
// the node hears of it.
func TestClientStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{saved: Saved{SID: testSID, Epoch: "k9", Seq: 7}}
		n := newNode(t, func(p *peer) {
			p.welcome(defaultWelcome("k9", 7))
			p.keep("8")
			up := p.want(wire.OpAck)
			if v, _ := store.Load(); v.Seq != up.Seq || up.Seq != 8 {
				t.Errorf("acknowledged %d, stored %+v", up.Seq, v)
			}
			p.end()
		})
		d := start(t, n, Options{Store: store})
		time.Sleep(time.Second)
		d.stop()
		if q := n.dialedAt(0).query; !strings.HasSuffix(q, "?device=dev-1&epoch=k9&seq=7&sid="+testSID) {
			t.Errorf("dialed %s", q)
		}
	})
}

func TestClientRefusesOptions(t *testing.T) {
	good := Options{URL: "ws://h:1/p", Device: "d"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"scheme":         func(o *Options) { o.URL = "wss://h" },
		"no host":        func(o *Options) { o.URL = "ws:///p" },
		"user":           func(o *Options) { o.URL = "ws://a@h" },
		"not a URL":      func(o *Options) { o.URL = "ws://h:x" },
		"no device":      func(o *Options) { o.Device = "" },
		"device":         func(o *Options) { o.Device = "a b" },
		"long device":    func(o *Options) { o.Device = strings.Repeat("d", 129) },
		"protocol":       func(o *Options) { o.Protocol = wire.Formats },
		"heartbeat":      func(o *Options) { o.Heartbeat = 29 * time.Second },
		"part of second": func(o *Options) { o.Heartbeat = 30*time.Second + 1 },
	} {
		o := good
		change(&o)
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
