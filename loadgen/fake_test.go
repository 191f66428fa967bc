package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server/ws"
)

// fake is a peer with faults that are known, so that we see whether they are
// reported: a load generator that finds nothing wrong must be able to.
type fake struct {
	ln      net.Listener
	control *httptest.Server
	wg      sync.WaitGroup

	// Static: the faults. They get the frame's payload and how many frames of
	// that kind the server has made, and return what goes out instead, framed.
	onEcho, onCast func(payload []byte, nth int) []byte
	status         int // of the upgrade; 0 is 101
	accept         func(head []byte) []byte

	// mu covers the following.
	mu            sync.Mutex
	conns         map[net.Conn]bool
	echoes, casts int
}

func text(payload []byte) []byte { return ws.AppendFrame(nil, ws.OpText, payload) }

func newFake(t *testing.T, f *fake) *fake {
	t.Helper()
	var err error
	if f.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.conns = map[net.Conn]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(Server{Name: "fake", Version: "1", Echo: true})
	})
	mux.HandleFunc("POST /gc", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /broadcast", f.broadcast)
	f.control = httptest.NewServer(mux)
	f.wg.Go(f.serve)
	t.Cleanup(func() {
		f.ln.Close()
		f.control.Close()
		f.mu.Lock()
		for c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.wg.Wait()
	})
	return f
}

func (f *fake) serve() {
	for {
		c, err := f.ln.Accept()
		if err != nil {
			return
		}
		f.wg.Go(func() {
			defer c.Close()
			f.conn(c)
			f.mu.Lock()
			delete(f.conns, c)
			f.mu.Unlock()
		})
	}
}

// conn serves one connection until it ends.
func (f *fake) conn(c net.Conn) {
	var buf []byte
	var req ws.Request
	chunk := make([]byte, 64<<10)
	for {
		n, err := c.Read(chunk)
		if err != nil {
			return
		}
		buf = append(buf, chunk[:n]...)
		_, err = ws.ParseRequest(buf, &req) // no frame comes before the answer
		if err == nil {
			break
		}
		if !errors.Is(err, ws.ErrShort) {
			return
		}
	}
	if f.status != 0 {
		e := &ws.HandshakeError{Status: f.status, Text: "no", RetryAfter: 7}
		c.Write(e.AppendResponse(nil))
		return
	}
	head := ws.AppendUpgrade(nil, &req, "", nil)
	if f.accept != nil {
		head = f.accept(head)
	}
	f.mu.Lock()
	f.conns[c] = true
	f.mu.Unlock()
	c.Write(head)
	var p ws.Parser
	p.Reset(&ws.Config{Role: ws.Server})
	for {
		n, err := c.Read(chunk)
		if err != nil {
			return
		}
		for in := chunk[:n]; len(in) > 0; {
			ev, k, err := p.Next(in)
			if err != nil {
				return
			}
			in = in[k:]
			if ev.Kind == ws.Text {
				f.mu.Lock()
				f.echoes++
				out := text(ev.Payload)
				if f.onEcho != nil {
					out = f.onEcho(ev.Payload, f.echoes)
				}
				f.mu.Unlock()
				c.Write(out)
			}
		}
	}
}

func (f *fake) broadcast(w http.ResponseWriter, r *http.Request) {
	payload, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		f.casts++
		out := text(payload)
		if f.onCast != nil {
			out = f.onCast(payload, f.casts)
		}
		c.Write(out)
	}
	json.NewEncoder(w).Encode(map[string]int{"sent": len(f.conns)})
}

// options say how to load the fake.
func (f *fake) options(mode string) Options {
	return Options{Mode: mode, URL: "ws://" + f.ln.Addr().String(), Control: f.control.URL, Connections: 20,
		Rate: 100, Hold: 100 * time.Millisecond, Warmup: -1, Settle: -1, Patience: 200 * time.Millisecond,
		Timeout: 2 * time.Second}
}

// faultAt does fault to the nth message alone.
func faultAt(n int, fault func(payload []byte) []byte) func([]byte, int) []byte {
	return func(payload []byte, nth int) []byte {
		if nth == n {
			return fault(payload)
		}
		return text(payload)
	}
}

func drop([]byte) []byte { return nil }

func twice(p []byte) []byte { return append(text(p), text(p)...) }

func garble(p []byte) []byte {
	q := bytes.Clone(p)
	q[len(q)-1] ^= 1
	return text(q)
}

func TestFaultsOfAServerAreFound(t *testing.T) {
	const nth = 150 // broadcasts: in the eighth of 13 rounds
	for _, c := range []struct {
		name  string
		mode  string
		fault func([]byte) []byte
		want  func(r *Result) bool
		text  string
	}{
		{"lost delivery", ModeBroadcast, drop, func(r *Result) bool { return r.Broadcast.Missing == 1 && r.Broadcast.Duplicate == 0 }, "1 of 200 deliveries are missing"},
		{"double delivery", ModeBroadcast, twice, func(r *Result) bool { return r.Broadcast.Duplicate == 1 && r.Broadcast.Missing == 0 }, "1 deliveries came twice"},
		{"garbled delivery", ModeBroadcast, garble, func(r *Result) bool { return r.Broadcast.Wrong == 1 && r.Broadcast.Missing == 1 }, "1 deliveries are not what was published"},
		{"lost echo", ModeEcho, drop, func(r *Result) bool { return r.Echo.Lost == 1 }, "1 of 400 messages did not come back"},
		{"garbled echo", ModeEcho, garble, func(r *Result) bool { return r.Echo.Wrong == 1 && r.Echo.Lost == 0 }, "1 messages came back other"},
		{"double echo", ModeEcho, twice, func(r *Result) bool { return r.Echo.Lost == 0 }, "1 messages came that nobody sent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{}
			o := Options{}
			if c.mode == ModeBroadcast {
				f.onCast = faultAt(nth, c.fault)
				o = newFake(t, f).options(c.mode)
			} else {
				at := nth
				if c.name == "lost echo" {
					at = 400 // the last: what came behind a lost one would be wrong too
				}
				f.onEcho = faultAt(at, c.fault)
				o = newFake(t, f).options(c.mode)
				o.Rate = 4000
			}
			r, err := Run(context.Background(), o, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			if !c.want(r) || r.Exit() != ExitFailures {
				t.Errorf("exit %d, failures %q, %+v %+v", r.Exit(), r.Failures, r.Broadcast, r.Echo)
			}
			if all := strings.Join(r.Failures, "\n"); !strings.Contains(all, c.text) {
				t.Errorf("failures are %q, want %q in them", r.Failures, c.text)
			}
		})
	}
}

func TestFaultFreeServerPasses(t *testing.T) {
	f := newFake(t, &fake{})
	for _, mode := range []string{ModeBroadcast, ModeEcho, ModeIdle} {
		r, err := Run(context.Background(), f.options(mode), io.Discard, io.Discard)
		if err != nil || len(r.Failures) > 0 {
			t.Errorf("%s: %v, %v", mode, err, r)
		}
	}
}

func TestRefusalsAreCountedByReason(t *testing.T) {
	wrongKey := func(head []byte) []byte {
		return bytes.Replace(head, []byte("Sec-WebSocket-Accept: "), []byte("Sec-WebSocket-Accept: A"), 1)
	}
	for _, c := range []struct {
		name   string
		f      *fake
		change func(o *Options)
		want   string
	}{
		{"503", &fake{status: 503}, nil, "20 x refused with HTTP 503 (retry after 7 s); the server is full"},
		{"404", &fake{status: 404}, nil, "HTTP 404"},
		{"accept", &fake{accept: wrongKey}, nil, "20 x ws: Sec-WebSocket-Accept does not match the key"},
		{"silent", &fake{accept: func([]byte) []byte { return nil }}, func(o *Options) { o.Timeout = 200 * time.Millisecond }, "20 x handshake timed out; the server did not answer within --timeout"},
		{"nobody", &fake{}, func(o *Options) { o.URL = "ws://127.0.0.1:1" }, "20 x ECONNREFUSED: connection refused; nobody listens there"},
		{"address", &fake{}, func(o *Options) { o.Sources = "192.0.2.1" }, "EADDRNOTAVAIL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.f)
			o := f.options(ModeEcho)
			o.Window = 7
			if c.change != nil {
				c.change(&o)
			}
			var errout bytes.Buffer
			r, err := Run(context.Background(), o, io.Discard, &errout)
			if err == nil || !strings.Contains(errout.String(), c.want) {
				t.Errorf("error %v, printed %q, want %q", err, errout.String(), c.want)
			}
			if r == nil || r.Connect.Established != 0 || r.Connect.Asked != 20 {
				t.Errorf("result %+v", r)
			}
		})
	}
}

func TestLostConnectionsFailTheRun(t *testing.T) {
	f := &fake{}
	f.onCast = func(p []byte, nth int) []byte {
		if nth == 150 {
			return ws.AppendClose(nil, 4001, "draining")
		}
		return text(p)
	}
	r, err := Run(context.Background(), newFake(t, f).options(ModeBroadcast), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.Closed["closed by the server with 4001 draining"] != 1 || r.Exit() != ExitFailures || r.Broadcast.Missing == 0 {
		t.Errorf("closed %v, exit %d, %d missing", r.Closed, r.Exit(), r.Broadcast.Missing)
	}
}

func TestConnectRateIsKept(t *testing.T) {
	f := newFake(t, &fake{})
	o := f.options(ModeIdle)
	o.Connections, o.ConnectRate, o.Hold = 50, 200, time.Millisecond
	r, err := Run(context.Background(), o, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	// The last of 50 is due after 49/200 s. Only too fast would be a mistake:
	// the machine may be slow.
	if r.Connect.Established != 50 || r.Connect.Work.Wall < int64(245*time.Millisecond) {
		t.Errorf("%d connections in %v", r.Connect.Established, time.Duration(r.Connect.Work.Wall))
	}
}
