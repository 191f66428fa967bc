package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roost/server"
)

// startRoost runs a node until the test ends.
func startRoost(t testing.TB) *server.Server {
	t.Helper()
	s, err := server.New(server.Options{Listen: "127.0.0.1:0", API: "127.0.0.1:0", Auth: "none", Echo: true,
		Loops: 2, Log: slog.New(slog.DiscardHandler)})
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

// against fills in where the node is, and short times.
func against(s *server.Server, o Options) Options {
	path := "/v1/connect"
	if o.Mode == ModeEcho {
		path = "/v1/echo"
	}
	o.URL = "ws://" + s.Addr().String() + path
	o.API = "http://" + s.APIAddr().String()
	o.PID = os.Getpid()
	setDefault(&o.Hold, 200*time.Millisecond)
	setDefault(&o.Settle, time.Millisecond)
	setDefault(&o.Warmup, 20*time.Millisecond)
	return o
}

// mustRun runs and fails the test on an error or a failure of the server.
func mustRun(t *testing.T, o Options) *Result {
	t.Helper()
	var errout bytes.Buffer
	r, err := Run(context.Background(), o, io.Discard, &errout)
	if err != nil {
		t.Fatalf("%v\n%s", err, errout.String())
	}
	if len(r.Failures) > 0 || len(r.Closed) > 0 {
		t.Fatalf("failures %q, closed %v", r.Failures, r.Closed)
	}
	if r.Connect.Established != o.Connections || len(r.Connect.Failed) > 0 {
		t.Errorf("%d of %d connections, failed: %v", r.Connect.Established, o.Connections, r.Connect.Failed)
	}
	if n := r.Connect.Latency.Count; n != int64(o.Connections) {
		t.Errorf("%d handshakes in the histogram, want %d", n, o.Connections)
	}
	return r
}

func TestIdleHoldsEveryDevice(t *testing.T) {
	for _, protocol := range []string{"json", "bin"} {
		t.Run(protocol, func(t *testing.T) {
			s := startRoost(t)
			o := against(s, Options{Mode: ModeIdle, Connections: 300, Steps: []int{100, 200, 300}, Protocol: protocol, Loops: 2})
			r := mustRun(t, o)
			if len(r.Idle.Steps) != 3 {
				t.Fatalf("%d steps", len(r.Idle.Steps))
			}
			for i, m := range r.Idle.Steps {
				if m.Connections != 100*(i+1) || m.Raw.RSS == 0 || m.Settled.RSS == 0 || m.Slab.Total == 0 {
					t.Errorf("step %d: %+v", i, m)
				}
				if m.Files <= 2*m.Connections { // both ends are here
					t.Errorf("step %d: %d files for %d connections", i, m.Files, m.Connections)
				}
				if m.Goroutines == 0 {
					t.Errorf("step %d: the node did not say how many goroutines it has", i)
				}
			}
			if r.Exit() != ExitOK {
				t.Errorf("exit %d", r.Exit())
			}
		})
	}
}

func TestDevicesAreRegisteredByName(t *testing.T) {
	s := startRoost(t)
	o := against(s, Options{Mode: ModeIdle, Connections: 3, Hold: time.Minute, Device: "x-"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	results := make(chan *Result, 1)
	go func() {
		r, err := Run(ctx, o, io.Discard, io.Discard)
		if err != nil {
			t.Error(err)
		}
		results <- r
	}()
	for _, id := range []string{"x-000001", "x-000002", "x-000003"} {
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // until it is there
			resp, err := http.Get(o.API + "/v1/devices/" + id)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("device %s: %s", id, resp.Status)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	r := <-results
	if !r.Interrupted || r.Exit() != ExitInterrupted {
		t.Errorf("interrupted: %v, exit %d", r.Interrupted, r.Exit())
	}
}

func TestEchoClosedLoopCountsExactly(t *testing.T) {
	s := startRoost(t)
	for _, inflight := range []int{1, 5} {
		r := mustRun(t, against(s, Options{Mode: ModeEcho, Connections: 200, Inflight: inflight, Loops: 2}))
		e := r.Echo
		if e.Received == 0 || e.Lost != 0 || e.Wrong != 0 || e.TotalSent < e.Sent {
			t.Errorf("inflight %d: %+v", inflight, e)
		}
		if e.FromDue.Count < int64(e.Received)-int64(200*inflight) {
			t.Errorf("inflight %d: %d latencies of %d messages", inflight, e.FromDue.Count, e.Received)
		}
	}
}

func TestEchoOpenLoopSendsWhatIsPlanned(t *testing.T) {
	s := startRoost(t)
	for _, spin := range []bool{false, true} {
		o := against(s, Options{Mode: ModeEcho, Connections: 200, Rate: 5000, Size: 64, Spin: spin, Loops: 2})
		r := mustRun(t, o)
		e := r.Echo
		// 220 ms of 5,000/s, all of them, however late.
		if e.TotalSent != 1100 || e.Planned != 1000 || e.FromDue.Count != 1000 {
			t.Errorf("spin %v: %d sent, %d planned, %d measured; want 1100, 1000, 1000", spin, e.TotalSent, e.Planned, e.FromDue.Count)
		}
		if e.FromDue.P50 < e.FromSent.P50 {
			t.Errorf("spin %v: p50 from due %d is below that from sent %d", spin, e.FromDue.P50, e.FromSent.P50)
		}
		if want := map[bool]string{false: "sleeping", true: "spinning"}[spin]; r.Client != want {
			t.Errorf("client is %s, want %s", r.Client, want)
		}
	}
}

func TestBroadcastCountsEveryDelivery(t *testing.T) {
	for name, o := range map[string]Options{
		"open":    {Rate: 100, Loops: 2},
		"closed":  {},
		"bin":     {Rate: 100, Protocol: "bin", Size: 40},
		"burst":   {Rate: 20, Burst: 8},
		"spin":    {Rate: 100, Spin: true},
		"slow":    {Rate: 50, Slow: 0.1},
		"largest": {Rate: 20, Size: 4096, Connections: 50},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRoost(t)
			o.Mode = ModeBroadcast
			setDefault(&o.Connections, 300)
			r := mustRun(t, against(s, o))
			b := r.Broadcast
			readers := o.Connections
			if o.Slow > 0 {
				readers = 270
			}
			if b.Readers != readers || b.Rounds == 0 || b.Refused != 0 {
				t.Errorf("%d readers, want %d; %d rounds, %d refused", b.Readers, readers, b.Rounds, b.Refused)
			}
			if b.Delivered != b.Rounds*readers || b.Expected != b.Delivered || b.Missing != 0 || b.Duplicate != 0 || b.Wrong != 0 {
				t.Errorf("%d rounds to %d readers: %+v", b.Rounds, readers, b)
			}
			if b.Open && (b.Planned != b.Rounds || b.Planned != int(o.Rate/5)*max(o.Burst, 1)) {
				t.Errorf("%d rounds, %d planned at %v/s", b.Rounds, b.Planned, o.Rate)
			}
			if b.FromDue.Count != int64(b.Delivered) || b.Spread.Count != int64(b.Rounds) {
				t.Errorf("%d latencies, %d spreads", b.FromDue.Count, b.Spread.Count)
			}
			if b.Wrapper == 0 {
				t.Error("the node's wrapper was not measured")
			}
		})
	}
}

func TestBroadcastRefusesASizeBelowTheWrapper(t *testing.T) {
	s := startRoost(t)
	_, err := Run(context.Background(), against(s, Options{Mode: ModeBroadcast, Connections: 5, Size: 20}), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "wraps") {
		t.Errorf("got %v", err)
	}
}

func TestRunNamesAnImpossibleRate(t *testing.T) {
	s := startRoost(t)
	r, err := Run(context.Background(), against(s, Options{Mode: ModeEcho, Connections: 20, Rate: 20e6}), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ClientBound) == 0 || r.Exit() != ExitClientBound {
		t.Errorf("20 million messages/s: client-bound %q, exit %d", r.ClientBound, r.Exit())
	}
	var text bytes.Buffer
	r.Report(&text)
	if !strings.Contains(text.String(), "CLIENT-BOUND") {
		t.Errorf("the report does not say so:\n%s", text.String())
	}
}

func TestResultIsWrittenWhole(t *testing.T) {
	s := startRoost(t)
	o := against(s, Options{Mode: ModeBroadcast, Connections: 10, Rate: 50, Command: []string{"loadgen", "--x"}})
	r := mustRun(t, o)
	path := filepath.Join(t.TempDir(), "r.json")
	if err := r.WriteJSON(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.Schema != Schema || back.Broadcast.Delivered != r.Broadcast.Delivered || back.Env.Kernel == "" || len(back.Command) != 2 {
		t.Errorf("%s", data)
	}
}

func TestUsageErrorsAreTold(t *testing.T) {
	for _, o := range []Options{
		{}, {Mode: "fast"}, {Mode: ModeIdle, Connections: -1}, {Mode: ModeEcho, Size: 3}, {Mode: ModeBroadcast, Burst: 33},
		{Mode: ModeIdle, Protocol: "xml"}, {Mode: ModeIdle, URL: "http://x"}, {Mode: ModeIdle, Slow: 1}, {Mode: ModeEcho, Inflight: 5000},
		{Mode: ModeKept, Size: 9}, {Mode: ModeKept, Batch: 2000}, {Mode: ModeKept, Publishers: 500}, {Mode: ModeKept, All: true, Batch: 2},
		{Mode: ModeKept, Peer: true}, {Mode: ModeKept, Slow: 0.5}, {Mode: ModeKept, API: "x"}, {Mode: ModeListen, Peer: true},
		{Mode: ModeIdle, URL: "ws://127.0.0.1/v1/connect?device=d1"}, {Mode: ModeEcho, Rate: -1}, {Mode: ModeIdle, Steps: []int{0, 5}}, {Mode: ModeIdle, Loops: 1000},
	} {
		_, err := Run(context.Background(), o, io.Discard, io.Discard)
		var usage *UsageError
		if !errors.As(err, &usage) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	_, err := Run(context.Background(), Options{Mode: ModeIdle, Connections: 1 << 30}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "RLIMIT_NOFILE") {
		t.Errorf("a billion connections: %v", err)
	}
}

func TestInterruptedRunsReportWhatThereIs(t *testing.T) {
	s := startRoost(t)
	for _, o := range []Options{
		{Mode: ModeEcho, Connections: 50, Rate: 1000}, {Mode: ModeEcho, Connections: 50},
		{Mode: ModeBroadcast, Connections: 50, Rate: 100}, {Mode: ModeBroadcast, Connections: 50},
	} {
		o = against(s, o)
		o.Hold = time.Hour
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		r, err := Run(ctx, o, io.Discard, io.Discard)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if !r.Interrupted || len(r.Failures) > 0 || r.Exit() != ExitInterrupted && r.Exit() != ExitClientBound {
			t.Errorf("%s at %v/s: interrupted %v, exit %d, %q", o.Mode, o.Rate, r.Interrupted, r.Exit(), r.Failures)
		}
		switch {
		case r.Echo != nil && r.Echo.Received > 0 && r.Echo.Lost == 0 && r.Echo.FromDue.Count > 0:
		case r.Broadcast != nil && r.Broadcast.Rounds > 0 && r.Broadcast.Missing == 0:
		default:
			t.Errorf("%s at %v/s: %+v %+v", o.Mode, o.Rate, r.Echo, r.Broadcast)
		}
	}
}
