package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// patience bounds every wait of a test: passing it is a failure.
const patience = time.Minute

// start runs a node on free loopback ports until the test ends.
func start(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	opt := Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Echo: true, Loops: 2, Node: "n1",
		Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&opt)
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, h := range s.handlers {
			if n := h.l.Buffers().Lent(); n != 0 {
				t.Errorf("loop %d: %d buffers were not given back", h.l.Index(), n)
			}
		}
		if n := s.registry.Len(); n != 0 {
			t.Errorf("%d devices are still registered", n)
		}
		for v := range s.receivers {
			if n := s.receivers[v].Load(); n != 0 {
				t.Errorf("variant %d still has %d receivers", v, n)
			}
		}
		if n := s.subscriptions.Load(); n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
	return s
}

// peer is a client built on gobwas/ws, an implementation that is not ours.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  io.Reader
}

// dial opens a WebSocket and fails the test if it is refused.
func dial(t testing.TB, s *Server, target string, protocols ...string) *peer {
	t.Helper()
	d := gobwas.Dialer{Protocols: protocols, Timeout: patience}
	nc, br, _, err := d.Dial(context.Background(), "ws://"+s.Addr().String()+target)
	if err != nil {
		t.Fatalf("dial %s: %v", target, err)
	}
	p := &peer{t: t, nc: nc, r: nc}
	if br != nil {
		p.r = io.MultiReader(io.LimitReader(br, int64(br.Buffered())), nc)
	}
	nc.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { nc.Close() })
	return p
}

// device connects a device and takes its welcome.
func device(t testing.TB, s *Server, query string, protocols ...string) (*peer, map[string]any) {
	t.Helper()
	p := dial(t, s, "/v1/connect?"+query, protocols...)
	msg := p.read()
	if len(msg) > 0 && msg[0] == 1 { // binary form: operation byte, then JSON
		msg = msg[1:]
	}
	var welcome map[string]any
	if err := json.Unmarshal(msg, &welcome); err != nil {
		t.Fatalf("welcome %q: %v", msg, err)
	}
	return p, welcome
}

// send sends a text message.
func (p *peer) send(msg string) {
	p.t.Helper()
	if err := wsutil.WriteClientText(p.nc, []byte(msg)); err != nil {
		p.t.Fatal(err)
	}
}

// frame reads one frame.
func (p *peer) frame() gobwas.Frame {
	p.t.Helper()
	h, err := gobwas.ReadHeader(p.r)
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	f := gobwas.Frame{Header: h, Payload: make([]byte, h.Length)}
	if _, err := io.ReadFull(p.r, f.Payload); err != nil {
		p.t.Fatalf("read payload: %v", err)
	}
	return f
}

// read returns the next message; a close frame fails the test.
func (p *peer) read() []byte {
	p.t.Helper()
	f := p.frame()
	if f.Header.OpCode == gobwas.OpClose {
		code, reason := gobwas.ParseCloseFrameData(f.Payload)
		p.t.Fatalf("closed with %d %q", code, reason)
	}
	return f.Payload
}

// expect reads the next message and compares it.
func (p *peer) expect(want string) {
	p.t.Helper()
	if got := p.read(); string(got) != want {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}

// expectClose reads frames up to the close frame, and then the end of the
// stream.
func (p *peer) expectClose(code int) {
	p.t.Helper()
	for {
		f := p.frame()
		if f.Header.OpCode != gobwas.OpClose {
			continue
		}
		got, reason := gobwas.ParseCloseFrameData(f.Payload)
		if int(got) != code {
			p.t.Fatalf("closed with %d %q, want %d", got, reason, code)
		}
		if n, err := p.r.Read(make([]byte, 1)); err != io.EOF {
			p.t.Fatalf("after the close frame: %d bytes, %v; want the end of the stream", n, err)
		}
		return
	}
}

// exchange sends raw bytes on a new connection and returns everything that
// comes back until the server closes.
func exchange(t testing.TB, s *Server, request string) string {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if err != nil {
		t.Fatalf("after %q: %v", answer, err)
	}
	return string(answer)
}

// upgradeRequest is a correct request for target with further header lines.
func upgradeRequest(target string, lines ...string) string {
	all := append([]string{"GET " + target + " HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, lines...)
	return strings.Join(all, "\r\n") + "\r\n\r\n"
}

// post publishes and returns status and body.
func post(t testing.TB, s *Server, body string) (int, string) {
	t.Helper()
	return request(t, s, http.MethodPost, "/v1/publish", body)
}

func request(t testing.TB, s *Server, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+s.APIAddr().String()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(bytes.TrimSpace(answer))
}

// publish publishes and fails the test unless it was accepted.
func publish(t testing.TB, s *Server, body string) string {
	t.Helper()
	status, answer := post(t, s, body)
	if status != http.StatusOK {
		t.Fatalf("publish %s: %d %s", body, status, answer)
	}
	return answer
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// metric reads one sample, by its name with labels; 0 if there is none.
func metric(t testing.TB, s *Server, name string) float64 {
	t.Helper()
	_, text := request(t, s, http.MethodGet, "/metrics", "")
	for sc := bufio.NewScanner(strings.NewReader(text)); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			var v float64
			fmt.Sscan(rest, &v)
			return v
		}
	}
	return 0
}

// pollerConns counts the connections that the reactor has, whatever they are used for.
func (s *Server) pollerConns() int { return s.p.Conns() }
