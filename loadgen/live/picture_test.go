package live

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

var update = flag.Bool("update", false, "write what is now right into testdata")

// hist has n values of each of the durations.
func hist(n uint64, values ...time.Duration) *tally.Hist {
	h := tally.NewHist()
	for _, v := range values {
		h.RecordN(int64(v), n)
	}
	return h
}

// busy is a frame in which everything happens.
func busy() *Frame {
	f := frame()
	f.Scenario, f.Phase, f.Elapsed, f.Left, f.Dialing, f.Pending = "fan-out", "hold", 12*time.Second, 18*time.Second, 4, 3
	f.At = 83400 * time.Millisecond
	f.Point = result.Point{At: 83 * time.Second, Phase: 1, Connected: 990, DialRate: 12, SentRate: 10, DeliveredRate: 9900, ErrorRate: 2, P50: 1_234_567, P99: 12_345_678, Max: 48_000_000,
		SendLagP99: 38_000, WorkerCPU: .42, ServerCPU: 1.23, ServerRSS: 123 << 20}
	f.ServerBase = 118 << 20
	f.Delivery = hist(1000, time.Millisecond, 2*time.Millisecond, 3*time.Millisecond, 30*time.Millisecond)
	f.Delivery.Miss(3)
	f.Total = tally.Counts{Planned: 120, Sent: 120, Expected: 118_800, Delivered: 118_790, Missing: 3, Ready: 1000, Failed: 2, Late: 7}
	f.Counts = f.Total
	f.Hists = &tally.Hists{tally.Greeting: hist(500, time.Millisecond, 9*time.Millisecond), tally.SendLag: hist(10, 20*time.Microsecond)}
	f.AllErrors = tally.Errors{{Stage: "dial", Class: "ECONNREFUSED", Text: "a"}: 2, {Stage: "dial", Class: "ECONNREFUSED", Text: "b"}: 3, {Stage: "upgrade", Class: "HTTP 503", Text: "busy"}: 1}
	f.Errors = append(f.Errors, result.ErrorLine{Stage: "upgrade", Class: "HTTP 503", Text: "busy", Count: 1})
	f.Validity = []result.Check{{Name: "send lag p99", Value: 41e6, Limit: 1e6, Unit: "ns", State: "fail", Text: "Messages left later than they were due."},
		{Name: "worker cpu", Value: .4, Limit: .8, Unit: "share", State: "pass"}, {Name: "null-sink ceiling", State: "unknown", Text: "not measured"},
		{Name: "cpu pressure", Value: 23, Limit: 20, Unit: "%", State: "advice", Text: "Server and generator share the cores."}}
	f.Thresholds = []result.Threshold{{Text: "delivery.p99 < 50ms", Value: 12.3e6, State: "pass"}, {Text: "lost == 0", Value: 3, State: "fail"}, {Text: "delivery.max < 1s", Value: math.Inf(1), State: "fail"}}
	f.Units = []string{"ns", "1", "ns"}
	return f
}

// course is the history before a frame.
func course(f *Frame) *history {
	h := &history{}
	for i := range 60 {
		g := *f
		g.Point.At = time.Duration(i+1) * time.Second
		g.Point.P99 = int64(2e6 + 10e6*math.Abs(math.Sin(float64(i)/7)))
		g.Point.DeliveredRate = 9000 + 1000*math.Cos(float64(i)/5)
		if i < 3 {
			g.Point.P99 = 0
		}
		h.add(&g)
	}
	return h
}

func storm() *Frame {
	f := busy()
	f.Scenario, f.Phase, f.Index, f.Phases, f.Until, f.Cut, f.Restored, f.Away, f.Lost = "reconnect-storm", "storm", 3, 4, "99.9 % restored", 500, 321, 179, 1
	return f
}

func first() *Frame {
	return &Frame{Scenario: "smoke", Workers: 1, Phase: "ramp", Phases: 4, State: "begin", Until: "100 % connected", Clients: 100, Elapsed: -100 * time.Millisecond, Left: time.Minute}
}

func text(lines []line) string {
	var b []byte
	for _, l := range lines {
		b = append(l.appendTo(b, false), '\n')
	}
	return string(b)
}

// TestScreens compares screens of several sizes with those in testdata.
func TestScreens(t *testing.T) {
	for _, c := range []struct {
		name          string
		f             *Frame
		columns, rows int
		ascii         bool
	}{
		{"busy", busy(), 79, 23, false}, {"busy", busy(), 119, 49, false}, {"busy", busy(), 39, 30, false}, {"busy", busy(), 79, 10, false},
		{"busy", busy(), 20, 3, false}, {"busy-ascii", busy(), 99, 39, true}, {"storm", storm(), 79, 23, false}, {"first", first(), 79, 23, false},
	} {
		name := fmt.Sprintf("%s-%dx%d", c.name, c.columns, c.rows)
		t.Run(name, func(t *testing.T) {
			h := course(c.f)
			if c.name == "first" {
				h = &history{}
			}
			got := text(draw(keepWhole(c.f), h, c.columns, c.rows, c.ascii))
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (go test ./loadgen/live -update writes it):\n%s", path, got)
			}
			if c.ascii && strings.ContainsFunc(got, func(r rune) bool { return r > 0x7e }) {
				t.Errorf("not ASCII:\n%s", got)
			}
		})
	}
}

// TestAnyScreenFits: whatever is said, on any size, in rows and columns, and
// nothing that a terminal would obey.
func TestAnyScreenFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]func() *Frame{busy, storm, first, frame}).Draw(t, "frame")()
		said := rapid.String().Draw(t, "said")
		f.Scenario, f.Phase, f.Until = said, said, said
		f.Errors = append(f.Errors, result.ErrorLine{Stage: said, Class: said + "\x1b[2J", Text: said, Advice: said + "\n", Count: 1})
		f.Thresholds = append(f.Thresholds, result.Threshold{Text: said, State: said})
		f.Validity = append(f.Validity, result.Check{Name: said, Unit: said, State: "fail", Text: said, Value: rapid.Float64().Draw(t, "value")})
		f.Connected, f.Goal, f.Left = rapid.Int().Draw(t, "connected"), rapid.Int().Draw(t, "goal"), time.Duration(rapid.Int64().Draw(t, "left"))
		columns, rows := rapid.IntRange(0, 200).Draw(t, "columns"), rapid.IntRange(0, 80).Draw(t, "rows")
		lines := draw(keepWhole(f), course(f), columns, rows, rapid.Bool().Draw(t, "ascii"))
		if len(lines) > rows {
			t.Fatalf("%d lines in %d rows", len(lines), rows)
		}
		for _, l := range lines {
			if l.cells() > columns {
				t.Fatalf("%d cells in %d columns: %q", l.cells(), columns, text([]line{l}))
			}
			for _, s := range l {
				if printable(s.text) != s.text || !utf8.ValidString(s.text) {
					t.Fatalf("%q is not printable", s.text)
				}
			}
		}
	})
}

// TestWhatMattersStays: with few rows, the phase, its bar, latency and what is
// wrong are still there.
func TestWhatMattersStays(t *testing.T) {
	got := text(draw(keepWhole(busy()), course(busy()), 79, 12, false))
	for _, want := range []string{"hold", "990 of 1,000", "p99", "INVALID so far", "lost == 0", "ECONNREFUSED", "% of its time"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
