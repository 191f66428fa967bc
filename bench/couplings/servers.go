package couplings

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// server is an HTTP node of known behaviour on loopback: it answers each request
// after Delay, refuses connects, or takes them and says nothing.
type server struct {
	id    string
	addr  string
	delay time.Duration
	how   atomic.Uint32 // a fault
	took  atomic.Int64  // publishes answered

	mu   sync.Mutex
	srv  *http.Server // nil while it refuses
	done chan struct{}
}

// newServer starts one on a free port.
func newServer(id string, delay time.Duration) (*server, error) {
	s := &server{id: id, delay: delay}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.addr = ln.Addr().String()
	s.serve(ln)
	return s, nil
}

func (s *server) serve(ln net.Listener) {
	srv, done := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}, make(chan struct{})
	s.mu.Lock()
	s.srv, s.done = srv, done
	s.mu.Unlock()
	go func() {
		defer close(done)
		_ = srv.Serve(ln) // until it is closed
	}()
}

// set changes the behaviour.
func (s *server) set(f fault) error {
	if fault(s.how.Load()) == refuse && f != refuse {
		ln, err := net.Listen("tcp", s.addr)
		if err != nil {
			return err
		}
		s.serve(ln)
	}
	s.how.Store(uint32(f))
	if f == refuse {
		s.close()
	}
	return nil
}

// close ends the listener and all connections.
func (s *server) close() {
	s.mu.Lock()
	srv, done := s.srv, s.done
	s.srv = nil
	s.mu.Unlock()
	if srv != nil {
		_ = srv.Close()
		<-done
	}
}

// ServeHTTP answers after the delay.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lines := 0
	for in := bufio.NewReader(io.LimitReader(r.Body, 16<<20)); ; lines++ {
		if _, err := in.ReadSlice('\n'); errors.Is(err, bufio.ErrBufferFull) {
			lines--
		} else if err != nil {
			break
		}
	}
	if fault(s.how.Load()) == hang {
		<-r.Context().Done()
		return
	}
	if !pause(r.Context(), s.delay) {
		return
	}
	if r.URL.Path != "/v1/publish" {
		return
	}
	s.took.Add(int64(lines))
	results := make([]struct {
		Status string `json:"status"`
		Seq    uint64 `json:"seq"`
	}, lines)
	for i := range results {
		results[i].Status, results[i].Seq = "queued", 1
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"results": results})
}

// pause waits and reports whether ctx did not end before.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
