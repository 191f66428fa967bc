package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"roost/loadgen"
)

// probeRate is how many messages to one device a second are published while
// other load runs: enough for a p99, too few to be a load.
const probeRate = 100

// probeResult is how long the publishes took, from when they were due.
type probeResult struct {
	GOMAXPROCS    string  `json:"gomaxprocs"`
	Load          string  `json:"load"`
	Count         int64   `json:"count"`
	P50           float64 `json:"p50_ms"`
	P99           float64 `json:"p99_ms"`
	Max           float64 `json:"max_ms"`
	Failed        int     `json:"failed"`
	ServerMicros  float64 `json:"server_us_per_message"`
	MessagesEvery float64 `json:"messages_per_second"`
}

// publishers measures the API under load, for several GOMAXPROCS.
func (x *nodeRun) publishers(ctx context.Context) error {
	x.printf("\n## How long publishers wait\n\n`POST /v1/publish` to one device, %d/s, latency from the due time, on a node with one loop per core. CPU of the node (ksoftirqd's share included) is per message of the load.\n\n| GOMAXPROCS | load | p50 ms | p99 ms | max ms | failed | us/message |\n|---|---|---|---|---|---|---|\n", probeRate)
	var all []probeResult
	for _, procs := range []string{"", "2", "3", "4"} {
		env := []string{}
		if procs != "" {
			env = append(env, "GOMAXPROCS="+procs)
		}
		results, err := x.publishersWith(ctx, procs, env)
		if err != nil {
			return err
		}
		all = append(all, results...)
	}
	return x.writeJSON("publishers", all)
}

// publishersWith probes one node under each load.
func (x *nodeRun) publishersWith(ctx context.Context, procs string, env []string) (results []probeResult, err error) {
	v, err := x.start(ctx, env...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.stop()) }()
	end, err := listen(ctx, v.data, "probe")
	if err != nil {
		return nil, err
	}
	defer end()
	if procs == "" {
		procs = "default (loops + 1)"
	}
	n, m := fmt.Sprint(14_900/x.scale), fmt.Sprint(1000/x.scale)
	hold := x.opt.Hold.String()
	for _, load := range []struct {
		name, mode string
		args       []string
	}{
		{name: "none"},
		{"broadcast, 3/s to 14,900", loadgen.ModeBroadcast, []string{"--mode", loadgen.ModeBroadcast, "--connections", n, "--hold", hold, "--rate", "3"}},
		{"echo, 30,000/s", loadgen.ModeEcho, []string{"--mode", loadgen.ModeEcho, "--connections", m, "--hold", hold, "--rate", fmt.Sprint(30_000 / x.scale)}},
		{"echo, closed loop", loadgen.ModeEcho, []string{"--mode", loadgen.ModeEcho, "--connections", m, "--hold", hold}},
	} {
		res := probeResult{GOMAXPROCS: procs, Load: load.name}
		if err := x.probeDuring(ctx, v, load.mode, load.args, &res); err != nil {
			return nil, err
		}
		x.printf("| %s | %s | %.2f | %.1f | %.1f | %d | %.2f |\n", procs, load.name, res.P50, res.P99, res.Max, res.Failed, res.ServerMicros)
		results = append(results, res)
	}
	return results, nil
}

// probeDuring publishes while a load runs, or for Hold without one.
func (x *nodeRun) probeDuring(ctx context.Context, v *server, mode string, args []string, res *probeResult) error {
	if args == nil {
		ctx, cancel := context.WithTimeout(ctx, x.opt.Hold)
		defer cancel()
		probe(ctx, v.side, res)
		return nil
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		probe(loading, v.side, res)
	}()
	name := "publishers-" + strings.Map(func(r rune) rune {
		if r == ' ' || r == ',' || r == '/' {
			return '-'
		}
		return r
	}, res.GOMAXPROCS+"-"+res.Load)
	r, err := x.gen.run(ctx, name, join(v.urlArgs(mode), args))
	stop()
	<-done
	if err != nil {
		return err
	}
	if b := r.Broadcast; b != nil {
		res.ServerMicros, res.MessagesEvery = b.ServerSumMicros, b.PerSecond
	}
	if e := r.Echo; e != nil {
		res.ServerMicros, res.MessagesEvery = e.ServerSumMicros, e.PerSecond
	}
	return v.quiet(ctx)
}

// probe publishes to the probe's device at probeRate until ctx is over.
func probe(ctx context.Context, api string, res *probeResult) {
	h := hdrhistogram.New(1000, 60e9, 3)
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for due := time.Now(); ; due = due.Add(time.Second / probeRate) {
		select {
		case <-ctx.Done():
			res.Count = h.TotalCount()
			res.P50, res.P99, res.Max = float64(h.ValueAtQuantile(50))/ms, float64(h.ValueAtQuantile(99))/ms, float64(h.Max())/ms
			return
		case <-time.After(time.Until(due)):
		}
		resp, err := client.Post("http://"+api+"/v1/publish", "application/json", strings.NewReader(`{"device":"probe","payload":1}`))
		if err != nil {
			res.Failed++
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(body), `"written"`) {
			res.Failed++
			continue
		}
		h.RecordValue(int64(time.Since(due)))
	}
}

// listen connects a device that reads and throws away, until end is called.
func listen(ctx context.Context, addr, id string) (end func(), err error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(nc, "GET /v1/connect?device=%s&hb=300 HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", id)
	r := bufio.NewReader(nc)
	status, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 101 ") {
		nc.Close()
		return nil, fmt.Errorf("device %s: %q, %v", id, status, err)
	}
	go io.Copy(io.Discard, r)
	return func() { nc.Close() }, nil
}
