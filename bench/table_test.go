package bench

import (
	"bytes"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

var update = flag.Bool("update", false, "write testdata/table.md anew")

// made makes a result in which everything costs us microseconds and memory is
// 100 us bytes a connection.
func made(us float64) *result.Result {
	dur := func(us float64) time.Duration { return time.Duration(us * 1e3) }
	hist := func(ms float64) *tally.Hist {
		h := tally.NewHist()
		h.Record(int64(ms * 1e6))
		return h
	}
	use := func(cpu time.Duration, conns int) []result.ServerUse {
		return []result.ServerUse{{CPU: cpu - cpu/16, Softirq: cpu / 16, RSS: 10e6 + int64(100*us*float64(conns)), Slab: 8000 * int64(conns), Sock: 100 * int64(conns)}}
	}
	r := &result.Result{Schema: result.Schema, Verdict: result.Valid,
		Scenario: result.Scenario{Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Environment: result.Environment{Host: []result.Fact{{Name: "cpu", Value: "EPYC"}, {Name: "cpu_threads", Value: "2"}, {Name: "memory_mib", Value: "24105"},
			{Name: "kernel", Value: "6.18"}, {Name: "go", Value: "go1.26"}, {Name: "nofile", Value: "20000/20000"}},
			Sysctl: []result.Fact{{Name: "net.ipv4.tcp_congestion_control", Value: "bbr"}}},
		Servers: []result.Server{{Before: &result.ServerUse{RSS: 10e6}}}}
	for i, name := range []string{"third", "two-thirds", "full"} {
		conns := 5000 * (i + 1)
		dial := &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Dials: 5000, Established: 5000}}}}
		dial.Hists[tally.Greeting] = hist(250)
		rest := &tally.Tally{Groups: []tally.Group{{}}}
		r.Phases = append(r.Phases, result.Phase{Name: "ramp-" + name, Tally: dial, Connected: conns, Servers: use(dur(3*us*5000), conns+500)},
			result.Phase{Name: name, Tally: rest, Connected: conns, Servers: use(0, conns)})
		r.Series = append(r.Series, result.Point{Connected: conns, ServerRSS: 10e6 + int64(200*us*float64(conns))})
	}
	load := &tally.Tally{Groups: []tally.Group{{Counts: tally.Counts{Delivered: 1000, Expected: 1000}}}}
	load.Groups[0].Hists[tally.Delivery] = hist(2 * us)
	load.Hists[tally.FanSpread] = hist(us)
	r.Phases = append(r.Phases, result.Phase{Name: "warm", Warmup: true, Tally: load, Connected: 15_000, Servers: use(dur(1e6), 15_000)},
		result.Phase{Name: "hold", Tally: load, Connected: 15_000, Servers: use(dur(us*1000), 15_000)})
	return r
}

func TestTableGolden(t *testing.T) {
	opt := PeersOptions{Rounds: 3, Command: []string{"bench", "peers"}}.withDefaults()
	table := &table{Options: opt, Began: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Servers: []string{floorName, "roost", "deaf"},
		Notes: []string{"server cfloor-io_uring: ended before it was ready"}, Cells: map[runKey]cell{}}
	for round := range 3 {
		machine := []float64{1, 1.25, 0.75}[round]
		for _, l := range opt.loads() {
			table.Cells[runKey{round, floorName, l.name}] = cell{Result: made(6 * machine), Tries: 1}
			table.Cells[runKey{round, "roost", l.name}] = cell{Result: made(4.5 * machine), Tries: 1}
			if l.name != loadEcho {
				table.Cells[runKey{round, "deaf", l.name}] = cell{Result: made(9 * machine), Tries: 3, Failures: []string{"lost == 0 does not hold: 1"}}
			}
		}
	}
	table.Cells[runKey{1, "roost", loadBroadcast}] = cell{Result: made(99), Tries: 3, Invalid: []string{"hiccup p99.9 20 ms, limit 10 ms", "other work took 0.80 cores"}}
	var got bytes.Buffer
	table.WriteMarkdown(&got)
	const file = "testdata/table.md"
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
		t.Errorf("the table is not that of %s (go test -run Golden -update writes it):\n%s", file, got.String())
	}
	// The noisy round is out of the numbers and in the notes.
	if text := got.String(); !strings.Contains(text, "| roost | 4.5") || !strings.Contains(text, "0.75") {
		t.Errorf("roost's numbers are not there:\n%s", text)
	}
}

// TestColumns: what each column reads of a result, and that it has no number
// where the result has none.
func TestColumns(t *testing.T) {
	for _, c := range []struct {
		columns []column
		want    []float64
	}{
		{idleColumns, []float64{200, 400, 8.1, 6, 20_000}},
		{broadcastColumns, []float64{2, 1.875, 2, 2, 4}},
		{echoColumns, []float64{2, 4, 4}},
	} {
		r := made(2)
		for i, column := range c.columns {
			if got := column.value(r); math.Abs(got-c.want[i]) > c.want[i]/500 {
				t.Errorf("%s: %v, want %v", column.title, got, c.want[i])
			}
			if got := column.value(&result.Result{}); !math.IsNaN(got) {
				t.Errorf("%s of nothing: %v", column.title, got)
			}
		}
	}
}

func TestRates(t *testing.T) {
	o := PeersOptions{}.withDefaults()
	if o.broadcastRate() != 3 || o.burstRate() != .375 || rate(o.burstRate()) != "rate=0.375/s" || rate(1e6) != "rate=1000000/s" {
		t.Errorf("%v %v", o.broadcastRate(), o.burstRate())
	}
}
