// Package peers checks that every peer server does the same job: the benches
// compare how they do it, so that a peer which does less would win unfairly.
package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// variants is every row of a table.
var variants = []struct {
	name, bin string
	args      []string
}{
	{name: "cfloor", bin: "cfloor"},
	{name: "cfloor-io_uring", bin: "cfloor", args: []string{"--io-uring"}},
	{name: "gws", bin: "gws"},
	{name: "gorilla", bin: "gorilla"},
	{name: "gorilla-tuned", bin: "gorilla", args: []string{"--tuned"}},
	{name: "coder", bin: "coder"},
	{name: "gobwas", bin: "gobwas"},
	{name: "netpoll", bin: "netpoll"},
	{name: "netpoll-default", bin: "netpoll", args: []string{"--default-buffers"}},
	{name: "centrifuge", bin: "centrifuge"},
}

// each runs f on a fresh server of every variant.
func each(t *testing.T, f func(t *testing.T, s *server)) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			s := start(t, v.bin, v.args...)
			if s.info.Name != v.name {
				t.Fatalf("it calls itself %q", s.info.Name)
			}
			f(t, s)
		})
	}
}

// eachEcho leaves out who cannot echo.
func eachEcho(t *testing.T, f func(t *testing.T, s *server)) {
	each(t, func(t *testing.T, s *server) {
		if !*s.info.Echo {
			t.Skip("echo: no")
		}
		f(t, s)
	})
}

func TestControl(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		in := s.info
		if in.Version == "" || in.Version == "unknown" || in.Note == "" || in.Echo == nil || in.Broadcast == nil ||
			in.Compress == nil || in.Threads == nil || *in.Threads < 1 || in.Hello == nil {
			t.Errorf("incomplete: %+v", in)
		}
		if got := s.post("/gc", ""); got != 200 {
			t.Errorf("/gc: %d", got)
		}
		if resp, err := httpClient.Get("http://" + s.control + "/debug/pprof/heap?gc=1"); err != nil || resp.StatusCode != 200 {
			t.Errorf("/debug/pprof/heap: %v, %v", resp, err)
		} else {
			_ = resp.Body.Close()
		}
		if got := s.post("/nothing", "x"); got != 404 {
			t.Errorf("unknown path: %d", got)
		}
		if got := s.post("/broadcast", strings.Repeat("x", 64<<10+1)); got != 413 {
			t.Errorf("too large a broadcast: %d", got)
		}
		if got := s.broadcast("nobody there"); got != 0 {
			t.Errorf("sent %d to nobody", got)
		}
	})
}

func TestEcho(t *testing.T) {
	eachEcho(t, func(t *testing.T, s *server) {
		c := dial(t, s.data)
		for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
			for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
				c.write(op, payload(n))
				c.expect(op, payload(n))
			}
		}
		// Pipelined in one write, with a ping between.
		var burst []byte
		for i := range 100 {
			burst = append(burst, maskedFrame(ws.OpText, true, payload(i*9))...)
			burst = append(burst, maskedFrame(ws.OpPing, true, payload(i))...)
		}
		c.writeRaw(burst)
		for i := range 100 {
			c.expect(ws.OpText, payload(i*9))
			c.expect(ws.OpPong, payload(i))
		}
	})
}

func TestEchoOfSplitFrames(t *testing.T) {
	eachEcho(t, func(t *testing.T, s *server) {
		c := dial(t, s.data)
		for _, n := range []int{0, 5, 126, 300} {
			for _, b := range maskedFrame(ws.OpBinary, true, payload(n)) {
				c.writeRaw([]byte{b})
			}
			c.expect(ws.OpBinary, payload(n))
		}
		// Cut at every place, the head of the next frame behind the tail.
		frame := maskedFrame(ws.OpText, true, payload(130))
		twice := append(append([]byte(nil), frame...), frame...)
		for at := 1; at < len(twice); at += 3 {
			c.writeRaw(twice[:at])
			time.Sleep(100 * time.Microsecond) // only makes a separate read likelier
			c.writeRaw(twice[at:])
			c.expect(ws.OpText, payload(130))
			c.expect(ws.OpText, payload(130))
		}
	})
}

func TestEchoOfFragments(t *testing.T) {
	eachEcho(t, func(t *testing.T, s *server) {
		c := dial(t, s.data)
		for range 3 {
			c.writeRaw(maskedFrame(ws.OpText, false, []byte("one ")))
			c.write(ws.OpPing, []byte("between"))
			c.writeRaw(maskedFrame(ws.OpContinuation, false, []byte("two ")))
			c.expect(ws.OpPong, []byte("between"))
			c.writeRaw(maskedFrame(ws.OpContinuation, true, []byte("three")))
			c.expect(ws.OpText, []byte("one two three"))
		}
	})
}

func TestBroadcastReachesAllOnce(t *testing.T) {
	const conns, rounds = 50, 20
	each(t, func(t *testing.T, s *server) {
		clients := make([]*client, conns)
		for i := range clients {
			clients[i] = dial(t, s.data)
			clients[i].hello(*s.info.Hello)
		}
		s.awaitConns(conns)
		sizes := []int{0, 1, 125, 126, 4000, 65535, 65536}
		want := func(i int) string {
			n := sizes[i%len(sizes)]
			return fmt.Sprint("r", i, ":", string(payload(n)))[:n]
		}
		for i := range rounds {
			if got := s.broadcast(want(i)); got != conns {
				t.Errorf("round %d: sent %d", i, got)
			}
			for _, c := range clients {
				if f := c.read(); f.Header.OpCode != ws.OpText || !carries(s, f.Payload, want(i)) {
					t.Fatalf("round %d: opcode %d, %s", i, f.Header.OpCode, brief(f.Payload))
				}
			}
		}
		for _, c := range clients { // the next frame is the pong: nothing came twice
			c.write(ws.OpPing, []byte("last"))
			c.expect(ws.OpPong, []byte("last"))
		}
	})
}

// carries reports whether a broadcast frame holds the payload; centrifuge
// wraps it.
func carries(s *server, frame []byte, payload string) bool {
	if s.info.Name == "centrifuge" {
		return string(frame) == `{"push":{"channel":"bench","pub":{"data":"`+payload+`"}}}`
	}
	return string(frame) == payload
}

// TestBroadcastBesideEcho has both write to the same connections at a time.
func TestBroadcastBesideEcho(t *testing.T) {
	const conns, echoes, rounds = 8, 300, 100
	eachEcho(t, func(t *testing.T, s *server) {
		clients := make([]*client, conns)
		for i := range clients {
			clients[i] = dial(t, s.data)
		}
		s.awaitConns(conns)
		failed := make(chan error, conns)
		for _, c := range clients {
			go func() {
				for range echoes {
					if _, err := c.conn.Write(maskedFrame(ws.OpBinary, true, payload(200))); err != nil {
						return
					}
				}
			}()
			go func() { failed <- countMixed(c, echoes, rounds) }()
		}
		for range rounds {
			s.broadcast(string(payload(300)))
		}
		for range clients {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
	})
}

func countMixed(c *client, echoes, rounds int) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for echoes+rounds > 0 {
		f, err := ws.ReadFrame(c.r)
		switch {
		case err != nil:
			return fmt.Errorf("%d echoes and %d broadcasts missing: %w", echoes, rounds, err)
		case f.Header.OpCode == ws.OpBinary && bytes.Equal(f.Payload, payload(200)):
			echoes--
		case f.Header.OpCode == ws.OpText && bytes.Equal(f.Payload, payload(300)):
			rounds--
		default:
			return fmt.Errorf("corrupt stream: %+v %s", f.Header, brief(f.Payload))
		}
	}
	return nil
}

func TestPingAndClose(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		c := dial(t, s.data)
		c.hello(*s.info.Hello)
		for _, n := range []int{0, 4, 125} {
			c.write(ws.OpPing, payload(n))
			c.expect(ws.OpPong, payload(n))
		}
		c.write(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
		f := c.read()
		code, _ := ws.ParseCloseFrameData(f.Payload)
		if f.Header.OpCode != ws.OpClose || code != ws.StatusNormalClosure {
			t.Errorf("close answered by opcode %d, code %d", f.Header.OpCode, code)
		}
		if _, err := c.r.Read(make([]byte, 1)); !isGone(err) {
			t.Errorf("after the close: %v", err)
		}
		s.awaitConns(0)
	})
}

func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// TestBadClients checks that nonsense ends the connection and no other.
func TestBadClients(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		good := dial(t, s.data)
		good.hello(*s.info.Hello)
		bad := map[string][]byte{
			"unmasked":     ws.MustCompileFrame(ws.NewTextFrame([]byte("x"))),
			"reserved bit": {0xf1, 0x80, 0, 0, 0, 0},
			"bad opcode":   {0x83, 0x80, 0, 0, 0, 0},
			"too long":     maskedFrame(ws.OpBinary, true, payload(70000)),
			"long ping":    {0x89, 0xfe, 0, 200, 1, 2, 3, 4},
			"continuation": maskedFrame(ws.OpContinuation, true, []byte("x")),
		}
		for name, raw := range bad {
			c := dial(t, s.data)
			c.hello(*s.info.Hello)
			_, _ = c.conn.Write(raw) // fails if the server knows enough before the end
			_ = c.conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, c.r); err != nil && !isGone(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		s.awaitConns(1)
		for _, raw := range []string{
			"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
			"\r\n\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", s.data)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, raw)
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			answer := make([]byte, 12)
			if n, err := io.ReadFull(conn, answer); err == nil && string(answer[9:12]) == "101" {
				t.Errorf("%q: %q, %v", raw, answer[:n], err)
			}
			_ = conn.Close()
		}
		good.write(ws.OpPing, nil)
		good.expect(ws.OpPong, nil)
	})
}

func TestConnectionsGo(t *testing.T) {
	const conns = 500
	each(t, func(t *testing.T, s *server) {
		for _, reset := range []bool{false, true} {
			clients := make([]*client, conns)
			for i := range clients {
				clients[i] = dial(t, s.data)
			}
			s.awaitConns(conns)
			for i, c := range clients {
				if reset {
					_ = c.conn.(*net.TCPConn).SetLinger(0)
				}
				if i == conns/2 { // into what is going away
					s.broadcast("anyone left?")
				}
				_ = c.conn.Close()
			}
			s.awaitConns(0)
		}
	})
}

// TestStuckClient checks that a client which reads nothing is dropped, costs
// no other client a message and leaves its stream whole until then.
func TestStuckClient(t *testing.T) {
	const rounds = 400
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel() // each waits seconds for the kernel's user timeout
			s := start(t, v.bin, v.args...)
			stuck := dial(t, s.data)
			good := dial(t, s.data)
			good.hello(*s.info.Hello)
			s.awaitConns(2)
			got := make(chan error, 1)
			go func() {
				for i := range rounds {
					_ = good.conn.SetReadDeadline(time.Now().Add(2 * patience))
					f, err := ws.ReadFrame(good.r)
					if err != nil || len(f.Payload) < 64000 {
						got <- fmt.Errorf("round %d: %d bytes, %v", i, len(f.Payload), err)
						return
					}
				}
				got <- nil
			}()
			for range rounds {
				s.broadcast(string(payload(64000)))
				time.Sleep(time.Millisecond) // the good client is to keep up
			}
			if err := <-got; err != nil {
				t.Fatal(err)
			}
			s.awaitConns(1)
			wholeUntilCut(t, stuck)
		})
	}
}

// wholeUntilCut reads what the kernel had kept for the stuck client.
func wholeUntilCut(t *testing.T, c *client) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		f, err := ws.ReadFrame(c.r)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || isGone(err) {
				return
			}
			t.Fatalf("stuck client: %v", err)
		}
		if f.Header.OpCode == ws.OpText && !bytes.Contains(f.Payload, payload(64000)) &&
			!bytes.HasPrefix(f.Payload, []byte(`{"id":1`)) {
			t.Fatalf("corrupt: %s", brief(f.Payload))
		}
	}
}
