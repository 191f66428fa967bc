package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// heat is load on some devices, each by the node that it is at: the load goes where they
// go.
type heat struct {
	// Static after newHeat.
	x       *trial
	devices []int
	end     func() // may be called again
	ctx     context.Context
	client  *http.Client
	wg      sync.WaitGroup

	sent, failed atomic.Int64

	course course // the trial's goroutine's
}

// hotStreams is how many requests are under way at most.
const hotStreams = 16

func newHeat(x *trial, devices []int) *heat {
	h := &heat{x: x, devices: devices, client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: hotStreams}}}
	ctx, cancel := context.WithCancel(x.ctx)
	h.ctx = ctx
	h.end = sync.OnceFunc(func() {
		cancel()
		h.wg.Wait()
		h.client.CloseIdleConnections()
	})
	return h
}

// begin begins. Who is late does not catch up: this is load, not measurement.
func (h *heat) begin() {
	apis := map[string]string{}
	for _, n := range h.x.cluster.Nodes {
		apis[n.ID] = n.URL()
	}
	for stream := range hotStreams {
		h.wg.Go(func() {
			tick := time.NewTicker(hotStreams * time.Second / hotRate)
			defer tick.Stop()
			for i := stream; ; i += hotStreams {
				select {
				case <-h.ctx.Done():
					return
				case <-tick.C:
				}
				d := h.devices[i%len(h.devices)]
				h.post(apis[h.x.fleet.Place(d)], d)
			}
		})
	}
}

func (h *heat) post(api string, device int) {
	body := fmt.Sprintf(`{"device":%q,"class":"live","payload":{"heat":%q}}`, h.x.fleet.Name(device), strings.Repeat("x", 200))
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, api+"/v1/publish", strings.NewReader(body))
	if err != nil {
		h.failed.Add(1)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.client.Do(req)
	if err != nil {
		h.failed.Add(1)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		h.failed.Add(1)
		return
	}
	h.sent.Add(1)
}
