package faultserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"roost/server/ws"
)

func start(t *testing.T, behaviour string) *Server {
	t.Helper()
	b, err := Parse(behaviour)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start("127.0.0.1:0", b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// peer is a client on a blocking socket.
type peer struct {
	net.Conn
	r  *bufio.Reader
	p  ws.Parser
	in []byte
}

// dial returns the answer's status as well; without 101 the peer is of no use.
func dial(t *testing.T, s *Server, path string) (*peer, int) {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", path)
	c := &peer{Conn: nc, r: bufio.NewReader(nc)}
	c.p.Reset(&ws.Config{Role: ws.Client})
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, resp.StatusCode
}

func (c *peer) say(text string) {
	_, _ = c.Write(ws.AppendMasked(nil, ws.OpText, [4]byte{1, 2, 3, 4}, []byte(text)))
}

// hear returns the next message, or "close CODE", or an error.
func (c *peer) hear() (string, error) {
	chunk := make([]byte, 4096)
	for {
		for len(c.in) > 0 {
			ev, n, err := c.p.Next(c.in)
			if err != nil {
				return "", err
			}
			c.in = c.in[n:]
			switch ev.Kind {
			case ws.Text:
				return string(ev.Payload), nil
			case ws.Close:
				return fmt.Sprintf("close %d", ev.Code), nil
			}
		}
		n, err := c.r.Read(chunk)
		if err != nil {
			return "", err
		}
		c.in = bytes.Clone(chunk[:n])
	}
}

// hears reads n messages.
func (c *peer) hears(t *testing.T, n int) (all []string) {
	t.Helper()
	for range n {
		m, err := c.hear()
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, m)
	}
	return all
}

// TestFaultsOfDeliveries: what one client hears of ten messages.
func TestFaultsOfDeliveries(t *testing.T) {
	for behaviour, want := range map[string]string{
		"":            "a a0 a1 a2 a3 a4 a5 a6 a7 a8",
		"drop=3":      "a a0 a2 a3 a5 a6 a8",
		"duplicate=4": "a a0 a1 a2 a2 a3 a4 a5 a6 a6 a7 a8",
		"swap=3":      "a a0 a2 a1 a3 a5 a4 a6 a8 a7",
		"delay=5ms":   "a a0 a1 a2 a3 a4 a5 a6 a7 a8",
		"slow=10@5ms": "a a0 a1 a2 a3 a4 a5 a6 a7 a8",
		"corrupt=10":  "a a0 a1 a2 a3 a4 a5 a6 a7 a9",
	} {
		t.Run(behaviour, func(t *testing.T) {
			s := start(t, behaviour)
			c, status := dial(t, s, "/")
			if status != 101 {
				t.Fatal(status)
			}
			c.say("a")
			for i := range 9 {
				c.say(fmt.Sprintf("a%d", i))
			}
			want := strings.Fields(want)
			got := c.hears(t, len(want))
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("heard %q, want %q", got, want)
			}
			truth := s.Truth()
			if truth.Received != 10 || truth.Due != 10 || truth.Delivered+truth.Dropped != 10 {
				t.Errorf("%+v", truth)
			}
			if n := truth.Dropped + truth.Duplicated + truth.Swapped + truth.Corrupted + truth.Slowed; s.h.b.Delay == 0 && behaviour != "" && n == 0 {
				t.Errorf("no fault was counted: %+v", truth)
			}
			if s.h.b.Delay > 0 && truth.DelayP50 < int64(5*time.Millisecond) {
				t.Errorf("delays of %d ns", truth.DelayP50)
			}
		})
	}
}

// TestHeldFrameIsNotLost: the last one has none to be swapped with.
func TestHeldFrameIsNotLost(t *testing.T) {
	s := start(t, "swap=1")
	c, _ := dial(t, s, "/")
	c.say("alone")
	if got := c.hears(t, 1); got[0] != "alone" {
		t.Error(got)
	}
	if truth := s.Truth(); truth.Swapped != 0 || truth.Delivered != 1 {
		t.Errorf("%+v", truth)
	}
}

// TestBroadcast: by a socket and by HTTP, to all.
func TestBroadcast(t *testing.T) {
	for _, behaviour := range []string{"", "delay=1ms"} {
		s := start(t, behaviour)
		var all []*peer
		for range 5 {
			c, _ := dial(t, s, "/all")
			all = append(all, c)
		}
		all[3].say("one")
		for _, c := range all {
			c.hears(t, 1)
		}
		resp, err := http.Post("http://"+s.Addr()+"/broadcast", "text/plain", strings.NewReader("two"))
		if err != nil || resp.StatusCode != 202 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		for _, c := range all {
			if got := c.hears(t, 1); got[0] != "two" {
				t.Error(got)
			}
		}
		if truth := s.Truth(); truth.Due != 10 || truth.Delivered != 10 || truth.Received != 2 || truth.Connected != 5 {
			t.Errorf("%+v", truth)
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

// TestFaultsOfConnections.
func TestFaultsOfConnections(t *testing.T) {
	t.Run("refuse", func(t *testing.T) {
		s := start(t, "refuse=3")
		for i := range 6 {
			want := 101
			if i%3 == 2 {
				want = 503
			}
			if _, status := dial(t, s, "/"); status != want {
				t.Errorf("dial %d: %d", i, status)
			}
		}
		if truth := s.Truth(); truth.Refused != 2 || truth.Upgraded != 4 || truth.Asked != 6 {
			t.Errorf("%+v", truth)
		}
	})
	t.Run("accept", func(t *testing.T) {
		s := start(t, "accept=20ms")
		began := time.Now()
		c, _ := dial(t, s, "/")
		if took := time.Since(began); took < 20*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		c.say("x")
		c.hears(t, 1)
		if truth := s.Truth(); truth.AcceptP50 < int64(20*time.Millisecond) {
			t.Errorf("%+v", truth)
		}
	})
	t.Run("close", func(t *testing.T) {
		c, _ := dial(t, start(t, "close=4321@10ms"), "/")
		if got, err := c.hear(); got != "close 4321" || err != nil {
			t.Error(got, err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		c, _ := dial(t, start(t, "reset=10ms"), "/")
		var reset *net.OpError
		if _, err := c.hear(); !errors.As(err, &reset) || !strings.Contains(err.Error(), "reset") {
			t.Error(err)
		}
	})
	t.Run("stop-reading", func(t *testing.T) { quiet(t, "stop-reading=2", 2) })
	t.Run("stop-sending", func(t *testing.T) { quiet(t, "stop-sending=2", 5) })
}

// quiet is a server that answers two messages of five.
func quiet(t *testing.T, behaviour string, received uint64) {
	s := start(t, behaviour)
	c, _ := dial(t, s, "/")
	for range 5 {
		c.say("x")
	}
	c.hears(t, 2)
	for end := time.Now().Add(10 * time.Second); s.Truth().Received < received && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := c.hear(); err == nil {
		t.Errorf("heard %q", got)
	}
	if truth := s.Truth(); truth.Received != received || truth.Delivered != 2 {
		t.Errorf("%+v", truth)
	}
}

// TestFreeze: nothing is answered while it lasts, and nothing is lost.
func TestFreeze(t *testing.T) {
	s := start(t, "freeze=100ms@10ms")
	c, _ := dial(t, s, "/")
	c.say("x")
	c.hears(t, 1)
	for s.Truth().Froze == 0 {
		c.say("y")
		c.hears(t, 1)
	}
	if froze := s.Truth().Froze; froze < 100*time.Millisecond {
		t.Errorf("froze for %v", froze)
	}
}

// TestBadRequests are answered and end nothing else.
func TestBadRequests(t *testing.T) {
	s := start(t, "")
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "POST /broadcast HTTP/1.1\r\n\r\n",
		"POST /broadcast HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "\x16\x03\x01", "POST /broadcast HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"POST " + strings.Repeat("x", 20<<10)} {
		nc, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(nc, text)
		answer, err := io.ReadAll(nc)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%.40q: %q, %v", text, answer, err)
		}
		nc.Close()
	}
}

// TestServe: a process says where it listens, tells the truth, and ends with
// its input.
func TestServe(t *testing.T) {
	in, end := io.Pipe()
	out, say := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), in, say, "127.0.0.1:0", Faults{Drop: 2}) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !ok {
		t.Fatal(line, err)
	}
	resp, err := http.Get("http://" + addr + "/truth")
	if err != nil {
		t.Fatal(err)
	}
	var truth Truth
	err = json.NewDecoder(resp.Body).Decode(&truth)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || truth.Faults != "drop=2" {
		t.Errorf("%+v, %v", truth, err)
	}
	end.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAllocEcho: the null sink takes a message and sends it without allocating.
func TestAllocEcho(t *testing.T) {
	s := start(t, "")
	c, _ := dial(t, s, "/")
	echo := func() {
		c.say("hello")
		c.hears(t, 1)
	}
	echo()
	const most = 12 // of the test's own client
	if n := testing.AllocsPerRun(200, echo); n > most {
		t.Errorf("%v allocations per echo", n)
	}
}
