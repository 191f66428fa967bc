package swarm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"roost/loadgen/scenario"
	"roost/server"
)

// TestRetryWaitsForTheAPI: while nobody listens nothing is sent, and then
// everything, in order.
func TestRetryWaitsForTheAPI(t *testing.T) {
	node := startRoost(t)
	s := roostScenario([]*server.Server{node}, 5, ramp(5), keptPhase(scenario.Publish{To: scenario.ToDevice, Batch: 1, InFlight: 1, Retry: true}, 100, 300*time.Millisecond))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	api := s.Target.APIs[0]
	s.Target.APIs[0] = "http://" + addr
	r := newRig(t, s, 1)
	r.run(0)
	r.begin(1)
	r.await("refusals", func() bool { return len(r.tick().Errors) > 0 && r.tick().Total().Planned > 10 })
	if n := r.sum.Total(); n.Sent != 0 || n.Refused != 0 {
		t.Errorf("to nobody: %+v", n)
	}
	to, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	transport := &http.Transport{}
	proxy.Transport = transport
	front := &http.Server{Handler: proxy}
	var serving sync.WaitGroup
	serving.Go(func() { front.Serve(ln) })
	t.Cleanup(func() {
		front.Close()
		serving.Wait()
		transport.CloseIdleConnections()
	})
	r.await("plan", func() bool { p := r.progress(); return p.PlanDone && p.Pending == 0 })
	r.finish(r.settled())
	if n := r.sum.Total(); n.Delivered != 30 || n.Refused+n.Unknown+n.Reordered+n.Duplicate+n.Missing != 0 {
		t.Errorf("%+v", n)
	}
}

// TestRetryEndsWithThePhase: what has no answer by then is unknown, and so is what
// had to wait for those.
func TestRetryEndsWithThePhase(t *testing.T) {
	node := startRoost(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer api.Close()
	s := roostScenario([]*server.Server{node}, 5, ramp(5), keptPhase(scenario.Publish{To: scenario.ToDevice, Batch: 1, InFlight: 2, Retry: true}, 100, 300*time.Millisecond))
	s.Target.APIs[0] = api.URL
	r := newRig(t, s, 1)
	r.run(0)
	r.begin(1)
	w := r.workers[0]
	r.await("repeats", func() bool { return r.tick().Total().Repeated > 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	list, err := w.Finish(ctx, r.clock.Now())
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finished with %v", err)
	}
	w.Settle(list)
	n := r.tick().Total()
	if n.Sent < 2 || n.Sent+n.Unsent != n.Planned || n.Unknown != n.Sent || len(list) != int(n.Unsent) || n.Missing != n.Sent {
		t.Errorf("%d not to be expected: %+v", len(list), n)
	}
	r.await("requests", func() bool { return w.Progress().Pending == 0 })
}
