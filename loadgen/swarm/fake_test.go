package swarm

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"roost/server/ws"
)

// fake is a plain server with faults that are known: it echoes, and sends what
// is posted to /broadcast to everybody.
type fake struct {
	ln  net.Listener
	api *httptest.Server
	wg  sync.WaitGroup

	// Static: the faults. cast gets the connection's number, from 0, and the
	// message's, and returns the frames that go out.
	cast   func(conn, message int, payload []byte) [][]byte
	echo   func(payload []byte) [][]byte
	refuse func(message int) int // HTTP status of a publish; 0: accepted
	status int                   // of the upgrade; 0 is 101
	mute   bool                  // never answers the upgrade
	slow   time.Duration         // how long it takes to answer it

	// mu covers the following.
	mu    sync.Mutex
	conns []net.Conn // nil: gone
	casts int
	bytes uint64 // of payloads that were broadcast, as often as they were sent
	taken int    // connections so far
	pongs int
	pings int            // of pingAll
	after map[string]int // its pongs, by payload
}

// fakes are those that there are, by address.
var fakes sync.Map

// fakeOf returns the fake at a URL of a scenario; nil: it is none.
func fakeOf(raw string) *fake {
	u, err := url.Parse(raw)
	if err != nil {
		return nil
	}
	f, _ := fakes.Load(u.Host)
	found, _ := f.(*fake)
	return found
}

func newFake(t testing.TB, f *fake) *fake {
	t.Helper()
	var err error
	if f.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.after = map[string]int{}
	fakes.Store(f.ln.Addr().String(), f)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /broadcast", f.broadcast)
	f.api = httptest.NewServer(mux)
	f.wg.Go(f.serve)
	t.Cleanup(func() {
		f.ln.Close()
		f.api.Close()
		f.cut(func(int) bool { return true })
		f.wg.Wait()
		fakes.Delete(f.ln.Addr().String())
	})
	return f
}

// cut ends connections without a word.
func (f *fake) cut(which func(conn int) bool) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.conns {
		if c != nil && which(i) {
			c.Close()
			n++
		}
	}
	return n
}

// alive returns how many connections there are.
func (f *fake) alive() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		if c != nil {
			n++
		}
	}
	return n
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
		if _, err = ws.ParseRequest(buf, &req); err == nil {
			break
		}
		if !errors.Is(err, ws.ErrShort) {
			return
		}
	}
	switch {
	case f.mute:
		io.Copy(io.Discard, c)
		return
	case f.status != 0:
		e := &ws.HandshakeError{Status: f.status, Text: "no", RetryAfter: 7}
		c.Write(e.AppendResponse(nil))
		return
	}
	time.Sleep(f.slow)
	f.mu.Lock()
	n := len(f.conns)
	f.conns = append(f.conns, c)
	f.taken++
	c.Write(ws.AppendUpgrade(nil, &req, "", nil))
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.conns[n] = nil
		f.mu.Unlock()
	}()
	f.frames(c, chunk)
}

func (f *fake) frames(c net.Conn, chunk []byte) {
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
			switch ev.Kind {
			case ws.Close:
				return
			case ws.Pong:
				f.mu.Lock()
				if string(ev.Payload) == "x" {
					f.pongs++
				} else {
					f.after[string(ev.Payload)]++
				}
				f.mu.Unlock()
			case ws.Text:
				out := [][]byte{ev.Payload}
				if f.echo != nil {
					out = f.echo(ev.Payload)
				}
				for _, m := range out {
					c.Write(ws.AppendFrame(nil, ws.OpText, m))
				}
			}
		}
	}
}

func (f *fake) broadcast(w http.ResponseWriter, r *http.Request) {
	payload, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.casts
	f.casts++
	if f.refuse != nil {
		if status := f.refuse(n); status != 0 {
			http.Error(w, "no", status)
			return
		}
	}
	for i, c := range f.conns {
		if c == nil {
			continue
		}
		out := [][]byte{payload}
		if f.cast != nil {
			out = f.cast(i, n, payload)
		}
		for _, m := range out {
			c.Write(ws.AppendFrame(nil, ws.OpText, m))
			f.bytes += uint64(len(m))
		}
	}
	json.NewEncoder(w).Encode(map[string]int{"sent": len(f.conns)})
}

// sent reports whether so many messages were broadcast.
func (f *fake) sent(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.casts >= n
}

// ping pings every connection.
func (f *fake) ping() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pingWith("x")
}

// pingAll pings every connection with a payload of its own, which it returns,
// and how many there are.
func (f *fake) pingAll() (payload string, conns int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pings++
	payload = strconv.Itoa(f.pings)
	return payload, f.pingWith(payload)
}

func (f *fake) pingWith(payload string) (conns int) {
	for _, c := range f.conns {
		if c != nil {
			c.Write(ws.AppendFrame(nil, ws.OpPing, []byte(payload)))
			conns++
		}
	}
	return conns
}

// answers returns how many have answered a pingAll.
func (f *fake) answers(payload string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.after[payload]
}
