package dialect

import (
	"net"
	"strings"
	"sync"
	"testing"

	"roost/server/wire"
	"roost/server/ws"
)

// fakeNode upgrades every connection and says what it is told to.
type fakeNode struct {
	t    *testing.T
	addr string
	mu   sync.Mutex
	in   []net.Conn
	want []string // request lines
}

func startFake(t *testing.T) *fakeNode {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &fakeNode{t: t, addr: ln.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			n.upgrade(nc)
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
		for _, nc := range n.in {
			nc.Close()
		}
	})
	return n
}

// upgrade answers a request with 101.
func (n *fakeNode) upgrade(nc net.Conn) {
	buf := make([]byte, 4096)
	var req ws.Request
	for size := 0; ; {
		k, err := nc.Read(buf[size:])
		if err != nil {
			nc.Close()
			return
		}
		size += k
		if !strings.Contains(string(buf[:size]), "\r\n\r\n") {
			continue
		}
		if _, bad := ws.ParseRequest(buf[:size], &req); bad != nil {
			n.t.Errorf("request: %v", bad)
			return
		}
		protocol := ""
		if len(req.Protocols) > 0 {
			protocol = string(req.Protocols[0])
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		line, _, _ := strings.Cut(string(buf[:size]), "\r\n")
		n.want = append(n.want, line)
		nc.Write(ws.AppendUpgrade(nil, &req, protocol, nil))
		n.in = append(n.in, nc)
		return
	}
}

func (n *fakeNode) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.in)
}

// say writes a message on connection k.
func (n *fakeNode) say(k int, format string, what func([]byte, wire.Format) []byte) {
	n.t.Helper()
	f, op := wire.JSON, ws.OpText
	if format == "bin" {
		f, op = wire.Binary, ws.OpBinary
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := n.in[k].Write(ws.AppendFrame(nil, op, what(nil, f))); err != nil {
		n.t.Fatal(err)
	}
}

func welcome(epoch string) func([]byte, wire.Format) []byte {
	return func(dst []byte, f wire.Format) []byte {
		return wire.AppendWelcome(dst, f, &wire.Welcome{SID: []byte("0123456789abcdef"), Epoch: epoch, Resumed: true,
			Heartbeat: 30_000, Spread: 100, Node: "n", Max: 65536, Win: 32, Back: wire.Back{Base: 1000, Max: 120_000}})
	}
}

func away(dst []byte, f wire.Format) []byte { return wire.AppendAway(dst, f, 4001, 20, "") }

func live(text string) func([]byte, wire.Format) []byte {
	return func(dst []byte, f wire.Format) []byte {
		return wire.AppendMessage(dst, f, &wire.Message{Payload: []byte(`"` + text + `"`)})
	}
}
