package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

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
	o := against(s, Options{Mode: ModeListen, Device: "d1", Topic: "news"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out, errout lockedBuffer
	end := make(chan error, 1)
	go func() {
		_, err := Run(ctx, o, &out, &errout)
		end <- err
	}()
	errout.until(t, "subscribed to news")
	for _, body := range []string{`{"device":"d1","payload":"to one"}`, `{"topic":"news","payload":"to some"}`, `{"all":true,"payload":"to all"}`} {
		resp, err := http.Post(o.API+"/v1/publish", "application/json", strings.NewReader(body))
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
		getJSON(t, o.API+"/v1/devices/d1", &d)
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
		o := against(s, Options{Mode: ModeListen, Device: "away", Protocol: []string{"json", "bin"}[i%2]})
		go func() {
			_, err := Run(ctx, o, &out, &errout)
			end <- err
		}()
		errout.until(t, "is connected to")
		out.until(t, want)
		cancel()
		if err := <-end; err != nil || out.String() != want {
			t.Fatalf("run %d: %v, printed %q, want %q", i, err, out.String(), want)
		}
		if i < 2 {
			body := fmt.Sprintf(`{"device":"away","id":"%c","payload":%d}`, 'a'+i, i)
			resp, err := http.Post(o.API+"/v1/publish", "application/json", strings.NewReader(body))
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
	o := against(s, Options{Mode: ModeListen, Device: "d1"})
	var errout lockedBuffer
	end := make(chan error, 1)
	go func() {
		_, err := Run(context.Background(), o, io.Discard, &errout)
		end <- err
	}()
	errout.until(t, "is connected to")
	second, cancel := context.WithCancel(context.Background())
	defer cancel()
	var other lockedBuffer
	last := make(chan error, 1)
	go func() {
		_, err := Run(second, o, io.Discard, &other) // the same device
		last <- err
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
