package loadgen

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"roost/loadgen/usage"
)

var update = flag.Bool("update", false, "write testdata/report.txt anew")

// TestReportGolden holds the text that people, and the README, rely on.
func TestReportGolden(t *testing.T) {
	const msec = int64(time.Millisecond)
	spread := Latency{Count: 30, P50: 80 * msec, P90: 85 * msec, P99: 91 * msec, P999: 93 * msec, Max: 95 * msec}
	work := Work{Wall: 10_000 * msec, ServerCPU: 2500 * msec, Softirq: 100 * msec, ClientCPU: 1500 * msec, Busy: 4300 * msec}
	idle := &Idle{
		Base: Sample{Raw: usage.Memory{RSS: 10e6}, Settled: usage.Memory{RSS: 9e6, PSS: 8e6}, Slab: usage.Slab{Total: 100e6}, Files: 20, Client: usage.Memory{RSS: 9e6}},
		Steps: []Sample{
			{Connections: 5000, Raw: usage.Memory{RSS: 12e6}, Settled: usage.Memory{RSS: 11e6, PSS: 10e6}, Slab: usage.Slab{Total: 140e6}, Files: 5020, Goroutines: 8, Client: usage.Memory{RSS: 10e6}},
			{Connections: 10000, Raw: usage.Memory{RSS: 14e6}, Settled: usage.Memory{RSS: 13e6, PSS: 12e6}, Slab: usage.Slab{Total: 180e6}, Files: 10020, Goroutines: 8, Client: usage.Memory{RSS: 11e6}},
		},
		Hold: work, Heartbeats: 180,
	}
	idle.derive()
	r := &Result{Schema: Schema, Mode: ModeBroadcast, Client: "sleeping", Started: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Command: []string{"loadgen", "--mode", "broadcast"},
		Env:     usage.Env{Kernel: "6.18", CPU: "EPYC", Cores: 2, MemoryMiB: 24105, Go: "go1.26", Congestion: "bbr"},
		Server:  &Server{Name: "roost", Version: "1"},
		Connect: &Connect{Asked: 15000, Established: 14990, Slow: 10, Failed: map[string]int{"handshake timed out": 9, "EMFILE: too many open files": 1},
			Sources: 2, Latency: spread, Work: work, PerSecond: 20000, ServerMicros: 20, ServerSumMicros: 21},
		Idle: idle,
		Echo: &Echo{Open: true, Rate: 30000, Size: 128, Inflight: 64, TotalSent: 330000, Lost: 1, FromDue: spread, FromSent: spread, Late: spread,
			Work: work, PerSecond: 30000, ServerMicros: 8.33, ServerSumMicros: 8.67, ClientMicros: 5},
		Broadcast: &Broadcast{Open: true, Rate: 3, Burst: 1, Size: 128, Wrapper: 18, Readers: 15000, Planned: 30, Rounds: 30, Expected: 450000,
			Delivered: 449999, Missing: 1, Spread: spread, FromDue: spread, API: spread, Late: spread, Work: work,
			PerSecond: 45000, ServerMicros: 5.56, ServerSumMicros: 5.78, ClientMicros: 3.33},
		Kept: &Kept{Open: true, Rate: 4500, Publishers: 16, Batch: 1, Size: 128, Devices: 1000, Planned: 45000, Accepted: 45000, Expected: 45000, Delivered: 44999,
			Missing: 1, Acks: 30000, Repeats: 2, Returned: 3, FromDue: spread, API: spread, Late: spread, Work: work, PerSecond: 4500, ServerMicros: 80,
			ServerSumMicros: 82, UserMicros: 45, SystemMicros: 35, ClientMicros: 40},
		Failures:    []string{"1 of 450000 deliveries are missing"},
		ClientBound: []string{"generator used 0.95 cores with 1 loops (limit 0.90)"},
		Interrupted: true,
	}
	var got bytes.Buffer
	r.Report(&got)
	r.Echo.Open = false
	r.Echo.Work.ServerCPU = 0
	r.Echo.FromDue = Latency{Over: 2, Count: 2, P50: 60_000 * msec, P99: 60_000 * msec, P999: 60_000 * msec, Max: 60_000 * msec}
	r.Kept.All, r.Kept.Open, r.Kept.Last, r.Kept.LastAck, r.Kept.Answered = true, false, spread, spread, spread
	r.Connect, r.Idle, r.Broadcast, r.Failures, r.ClientBound, r.Interrupted = nil, nil, nil, nil, nil, false
	r.Report(&got)
	const file = "testdata/report.txt"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the report is not that of %s (go test -run Golden -update writes it):\n%s", file, got.String())
	}
}
