package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestEvents: the stream as it goes over the line, and each event is what the
// file's schema wants.
func TestEvents(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	n := &fakeNode{stream: func(_ context.Context, f func(*Event) error) error {
		for _, e := range []*Event{
			nil,
			{Kind: EventOnline, Device: "d1", At: at},
			{Kind: EventOffline, Device: "d1", At: at, Code: 4103},
			{Kind: EventUp, Device: "d1", At: at, Topic: "state", Payload: []byte("{\n\"open\": true}")},
			{Kind: EventUp, Device: "d1", At: at, Topic: "state", Payload: []byte{0, 255}, Raw: true},
			{Kind: EventUp, Device: "d1", At: at, Topic: "state", Payload: []byte("no JSON")},
			{Kind: EventMissed, At: at, Missed: 7},
		} {
			must(f(e))
		}
		return ErrOverloaded
	}}
	rec, _ := call(t, n, "GET", "/v1/events?kind=online,up&device=d1", "")
	const begin = `"device":"d1","at":"2026-11-22T08:00:00Z"`
	want := `:

event: online
id: 1
data: {"kind":"online",` + begin + `}

event: offline
id: 2
data: {"kind":"offline",` + begin + `,"code":4103}

event: up
id: 3
data: {"kind":"up",` + begin + `,"topic":"state","payload":{"open":true}}

event: up
id: 4
data: {"kind":"up",` + begin + `,"topic":"state","payload_base64":"AP8="}

event: up
id: 5
data: {"kind":"up",` + begin + `,"topic":"state","payload_base64":"bm8gSlNPTg=="}

event: missed
id: 6
data: {"kind":"missed","at":"2026-11-22T08:00:00Z","missed":7}

event: end
id: 7
data: {"title":"Overloaded","status":503,"detail":"too much is under way on this node","retry_after":1}

`
	if rec.Body.String() != want || n.asked != "events {Kinds:[online up] Device:d1}" || !rec.Flushed {
		t.Errorf("asked %q, flushed %v:\n%s", n.asked, rec.Flushed, rec.Body)
	}
	for block := range strings.SplitSeq(rec.Body.String(), "\n\n") {
		head, data, ok := strings.Cut(block, "\ndata: ")
		schema := "/components/schemas/Event"
		if strings.Contains(head, eventEnd) {
			schema = "/components/schemas/Problem"
		}
		if err := theSpec().validJSON(schema, []byte(data)); ok && err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// TestEventsRefused: before the first event there can still be a problem.
func TestEventsRefused(t *testing.T) {
	if rec, counted := call(t, &fakeNode{err: ErrOverloaded}, "GET", "/v1/events", ""); rec.Code != 503 || counted != "/v1/events 503" {
		t.Errorf("%d %s, counted %q", rec.Code, rec.Body, counted)
	}
	if rec, _ := call(t, &fakeNode{err: ErrOverloaded}, "HEAD", "/v1/events", ""); rec.Code != 200 || rec.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("HEAD: %d %v", rec.Code, rec.Header())
	}
}

// wire is a connection's writer that tests may look at while it is written, and
// that can stop to take anything.
type wire struct {
	mu       sync.Mutex
	head     http.Header
	buf      bytes.Buffer
	stuck    bool
	deadline time.Time
}

func (w *wire) Header() http.Header { return w.head }
func (w *wire) WriteHeader(int)     {}
func (w *wire) Flush()              {}

func (w *wire) SetWriteDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stuck && time.Until(w.deadline) == eventWriteWithin { // that time passes; the stream's lock is not for synctest
		return 0, os.ErrDeadlineExceeded
	}
	return w.buf.Write(b)
}

func (w *wire) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.buf.Reset()
	return w.buf.String()
}

// TestEventsLifeSigns: a silent stream says every 15 s that it is there, begins
// at once, and ends with its client.
func TestEventsLifeSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNode{stream: func(ctx context.Context, _ func(*Event) error) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		ctx, gone := context.WithCancel(t.Context())
		w, ended := &wire{head: http.Header{}}, false
		go func() {
			NewHandler(n, nil).ServeHTTP(w, httptest.NewRequest("GET", "/v1/events", nil).WithContext(ctx))
			ended = true
		}()
		for i, wait := range []time.Duration{eventHeadAfter, lifeSignEvery, lifeSignEvery} {
			time.Sleep(wait - time.Nanosecond)
			if got := w.take(); got != "" {
				t.Errorf("sign %d: too early: %q", i, got)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if got := w.take(); got != ":\n\n" {
				t.Errorf("sign %d: %q", i, got)
			}
		}
		gone()
		synctest.Wait()
		if got := w.take(); !ended || got != "" {
			t.Errorf("ended %v, and wrote %q", ended, got)
		}
	})
}

// TestEventsDeadReader: who takes nothing is given up after the deadline of one
// write, whether an event or a life sign finds out.
func TestEventsDeadReader(t *testing.T) {
	for name, stream := range map[string]func(context.Context, func(*Event) error) error{
		"event": func(_ context.Context, f func(*Event) error) error { return f(&Event{Kind: EventOnline}) },
		"life sign": func(ctx context.Context, _ func(*Event) error) error {
			<-ctx.Done() // for ever, if nobody gives up
			return ctx.Err()
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{head: http.Header{}, stuck: true}
			NewHandler(&fakeNode{stream: stream}, nil).ServeHTTP(w, httptest.NewRequest("GET", "/v1/events", nil))
			if got := w.take(); got != "" {
				t.Errorf("%s: wrote %q", name, got)
			}
		})
	}
}

// oneConn is a listener with one connection.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// exchangeWith sends one request to a server as the node has it, on a pipe under
// the test's clock, and hands its answer to f.
func exchangeWith(t *testing.T, n Node, request string, f func(io.Reader)) {
	ours, theirs := net.Pipe()
	l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
	l.conns <- theirs
	srv := &http.Server{Handler: NewHandler(n, nil), ReadTimeout: 30 * time.Second}
	go srv.Serve(l)
	if _, err := io.WriteString(ours, request); err != nil {
		t.Error(err)
	}
	f(ours)
	ours.Close()
	srv.Close()
	synctest.Wait()
}

// TestReadTimeoutEndsNothing: the server's ReadTimeout is for the request; a wait
// and a stream of events go on behind it. For net/http the request lasts until
// its body was read to the end.
func TestReadTimeoutEndsNothing(t *testing.T) {
	after := func(d time.Duration) func(context.Context) error {
		return func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(d):
				return nil
			}
		}
	}
	body := `{"all":true,"wait":30,"payload":1}`
	for name, tt := range map[string]struct{ request, want string }{
		"wait":   {fmt.Sprintf("POST /v1/publish HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", len(body), body), `"written"`},
		"events": {"GET /v1/events HTTP/1.0\r\n\r\n", `"d1"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &slowNode{fakeNode{stream: func(ctx context.Context, f func(*Event) error) error {
				return errors.Join(f(nil), after(34*time.Second)(ctx), f(&Event{Kind: EventOnline, Device: "d1"}))
			}}, after(34 * time.Second)}
			exchangeWith(t, n, tt.request, func(r io.Reader) {
				if answer, err := io.ReadAll(r); !strings.Contains(string(answer), tt.want) {
					t.Errorf("%s: %s %v", name, answer, err)
				}
			})
		})
	}
}

// slowNode publishes when wait is over.
type slowNode struct {
	fakeNode
	wait func(context.Context) error
}

func (n *slowNode) Publish(ctx context.Context, ps []*Publication) ([]Result, error) {
	if err := n.wait(ctx); err != nil {
		return nil, err
	}
	return n.fakeNode.Publish(ctx, ps)
}
