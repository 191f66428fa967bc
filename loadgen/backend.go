package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// backend is the server's side that is not WebSocket: where broadcasts are
// published and garbage is collected.
type backend interface {
	// info describes the server.
	info(ctx context.Context) (*Server, error)
	// publish sends content, plain ASCII letters and digits, to everybody.
	publish(ctx context.Context, content []byte) error
	// collect has the server collect its garbage, twice.
	collect(ctx context.Context) error
	// goroutines returns how many the server has, 0 if it does not say.
	goroutines(ctx context.Context) int
	close()
}

// newBackend chooses by the options.
func newBackend(opt *Options) backend {
	// As many kept connections as publishers: or each would be made anew.
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxIdleConns: 2 * maxBurst, MaxIdleConnsPerHost: 2 * maxBurst, DisableCompression: true}}
	if opt.Control != "" {
		return &peer{caller{client, strings.TrimSuffix(opt.Control, "/")}}
	}
	return &roost{caller{client, strings.TrimSuffix(opt.API, "/")}}
}

// caller makes HTTP requests to one base URL.
type caller struct {
	client *http.Client
	base   string
}

func (c *caller) close() { c.client.CloseIdleConnections() }

// call makes a request and decodes the JSON answer into v, if not nil.
func (c *caller) call(ctx context.Context, method, path string, body []byte, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: HTTP %s: %.200s", method, path, resp.Status, bytes.TrimSpace(answer))
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// roost is a roost node's API.
type roost struct{ caller }

func (r *roost) info(context.Context) (*Server, error) {
	return &Server{Name: "roost", Hello: 1}, nil
}

func (r *roost) publish(ctx context.Context, content []byte) error {
	body := append(append([]byte(`{"all":true,"payload":"`), content...), `"}`...)
	return r.call(ctx, http.MethodPost, "/v1/publish", body, nil)
}

func (r *roost) collect(ctx context.Context) error {
	for range 2 { // the second takes what finalizers of the first have freed
		if err := r.call(ctx, http.MethodGet, "/debug/pprof/heap?gc=1", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *roost) goroutines(ctx context.Context) (n int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return 0
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_, _ = fmt.Sscanf(string(head), "goroutine profile: total %d", &n) // 0 if it says something else
	return n
}

// peer is the control port of bench/peers.
type peer struct{ caller }

func (p *peer) info(ctx context.Context) (*Server, error) {
	var s Server
	if err := p.call(ctx, http.MethodGet, "/info", nil, &s); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return &s, nil
}

func (p *peer) publish(ctx context.Context, content []byte) error {
	return p.call(ctx, http.MethodPost, "/broadcast", content, nil)
}

func (p *peer) collect(ctx context.Context) error {
	return p.call(ctx, http.MethodPost, "/gc", nil, nil)
}

func (p *peer) goroutines(context.Context) int { return 0 }
