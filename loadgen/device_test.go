package loadgen

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/ws"
)

// stage is a node made of a script: what each connection is told, and what is
// heard on it.
type stage struct {
	ln net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex // covers the following
	conns []net.Conn
	heard []string // by connection: its path, then what the device said, a line each
}

// newStage accepts connections and tells the nth (from 0) what say returns.
func newStage(t *testing.T, say func(n int) []string) *stage {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{ln: ln}
	s.wg.Go(func() {
		for n := 0; ; n++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns, s.heard = append(s.conns, nc), append(s.heard, "")
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(n, nc, say(n)) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.mu.Lock()
		for _, nc := range s.conns {
			nc.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *stage) hear(n int, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard[n] += line + "\n"
}

func (s *stage) said(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n >= len(s.heard) {
		return ""
	}
	return s.heard[n]
}

func (s *stage) serve(n int, nc net.Conn, say []string) {
	defer nc.Close()
	buf := make([]byte, 0, 64<<10)
	var req ws.Request
	for {
		k, err := nc.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+k]
		if _, err = ws.ParseRequest(buf, &req); err == nil {
			break
		} else if !errors.Is(err, ws.ErrShort) {
			return
		}
	}
	s.hear(n, strings.SplitN(string(buf), "\r\n", 2)[0])
	out := ws.AppendUpgrade(nil, &req, "roost.v1.json", nil)
	for _, m := range say {
		out = ws.AppendFrame(out, ws.OpText, []byte(m))
	}
	nc.Write(out)
	var p ws.Parser
	p.Reset(&ws.Config{Role: ws.Server})
	for buf = buf[:cap(buf)]; ; {
		k, err := nc.Read(buf)
		if err != nil {
			return
		}
		for in := buf[:k]; len(in) > 0; {
			ev, used, err := p.Next(in)
			if err != nil {
				return
			}
			in = in[used:]
			switch ev.Kind {
			case ws.Text:
				s.hear(n, string(ev.Payload))
				if strings.HasPrefix(string(ev.Payload), `{"t":"hb"`) {
					nc.Write(ws.AppendFrame(nil, ws.OpText, []byte(`{"t":"hb","spread":0}`)))
				}
			case ws.Close:
				s.hear(n, fmt.Sprintf("close %d", ev.Code))
				return
			}
		}
	}
}

// swarmOn starts devices in kept mode against a stage, without publishers.
func swarmOn(t *testing.T, s *stage) *swarm {
	t.Helper()
	opt, err := Options{Mode: ModeKept, Connections: 1, URL: "ws://" + s.ln.Addr().String() + "/v1/connect", Protocol: "json"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	where, err := opt.resolveTarget(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKeptLoad(&opt, 7)
	if err != nil {
		t.Fatal(err)
	}
	sw, err := newSwarm(&opt, where, 1, func(c *client) role { return newKeeper(c, k) })
	if err != nil {
		t.Fatal(err)
	}
	k.s = sw
	stop := sw.pace(true, keptPace, func(c *client) { c.keeper.turn() })
	t.Cleanup(func() {
		stop()
		sw.close()
	})
	if err := sw.connect(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return sw
}

// soon waits until cond holds.
func soon(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func greet(sid string, acked, beat int) string {
	return fmt.Sprintf(`{"t":"welcome","sid":"%s","epoch":"e1","seq":9,"acked":%d,"hb":%d,"win":32,"back":{"base":10,"max":20}}`, sid, acked, beat)
}

// TestDeviceThatIsSentAwayComesBack: it dials at its slot while the first
// connection is there still, and then says nothing more on that.
func TestDeviceThatIsSentAwayComesBack(t *testing.T) {
	const first, second = "00000000000000a1", "00000000000000a2"
	const beat = 400 // ms; the poller's timers are late by 125
	s := newStage(t, func(n int) []string {
		if n == 0 {
			return []string{greet(first, 4, beat), `{"t":"msg","seq":5,"p":1}`, `{"t":"away","code":4001,"in":30}`}
		}
		return []string{greet(second, 5, beat)}
	})
	sw := swarmOn(t, s)
	soon(t, "a heartbeat on the second connection", func() bool { return strings.Contains(s.said(1), `{"t":"hb"`) })
	if path := s.said(1); !strings.Contains(path, "device=lg-000001&epoch=e1&seq=5&sid="+first) {
		t.Errorf("it came back with %q", path)
	}
	before := s.said(0)
	beats := strings.Count(s.said(1), "\n")
	soon(t, "one more on the second", func() bool { return strings.Count(s.said(1), "\n") > beats })
	if now := s.said(0); now != before {
		t.Errorf("the first connection goes on: %q, then %q", before, now)
	}
	if n := sw.sum(func(n *counters) uint64 { return n.returned.Load() }); n != 1 {
		t.Errorf("%d devices came back, want 1", n)
	}
}

// TestDeviceComesBackBehindAHole: it gives the connection up and resumes with
// what it has.
func TestDeviceComesBackBehindAHole(t *testing.T) {
	s := newStage(t, func(n int) []string {
		if n == 0 {
			return []string{greet("00000000000000a1", 4, 55000), `{"t":"msg","seq":5,"p":1}`, `{"t":"msg","seq":7,"p":1}`}
		}
		return []string{greet("00000000000000a1", 5, 55000), `{"t":"msg","seq":6,"p":1}`, `{"t":"msg","seq":7,"p":1}`}
	})
	sw := swarmOn(t, s)
	// It may ride on the first heartbeat, whose time is random.
	soon(t, "an acknowledgement of 7", func() bool { return strings.Contains(s.said(1), `"seq":7}`) })
	if !strings.Contains(s.said(0), "close 4000") {
		t.Errorf("the first connection: %q, want it closed with 4000", s.said(0))
	}
	if !strings.Contains(s.said(1), "epoch=e1&seq=5&sid=") {
		t.Errorf("it came back with %q", s.said(1))
	}
	owed, paid := sw.sum(func(n *counters) uint64 { return n.owed.Load() }), sw.sum(paidOf)
	if owed != paid {
		t.Errorf("%d acknowledgements were owed, %d are settled", owed, paid)
	}
}

// TestDeviceTriesUntilItIsThrough: connections that are cut at once.
func TestDeviceTriesUntilItIsThrough(t *testing.T) {
	s := newStage(t, func(n int) []string {
		switch n {
		case 0:
			return []string{greet("00000000000000a1", 4, 55000), `{"t":"nonsense"}`, `[`}
		case 1, 2, 3:
			return []string{`not a message`}
		}
		return []string{greet("00000000000000a1", 4, 400)}
	})
	swarmOn(t, s)
	soon(t, "a heartbeat on the fifth connection", func() bool { return strings.Contains(s.said(4), `{"t":"hb"`) })
}

// TestDeviceThatIsNotWantedStays away.
func TestDeviceThatIsNotWantedStaysAway(t *testing.T) {
	closing := string(ws.AppendClose(nil, 4305, "removed"))
	s := newStage(t, func(int) []string { return []string{greet("00000000000000a1", 4, 55000)} })
	sw := swarmOn(t, s)
	s.mu.Lock()
	s.conns[0].Write([]byte(closing))
	s.mu.Unlock()
	soon(t, "the end of the connection", func() bool { return sw.sum(func(n *counters) uint64 { return n.lost.Load() }) == 1 })
	sw.each(func(c *client) {
		if !c.sessions.At(0).Stopped() || len(c.keeper.absent) > 0 {
			t.Errorf("stopped %v, %d wait to come back", c.sessions.At(0).Stopped(), len(c.keeper.absent))
		}
	})
}
