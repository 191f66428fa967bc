package listen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"roost/server"
)

// startRoost runs a node until the test ends.
func startRoost(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Auth: "none", Loops: 1, Log: slog.New(slog.DiscardHandler)})
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

func urlOf(s *server.Server) string { return "ws://" + s.Addr().String() + "/v1/connect" }
func apiOf(s *server.Server) string { return "http://" + s.APIAddr().String() }

// listenOn listens until ctx ends.
func listenOn(ctx context.Context, o Options, out, errout io.Writer) error {
	l, err := New(o, out, errout)
	if err != nil {
		return err
	}
	return l.Run(ctx)
}

// lockedBuffer is a bytes.Buffer for two goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for text to be written.
func (l *lockedBuffer) until(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(l.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q was not printed: %q", text, l.String())
		}
	}
}

func TestListenPrintsMessagesAndEndsInOrder(t *testing.T) {
	s := startRoost(t)
	o := Options{URL: urlOf(s), Device: "d1", Topic: "news"}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, errout lockedBuffer
	end := make(chan error, 1)
	go func() {
		end <- listenOn(ctx, o, &out, &errout)
	}()
	errout.until(t, "subscribed to news")
	for _, body := range []string{`{"device":"d1","payload":"to one"}`, `{"topic":"news","payload":"to some"}`, `{"all":true,"payload":"to all"}`} {
		resp, err := http.Post(apiOf(s)+"/v1/publish", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	for _, line := range []string{`{"seq":1,"payload":"to one"}`, `{"topic":"news","payload":"to some"}`, `{"payload":"to all"}`} {
		out.until(t, line+"\n")
	}
	cancel()
	if err := <-end; err != nil {
		t.Errorf("ended with %v", err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // until the node knows
		var d struct{ Seq, Acked uint64 }
		getJSON(t, apiOf(s)+"/v1/devices/d1", &d)
		if d.Seq == 1 && d.Acked == 1 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("what was printed is not acknowledged: %+v", d)
		}
	}
}

// getJSON fetches what the API says.
func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// TestListenGoesOnWhereItWas: what was published while it was away is printed
// when it comes again, and nothing twice.
func TestListenGoesOnWhereItWas(t *testing.T) {
	s := startRoost(t)
	var out lockedBuffer
	for i, want := range []string{"", `{"seq":1,"id":"a","payload":0}` + "\n", `{"seq":1,"id":"a","payload":0}` + "\n" + `{"seq":2,"id":"b","payload":1}` + "\n"} {
		ctx, cancel := context.WithCancel(context.Background())
		var errout lockedBuffer
		end := make(chan error, 1)
		o := Options{URL: urlOf(s), Device: "away", Binary: i%2 == 1}
		go func() {
			end <- listenOn(ctx, o, &out, &errout)
		}()
		errout.until(t, "is connected to")
		out.until(t, want)
		cancel()
		if err := <-end; err != nil || out.String() != want {
			t.Fatalf("run %d: %v, printed %q, want %q", i, err, out.String(), want)
		}
		if i < 2 {
			body := fmt.Sprintf(`{"device":"away","id":"%c","payload":%d}`, 'a'+i, i)
			resp, err := http.Post(apiOf(s)+"/v1/publish", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			http.DefaultClient.CloseIdleConnections()
		}
	}
}

func TestListenSaysWhyTheServerClosed(t *testing.T) {
	s := startRoost(t)
	o := Options{URL: urlOf(s) + "?device=d1"}
	var errout lockedBuffer
	end := make(chan error, 1)
	go func() {
		end <- listenOn(context.Background(), o, io.Discard, &errout)
	}()
	errout.until(t, "is connected to")
	second, cancel := context.WithCancel(context.Background())
	defer cancel()
	var other lockedBuffer
	last := make(chan error, 1)
	go func() {
		last <- listenOn(second, o, io.Discard, &other) // the same device
	}()
	if err := <-end; err == nil || !strings.Contains(err.Error(), "4303") {
		t.Errorf("the first ended with %v, want 4303", err)
	}
	other.until(t, "is connected to")
	cancel()
	if err := <-last; err != nil {
		t.Errorf("the second ended with %v", err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, o := range []Options{{URL: "http://127.0.0.1"}, {URL: "ws://%zz"}, {URL: "ws://127.0.0.1:1/", Device: "a b\n"}} {
		if _, err := New(o, io.Discard, io.Discard); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
