package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

// fakeNode is the other end for a Client: each dial gives a pipe and a peer
// that plays the next script.
type fakeNode struct {
	t       *testing.T
	start   time.Time
	mu      sync.Mutex
	scripts []func(p *peer) // the last is played for all that follow
	dials   []dialed
	wg      sync.WaitGroup
}

type dialed struct {
	at    time.Duration // since the node began
	addr  string
	query string
}

func newNode(t *testing.T, scripts ...func(p *peer)) *fakeNode {
	return &fakeNode{t: t, start: time.Now(), scripts: scripts}
}

// dial is for Options.Dial.
func (n *fakeNode) dial(_ context.Context, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.scripts) == 0 {
		n.dials = append(n.dials, dialed{at: time.Since(n.start), addr: addr})
		return nil, errors.New("nobody listens")
	}
	script := n.scripts[0]
	if len(n.scripts) > 1 {
		n.scripts = n.scripts[1:]
	}
	ours, theirs := net.Pipe()
	p := &peer{node: n, nc: theirs, said: make(chan said, 100), number: len(n.dials)}
	n.dials = append(n.dials, dialed{at: time.Since(n.start), addr: addr})
	n.wg.Go(func() {
		defer theirs.Close()
		script(p)
	})
	return ours, nil
}

func (n *fakeNode) dialedAt(i int) dialed {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if i >= len(n.dials) {
		n.t.Fatalf("only %d dials", len(n.dials))
	}
	return n.dials[i]
}

func (n *fakeNode) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dials)
}

// said is what a client said: a message, or the end.
type said struct {
	up   wire.Up
	at   time.Duration // since the node began
	code ws.StatusCode // of a close frame; 1006 for an end without one; 0 for a message
}

// peer is the node's end of one connection.
type peer struct {
	node   *fakeNode
	nc     net.Conn
	said   chan said
	form   wire.Format
	number int // of the dial, from 0
	seq    uint64
}

// accept upgrades and reads from then on.
func (p *peer) accept() {
	if cfg := p.upgrade(); cfg != nil {
		p.node.wg.Go(func() { p.read(cfg) })
	}
}

// upgrade answers the request, and reads no more; nil if the client is gone.
func (p *peer) upgrade() *ws.Config {
	var req ws.Request
	buf, n := make([]byte, 0, ws.MaxHead), 0
	for {
		k, err := p.nc.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+k]
		if n, _ = ws.ParseRequest(buf, &req); n > 0 {
			break
		}
		if err != nil {
			return nil
		}
	}
	if e := ws.CheckUpgrade(&req); e != nil || n != len(buf) {
		p.node.t.Errorf("request %q: %v", buf, e)
	}
	p.node.mu.Lock()
	p.node.dials[p.number].query = string(req.Path) + "?" + string(req.RawQuery)
	p.node.mu.Unlock()
	protocol, _ := req.SelectProtocol(wire.JSON.String(), wire.Binary.String())
	p.form, _ = wire.ParseFormat(protocol)
	ext, deflate := ws.Negotiate(req.Extensions)
	var agreed *ws.Deflate
	if deflate {
		agreed = &ext
	}
	p.raw(ws.AppendUpgrade(nil, &req, protocol, agreed))
	return &ws.Config{Role: ws.Server, Deflate: deflate, Inflater: ws.NewInflater()}
}

// read hands on what the client says.
func (p *peer) read(cfg *ws.Config) {
	var parser ws.Parser
	parser.Reset(cfg)
	buf := make([]byte, 4096)
	tell := func(s said) {
		s.at = time.Since(p.node.start)
		select {
		case p.said <- s:
		default: // nobody listens
		}
	}
	for {
		n, err := p.nc.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			ev, k, bad := parser.Next(rest)
			rest = rest[k:]
			if bad != nil {
				p.node.t.Errorf("the client broke a rule: %v", bad)
				return
			}
			switch ev.Kind {
			case ws.Text, ws.Binary:
				if (ev.Kind == ws.Text) != (p.form == wire.JSON) {
					p.node.t.Errorf("a %v message in %v", ev.Kind, p.form)
				}
				var s said
				if e := wire.Parse(p.form, append([]byte(nil), ev.Payload...), &s.up); e != nil {
					p.node.t.Errorf("the client said %q: %v", ev.Payload, e)
				}
				tell(s)
			case ws.Pong:
				tell(said{up: wire.Up{Op: 31, Payload: append([]byte(nil), ev.Payload...)}})
			case ws.Close:
				tell(said{code: ev.Code})
				return
			}
		}
		if err != nil {
			tell(said{code: ws.StatusAbnormal})
			return
		}
	}
}

// raw writes bytes; errors are the client's hanging up.
func (p *peer) raw(b []byte) { p.nc.Write(b) }

// send writes a message.
func (p *peer) send(msg []byte) {
	op := ws.OpText
	if p.form == wire.Binary {
		op = ws.OpBinary
	}
	p.raw(ws.AppendFrame(nil, op, msg))
}

// welcome accepts and welcomes.
func (p *peer) welcome(w wire.Welcome) {
	p.accept()
	p.seq = w.Acked
	p.send(wire.AppendWelcome(nil, p.form, &w))
}

// keep sends the next kept message.
func (p *peer) keep(payload string) {
	p.seq++
	m := wire.Message{Seq: p.seq, TTL: 60, ID: fmt.Append(nil, "id-", payload), Payload: []byte(payload)}
	p.send(wire.AppendMessage(nil, p.form, &m))
}

// close sends a close frame and waits for the answer.
func (p *peer) close(code ws.StatusCode, reason string) {
	p.raw(ws.AppendClose(nil, code, reason))
	for p.next().code == 0 {
	}
}

func (p *peer) next() said { return <-p.said }

// want waits for a message of one kind and passes over heartbeats, which it
// answers.
func (p *peer) want(op wire.Op) wire.Up {
	for {
		s := p.next()
		switch {
		case s.code == 0 && s.up.Op == op:
			return s.up
		case s.code == 0 && s.up.Op == wire.OpHeartbeat:
			p.send(wire.AppendHeartbeat(nil, p.form, 7_500, 0, wire.Ring{}))
		default:
			p.node.t.Errorf("got %+v, want %v", s, op)
			return wire.Up{}
		}
	}
}

// end answers heartbeats until the client is gone, and returns with what.
func (p *peer) end() ws.StatusCode {
	for {
		s := p.next()
		if s.code != 0 {
			p.raw(ws.AppendClose(nil, ws.CloseEcho(ws.Event{Code: s.code}), ""))
			return s.code
		}
		if s.up.Op == wire.OpHeartbeat {
			p.send(wire.AppendHeartbeat(nil, p.form, 7_500, 0, wire.Ring{}))
		}
	}
}

// swallow reads whatever comes and says nothing.
func (p *peer) swallow() { io.Copy(io.Discard, p.nc) }
