package client

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

// hostile are nodes that mean a client no good.
var hostile = map[string]func(p *peer){
	"hangs up":               func(p *peer) {},
	"never answers":          func(p *peer) { p.swallow() },
	"refuses":                func(p *peer) { go p.swallow(); p.raw([]byte("HTTP/1.1 500 No\r\n\r\n")) },
	"speaks something else":  func(p *peer) { go p.swallow(); p.raw([]byte("220 mail\r\n")) },
	"head without end":       func(p *peer) { go p.swallow(); p.forever([]byte("HTTP/1.1 101 Yes\r\n"), []byte("X: y\r\n")) },
	"no welcome":             func(p *peer) { p.accept(); p.gone() },
	"something else first":   func(p *peer) { p.accept(); p.send([]byte(`{"t":"msg","p":1}`)); p.gone() },
	"empty welcome":          func(p *peer) { p.accept(); p.send([]byte(`{"t":"welcome"}`)); p.gone() },
	"two welcomes":           func(p *peer) { p.hello(); p.hi(); p.gone() },
	"never answers hb":       func(p *peer) { p.hello(); p.gone() },
	"hole":                   func(p *peer) { p.hello(); p.seq = 5; p.keep("1"); p.gone() },
	"repeats":                func(p *peer) { p.hello(); p.forever(nil, text(`{"t":"msg","seq":1,"ttl":1}`)) },
	"last number":            func(p *peer) { p.hello(); p.send([]byte(`{"t":"skip","to":18446744073709551615}`)); p.gone() },
	"malformed":              func(p *peer) { p.hello(); p.send([]byte(`{"t":"msg","p":}`)); p.gone() },
	"deep":                   func(p *peer) { p.hello(); p.send(deep()); p.gone() },
	"not UTF-8":              func(p *peer) { p.hello(); p.raw(text("\xff\xfe")); p.gone() },
	"other form":             func(p *peer) { p.hello(); p.raw(ws.AppendFrame(nil, ws.OpBinary, []byte("\x00\x01"))); p.gone() },
	"masked":                 func(p *peer) { p.hello(); p.raw(ws.AppendMasked(nil, ws.OpText, [4]byte{1}, []byte("{}"))); p.gone() },
	"reserved":               func(p *peer) { p.hello(); p.raw([]byte{0x83, 0}); p.gone() },
	"giant frame announced":  func(p *peer) { p.hello(); p.raw([]byte("\x81\x7f\x00\x00\x00\xff\xff\xff\xff\xff")); p.gone() },
	"giant message":          func(p *peer) { p.hello(); p.raw(text(`"` + strings.Repeat("x", 65536) + `"`)); p.gone() },
	"message without end":    func(p *peer) { p.hello(); p.forever([]byte{0x01, 1, '"'}, []byte{0x00, 1, 'x'}) },
	"bytes one at a time":    func(p *peer) { p.hello(); p.drip(text(`{"t":"hb","spread":1}`)) },
	"pings":                  func(p *peer) { p.hello(); p.forever(nil, ws.AppendFrame(nil, ws.OpPing, make([]byte, 125))) },
	"close code":             func(p *peer) { p.hello(); p.raw([]byte{0x88, 2, 0x03, 0xed}); p.gone() },
	"away at once":           func(p *peer) { p.hello(); p.send(wire.AppendAway(nil, p.form, 4001, 0, "")); p.gone() },
	"away to nowhere":        func(p *peer) { p.hello(); p.send(wire.AppendAway(nil, p.form, 4001, 0, "wss://x")); p.gone() },
	"away to nonsense":       func(p *peer) { p.hello(); p.send(wire.AppendAway(nil, p.form, 0, 1<<31-1, "\r\n")); p.gone() },
	"4001 after the welcome": func(p *peer) { p.hello(); p.raw(ws.AppendClose(nil, 4001, "")); p.gone() },
	"4002 after the welcome": func(p *peer) { p.hello(); p.raw(ws.AppendClose(nil, 4002, "")); p.gone() },
	"answers nobody asked":   func(p *peer) { p.hello(); p.forever(nil, text(`{"t":"res","r":1,"ok":true}`)) },
	"does not read":          func(p *peer) { p.upgrade(); p.hi(); time.Sleep(2 * time.Hour) },
	"does not read pings":    func(p *peer) { p.upgrade(); p.hi(); p.forever(nil, ws.AppendFrame(nil, ws.OpPing, nil)) },
}

func text(s string) []byte { return ws.AppendFrame(nil, ws.OpText, []byte(s)) }

func deep() []byte {
	return []byte(`{"t":"x","a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`)
}

// hello is a welcome that asks for the worst.
func (p *peer) hello() {
	p.accept()
	p.hi()
}

func (p *peer) hi() {
	w := wire.Welcome{SID: []byte(testSID), Epoch: "e", Heartbeat: 1, Back: wire.Back{Base: 1, Max: 1}, Seq: 100}
	p.send(wire.AppendWelcome(nil, p.form, &w))
}

// gone waits for the client to leave.
func (p *peer) gone() {
	for p.next().code == 0 {
	}
}

// forever writes without end, a piece a second, until the client leaves.
func (p *peer) forever(first, piece []byte) {
	for b := first; ; b = piece {
		if _, err := p.nc.Write(b); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// drip writes one byte a second, for ever.
func (p *peer) drip(b []byte) {
	for {
		for i := range b {
			if _, err := p.nc.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
}

// TestClientAmongHostileNodes: whatever the node does, for 20 minutes, the
// client neither dials all the time nor stops, and ends when it is told to, with
// nothing left behind.
func TestClientAmongHostileNodes(t *testing.T) {
	for name, script := range hostile {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, func(p *peer) { script(p); p.nc.Close() })
				d := start(t, n, Options{})
				time.Sleep(20 * time.Minute)
				if c := n.count(); c > 600 {
					t.Errorf("%d dials in 20 minutes", c)
				}
				if s := d.State(); s.Phase == Stopped || s.Phase == Idle {
					t.Errorf("state %+v", s)
				}
				before := time.Now()
				d.cancel()
				if err := <-d.ended; !errors.Is(err, context.Canceled) {
					t.Errorf("Run: %v", err)
				}
				if took := time.Since(before); took > 2*closingTime {
					t.Errorf("it took %v to end", took)
				}
				n.wg.Wait()
			})
		})
	}
}

// TestClientCutsOffWhoDoesNotRead: a node that reads nothing while it makes us
// answer costs a bounded queue.
func TestClientCutsOffWhoDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan time.Duration, 1)
		n := newNode(t, func(p *peer) {
			p.upgrade()
			p.hi()
			began := time.Now()
			ping := ws.AppendFrame(nil, ws.OpPing, make([]byte, 125))
			for sent := 0; ; sent += len(ping) {
				if _, err := p.nc.Write(ping); err != nil {
					if sent > 2*maxQueue {
						t.Errorf("took %d bytes", sent)
					}
					lost <- time.Since(began)
					return
				}
			}
		}, func(p *peer) { p.swallow() })
		d := start(t, n, Options{})
		if took := <-lost; took > writeTime {
			t.Errorf("after %v", took)
		}
		d.stop()
	})
}

// TestClientEndsThoughNobodyReads: nor does the close frame take its time.
func TestClientEndsThoughNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, func(p *peer) {
			p.upgrade()
			w := defaultWelcome("e", 0)
			p.send(wire.AppendWelcome(nil, p.form, &w))
			time.Sleep(time.Minute)
		})
		d := start(t, n, Options{})
		synctest.Wait()
		begun := time.Now()
		d.cancel()
		<-d.ended
		if took := time.Since(begun); took > 2*closingTime {
			t.Errorf("it took %v to end", took)
		}
		n.wg.Wait()
	})
}

// TestClientEndsWhileDialing: a dial that takes its time although it should not
// is not used any more.
func TestClientEndsWhileDialing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c, err := New(Options{URL: "ws://h", Device: "d", Dial: func(context.Context, string) (net.Conn, error) {
			time.Sleep(3 * time.Second)
			return ours, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := c.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
			t.Errorf("Run: %v after %v", err, time.Since(begun))
		}
		if n, err := theirs.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("it was used: %v", err)
		}
	})
}

// TestClientOverTCP: the same over real sockets.
func TestClientOverTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	n := newNode(t)
	codes := make(chan ws.StatusCode, 1)
	n.dials = []dialed{{}}
	n.wg.Go(func() {
		nc, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		p := &peer{node: n, nc: nc, said: make(chan said, 100)}
		p.welcome(defaultWelcome("e", 0))
		p.send([]byte(`{"t":"msg","seq":1,"ttl":1,"p":{"big":"` + strings.Repeat("x", 60_000) + `"}}`))
		p.want(wire.OpAck)
		codes <- p.end()
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := New(Options{URL: "ws://" + ln.Addr().String() + "/", Device: "dev-1", OnMessage: func(m Message) {
		if !bytes.HasPrefix(m.Payload, []byte(`{"big"`)) || len(m.Payload) != 60_010 {
			t.Errorf("got %d bytes", len(m.Payload))
		}
		cancel()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if code := <-codes; code != 1000 {
		t.Errorf("closed with %d", code)
	}
	n.wg.Wait()
}
